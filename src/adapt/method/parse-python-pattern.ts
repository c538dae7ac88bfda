/** Reads the regular expressions of Python's `re`, as far as patterns over names of modules go. */
import { charSource } from "../../core/patterns/code-point-set.ts";
import type { PatternReader } from "../../core/patterns/pattern-reader.ts";
import type { PatternNode } from "../../core/patterns/pattern-tree.ts";

/** A pattern and its groups by name. */
export interface ParsedPattern {
  readonly tree: PatternNode;
  readonly names: ReadonlyMap<string, number>;
}

const MAX_DEPTH = 100;
const MAX_REPEATS = 10_000;
const SETS: Readonly<Record<string, string>> = {
  d: "\\p{Nd}",
  w: "\\p{L}\\p{N}_",
  s: "\\p{White_Space}\\u{1c}-\\u{1f}",
};
const CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, a: 7 };
const HEX: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

const set = (source: string): PatternNode => ({ kind: "set", source: `[${source}]` });
const look = (part: PatternNode, ahead: boolean, negative: boolean): PatternNode => ({
  kind: "look",
  part,
  ahead,
  negative,
});
const sequence = (...parts: PatternNode[]): PatternNode => ({ kind: "sequence", parts });
const choice = (...parts: PatternNode[]): PatternNode => ({ kind: "choice", parts });
/** What matches a place, which `re` does not repeat. */
const PLACE = /^(?:[$^]|\\[AZbB])/;
const START: PatternNode = { kind: "edge", atStart: true };
const END: PatternNode = { kind: "edge", atStart: false };
const WORD = set(SETS.w!);

/** Throws FormatError when `re.compile` would, UnsupportedError for flags, conditions and named characters. */
export function parsePythonPattern(reader: PatternReader): ParsedPattern {
  const parser = new Parser(reader);
  const tree = parser.choice(0);
  if (!reader.atEnd) throw reader.wrong('has a ")" too many');
  return { tree, names: parser.names };
}

class Parser {
  readonly names = new Map<string, number>();
  readonly #reader: PatternReader;
  readonly #closed = new Set<number>();
  #groups = 0;

  constructor(reader: PatternReader) {
    this.#reader = reader;
  }

  choice(depth: number): PatternNode {
    if (depth > MAX_DEPTH) throw this.#reader.unsupported(`is nested more than ${MAX_DEPTH} deep`);
    const parts = [this.#sequence(depth)];
    while (this.#reader.take("|")) parts.push(this.#sequence(depth));
    return parts.length === 1 ? parts[0]! : choice(...parts);
  }

  #sequence(depth: number): PatternNode {
    const parts: PatternNode[] = [];
    while (!this.#reader.atEnd && this.#reader.peek !== "|" && this.#reader.peek !== ")") {
      if (this.#reader.take("(?#")) this.#reader.takeUntil(")");
      else {
        const isPlace = PLACE.test(this.#reader.rest);
        parts.push(this.#repeats(this.#atom(depth), isPlace));
      }
    }
    return parts.length === 1 ? parts[0]! : sequence(...parts);
  }

  #atom(depth: number): PatternNode {
    const reader = this.#reader;
    if (reader.take("(")) return this.#group(depth);
    if (reader.take("[")) return this.#class();
    if (reader.take(".")) return set("^\\u{a}");
    if (reader.take("^")) return START;
    if (reader.take("$")) return choice(END, look(sequence(set("\\u{a}"), END), true, false));
    if (/^[*+?]$/.test(reader.peek)) throw reader.wrong("repeats nothing");
    if (!reader.take("\\")) return set(charSource(reader.char()));
    if (reader.take("A")) return START;
    if (reader.take("Z")) return END;
    if (reader.take("b")) return this.#boundary(false);
    if (reader.take("B")) return this.#boundary(true);
    const index = /^[1-9]\d?/.exec(reader.rest)?.[0] ?? null;
    if (index === null) return set(this.#escaped());
    reader.skip(index.length);
    return this.#reference(Number(index));
  }

  #boundary(negative: boolean): PatternNode {
    const [behind, ahead] = [(not: boolean) => look(WORD, false, not), (not: boolean) => look(WORD, true, not)];
    return choice(sequence(behind(false), ahead(!negative)), sequence(behind(true), ahead(negative)));
  }

  #reference(index: number): PatternNode {
    if (!this.#closed.has(index))
      throw this.#reader.wrong(`refers to group ${index}, which is not there or not closed`);
    return { kind: "reference", index };
  }

  #group(depth: number): PatternNode {
    const reader = this.#reader;
    if (reader.take("?:")) return this.#rest(depth);
    if (reader.take("?=")) return look(this.#rest(depth), true, false);
    if (reader.take("?!")) return look(this.#rest(depth), true, true);
    if (reader.take("?<=")) return look(this.#rest(depth), false, false);
    if (reader.take("?<!")) return look(this.#rest(depth), false, true);
    if (reader.take("?>")) return { kind: "atomic", part: this.#rest(depth) };
    if (reader.take("?P=")) return this.#reference(this.names.get(reader.takeUntil(")")) ?? 0);
    if (reader.take("?(")) throw reader.unsupported("has a conditional group, which is not supported");
    if (/^\?[a-zA-Z]*-?[a-zA-Z]+[):]/.test(reader.rest))
      throw reader.unsupported("has inline flags, which are not supported");
    const index = ++this.#groups;
    if (reader.take("?P<")) {
      const name = reader.takeUntil(">");
      if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(name) || this.names.has(name))
        throw reader.wrong(`has the bad group name "${name}"`);
      this.names.set(name, index);
    } else if (reader.peek === "?") throw reader.wrong(`has the unknown group "(${reader.rest.slice(0, 3)}"`);
    const part = this.#rest(depth);
    this.#closed.add(index);
    return { kind: "group", part, index };
  }

  #rest(depth: number): PatternNode {
    const part = this.choice(depth + 1);
    if (!this.#reader.take(")")) throw this.#reader.wrong('lacks a ")"');
    return part;
  }

  #repeats(part: PatternNode, isPlace: boolean): PatternNode {
    const reader = this.#reader;
    const counts = this.#counts();
    if (counts === null) return part;
    if (isPlace) throw reader.wrong("repeats nothing");
    const [min, max] = counts;
    if (max < min) throw reader.wrong("has an interval whose end is before its beginning");
    if (min > MAX_REPEATS || (max > MAX_REPEATS && max !== Number.POSITIVE_INFINITY))
      throw reader.wrong("repeats too often");
    const mode = reader.take("?") ? "lazy" : reader.take("+") ? "possessive" : "greedy";
    if (this.#counts() !== null) throw reader.wrong("repeats a repetition");
    return { kind: "repeat", part, min, max, mode };
  }

  #counts(): [number, number] | null {
    const reader = this.#reader;
    if (reader.take("*")) return [0, Number.POSITIVE_INFINITY];
    if (reader.take("+")) return [1, Number.POSITIVE_INFINITY];
    if (reader.take("?")) return [0, 1];
    const found = /^\{(?:(\d+)|(\d*),(\d*))\}/.exec(reader.rest);
    if (found === null) return null;
    reader.skip(found[0].length);
    const [, exact, from, to] = found;
    if (exact !== undefined) return [Number(exact), Number(exact)];
    return [Number(from), to === "" ? Number.POSITIVE_INFINITY : Number(to)];
  }

  #class(): PatternNode {
    const reader = this.#reader;
    let source = reader.take("^") ? "^" : "";
    for (let isFirst = true; isFirst || !reader.take("]"); isFirst = false) {
      if (reader.atEnd) throw reader.wrong('lacks a "]"');
      const first = this.#member();
      if (reader.peek !== "-" || reader.peekAt(1) === "]" || reader.peekAt(1) === "") {
        source += first;
        continue;
      }
      reader.take("-");
      const last = this.#member();
      const [from, to] = [first, last].map((each) => Number.parseInt(/^\\u\{(\w+)\}$/.exec(each)?.[1] ?? "", 16));
      if (!(from! <= to!)) throw reader.wrong("has a bad range");
      source += `${first}-${last}`;
    }
    return set(source);
  }

  #member(): string {
    if (!this.#reader.take("\\")) return charSource(this.#reader.char());
    return this.#reader.take("b") ? charSource(8) : this.#escaped();
  }

  /** What a backslash stands before, as a member of a class. */
  #escaped(): string {
    const reader = this.#reader;
    const letter = reader.peek;
    if (!/^[0-9A-Za-z]$/.test(letter)) return charSource(reader.char());
    reader.skip(1);
    const named = SETS[letter.toLowerCase()];
    if (named !== undefined) return letter === letter.toLowerCase() ? named : `[^${named}]`;
    if (Object.hasOwn(CONTROLS, letter)) return charSource(CONTROLS[letter]!);
    if (letter === "N") throw reader.unsupported("has a named character, which is not supported");
    const width = HEX[letter] ?? 0;
    const octal = /^[0-7]{0,2}/.exec(reader.rest)![0];
    const digits = width > 0 ? reader.takeHex(width) : letter + octal;
    const char = Number.parseInt(digits, width > 0 ? 16 : 8);
    const isWhole =
      width > 0 ? digits.length === width : /^[0-7]/.test(letter) && (letter === "0" || digits.length === 3);
    if (!isWhole || !(char <= 0x10ffff)) throw reader.wrong(`has the bad escape "\\${letter}"`);
    if (width === 0) reader.skip(octal.length);
    return charSource(char);
  }
}
