/**
 * Reads the patterns that Rust's tokenizers give to Oniguruma (Ruby's syntax): "^" and "$" hold at every line, "(?m)" lets
 * "." match line ends, "a{1,2}+" repeats a repetition. Back references, calls, conditions, \K, \G, \X are refused.
 */
import { charSource } from "../../core/patterns/code-point-set.ts";
import { PatternReader } from "../../core/patterns/pattern-reader.ts";
import { canBeEmpty, type PatternNode } from "../../core/patterns/pattern-tree.ts";
import { foldsToSeveral, holdsSeveral, sameFold } from "./case-folding.ts";
import { shorthandSet } from "./named-sets.ts";
import { readCharEscape, readClass, readSetEscape } from "./parse-class.ts";

interface Flags {
  readonly ignoresCase: boolean;
  readonly dotAll: boolean;
  readonly extended: boolean;
}

const MAX_DEPTH = 100;
const MAX_REPEATS = 100_000;
const NO_NEWLINE = "[^\\u{a}]";
const EVERYTHING = "[\\u{0}-\\u{10ffff}]";
const NEWLINES = "[\\u{a}-\\u{d}\\u{85}\\u{2028}\\u{2029}]";

/** Throws FormatError when the pattern is wrong, UnsupportedError when it has what is not done here. */
export function parsePattern(source: string, path: string): PatternNode {
  const reader = new PatternReader(source, path);
  const tree = readChoice(reader, { ignoresCase: false, dotAll: false, extended: false }, 0);
  if (!reader.atEnd) throw reader.wrong('has a ")" too many');
  return tree;
}

function readChoice(reader: PatternReader, flags: Flags, depth: number): PatternNode {
  if (depth > MAX_DEPTH) throw reader.unsupported(`is nested more than ${MAX_DEPTH} deep`);
  const parts = [readSequence(reader, flags, depth)];
  while (reader.take("|")) parts.push(readSequence(reader, flags, depth));
  return parts.length === 1 ? parts[0]! : (oneSet(parts) ?? { kind: "choice", parts });
}

/** One set when each alternative is a character: which is tried first does not matter then. */
function oneSet(parts: readonly PatternNode[]): PatternNode | null {
  const sources = parts.flatMap((part) => (part.kind === "set" ? [part.source] : []));
  return sources.length === parts.length ? { kind: "set", source: `[${sources.join("")}]` } : null;
}

function readSequence(reader: PatternReader, flags: Flags, depth: number): PatternNode {
  const parts: PatternNode[] = [];
  let literals = ""; // characters in a row whose case is ignored, in small letters
  while (!reader.atEnd && reader.peek !== "|" && reader.peek !== ")") {
    if (flags.extended && skipBlanks(reader)) continue;
    if (reader.take("(?#")) {
      reader.takeUntil(")");
      continue;
    }
    const changed = takeFlags(reader, flags);
    if (changed !== null) {
      parts.push(readChoice(reader, changed, depth + 1)); // holds for the rest, alternatives included
      break;
    }
    const [atom, literal] = readAtom(reader, flags, depth);
    const repeated = readRepeats(reader, atom, flags);
    literals = literal !== null && repeated === atom ? literals + literal : "";
    if (flags.ignoresCase && holdsSeveral(literals)) {
      throw reader.unsupported(`ignores the case of "${literals}", part of which folds to one character`);
    }
    parts.push(repeated);
  }
  return parts.length === 1 ? parts[0]! : { kind: "sequence", parts };
}

function skipBlanks(reader: PatternReader): boolean {
  if (reader.take("#")) {
    while (!reader.atEnd && reader.peek !== "\n") reader.skip(1);
    return true;
  }
  if (!/^\s$/.test(reader.peek)) return false;
  reader.skip(1);
  return true;
}

/** `(?i)` and similar flags without a group. */
function takeFlags(reader: PatternReader, flags: Flags): Flags | null {
  const found = /^\(\?([imx]*)(?:-([imx]*))?\)/.exec(reader.rest);
  if (found === null) return null;
  reader.skip(found[0].length);
  return withFlags(flags, found[1]!, found[2] ?? "");
}

function withFlags(flags: Flags, on: string, off: string): Flags {
  const pick = (letter: string, before: boolean) => (off.includes(letter) ? false : on.includes(letter) || before);
  return {
    ignoresCase: pick("i", flags.ignoresCase),
    dotAll: pick("m", flags.dotAll),
    extended: pick("x", flags.extended),
  };
}

/** One thing that can be repeated, and its text in small letters if it is a plain character. */
function readAtom(reader: PatternReader, flags: Flags, depth: number): [PatternNode, string | null] {
  if (reader.take("(")) return [readGroup(reader, flags, depth), null];
  if (reader.take("[")) return [{ kind: "set", source: readClass(reader, flags.ignoresCase) }, null];
  if (reader.take(".")) return [{ kind: "set", source: flags.dotAll ? EVERYTHING : NO_NEWLINE }, null];
  if (reader.take("^")) return [LINE_START, null];
  if (reader.take("$")) return [LINE_END, null];
  if (/^[*+?]$/.test(reader.peek)) throw reader.wrong("repeats nothing");
  if (!reader.take("\\")) return literal(reader, reader.char(), flags);
  const special = readSpecialEscape(reader);
  if (special !== null) return [special, null];
  const set = readSetEscape(reader, false);
  return set === null ? literal(reader, readCharEscape(reader), flags) : [{ kind: "set", source: set }, null];
}

function literal(reader: PatternReader, char: number, flags: Flags): [PatternNode, string] {
  if (!flags.ignoresCase) return [{ kind: "set", source: `[${charSource(char)}]` }, ""];
  if (foldsToSeveral(char)) throw reader.unsupported("ignores the case of a character that folds to several");
  const text = String.fromCodePoint(char).toLowerCase();
  return [{ kind: "set", source: `[${sameFold(char).map(charSource).join("")}]` }, text];
}

function readGroup(reader: PatternReader, flags: Flags, depth: number): PatternNode {
  let inside = flags;
  let wrap = (part: PatternNode): PatternNode => part;
  const look = (ahead: boolean, negative: boolean) => (part: PatternNode) =>
    ({ kind: "look", part, ahead, negative }) as const;
  if (reader.take("?")) {
    const own = /^([imx]*)(?:-([imx]*))?:/.exec(reader.rest);
    if (own !== null) {
      reader.skip(own[0].length);
      inside = withFlags(flags, own[1]!, own[2] ?? "");
    } else if (reader.take("=")) wrap = look(true, false);
    else if (reader.take("!")) wrap = look(true, true);
    else if (reader.take("<=")) wrap = look(false, false);
    else if (reader.take("<!")) wrap = look(false, true);
    else if (reader.take(">")) wrap = (part) => ({ kind: "atomic", part });
    else if (/^<[A-Za-z_]\w*>/.test(reader.rest)) reader.takeUntil(">");
    else throw reader.unsupported(`has the group "(?${reader.peek}", which is not supported`);
  }
  const part = readChoice(reader, inside, depth + 1);
  if (!reader.take(")")) throw reader.wrong('lacks a ")"');
  return wrap(part);
}

const START: PatternNode = { kind: "edge", atStart: true };
const END: PatternNode = { kind: "edge", atStart: false };
const NEWLINE: PatternNode = { kind: "set", source: "[\\u{a}]" };
const choice = (...parts: PatternNode[]): PatternNode => ({ kind: "choice", parts });
const sequence = (...parts: PatternNode[]): PatternNode => ({ kind: "sequence", parts });
const ahead = (part: PatternNode, negative = false): PatternNode => ({ kind: "look", part, ahead: true, negative });
const behind = (part: PatternNode, negative = false): PatternNode => ({ kind: "look", part, ahead: false, negative });

const LINE_START = choice(START, sequence(behind(NEWLINE), ahead(END, true)));
const LINE_END = choice(END, ahead(NEWLINE));
const LAST_LINE_END = choice(END, ahead(sequence(NEWLINE, END)));
const LINE_BREAK: PatternNode = {
  kind: "atomic",
  part: choice(sequence({ kind: "set", source: "[\\u{d}]" }, NEWLINE), { kind: "set", source: NEWLINES }),
};

/** Places and line breaks, behind the backslash; null for others. */
function readSpecialEscape(reader: PatternReader): PatternNode | null {
  if (reader.take("A")) return START;
  if (reader.take("z")) return END;
  if (reader.take("Z")) return LAST_LINE_END;
  if (reader.take("R")) return LINE_BREAK;
  if (reader.take("N")) return { kind: "set", source: NO_NEWLINE };
  if (reader.take("O")) return { kind: "set", source: EVERYTHING };
  const word: PatternNode = { kind: "set", source: shorthandSet("w", false)! };
  if (reader.take("b"))
    return choice(sequence(behind(word), ahead(word, true)), sequence(behind(word, true), ahead(word)));
  if (reader.take("B"))
    return choice(sequence(behind(word), ahead(word)), sequence(behind(word, true), ahead(word, true)));
  return null;
}

function readRepeats(reader: PatternReader, atom: PatternNode, flags: Flags): PatternNode {
  let part = atom;
  for (;;) {
    if (flags.extended) while (skipBlanks(reader));
    const counts = takeCounts(reader);
    if (counts === null) return part;
    const { min, max, isInterval } = counts;
    if (max < min) throw reader.unsupported("has an interval whose end is before its beginning");
    if (isInterval && min === max && reader.peek === "?")
      throw reader.unsupported("has an interval {n} with ? behind it");
    const mode = reader.take("?") ? "lazy" : !isInterval && reader.take("+") ? "possessive" : "greedy";
    if (canBeEmpty(part) && prefersEmpty(part)) {
      throw reader.unsupported("repeats what can be empty before it is tried otherwise, where matchers disagree");
    }
    part = { kind: "repeat", part, min, max, mode };
  }
}

/** Whether something in it may match nothing before it tries to match more: lazily, by an alternative, or by looking. */
function prefersEmpty(node: PatternNode): boolean {
  if (node.kind === "set" || node.kind === "edge" || node.kind === "reference") return false;
  if (node.kind === "look") return true;
  if (node.kind === "choice" && node.parts.slice(0, -1).some(canBeEmpty)) return true;
  if (node.kind === "sequence" || node.kind === "choice") return node.parts.some(prefersEmpty);
  return (node.kind === "repeat" && node.mode === "lazy") || prefersEmpty(node.part);
}

function takeCounts(reader: PatternReader): { min: number; max: number; isInterval: boolean } | null {
  if (reader.take("*")) return { min: 0, max: Infinity, isInterval: false };
  if (reader.take("+")) return { min: 1, max: Infinity, isInterval: false };
  if (reader.take("?")) return { min: 0, max: 1, isInterval: false };
  const found = /^\{(?:(\d+)(?:(,)(\d*))?|,(\d+))\}/.exec(reader.rest);
  if (found === null) return null;
  reader.skip(found[0].length);
  const [, from, comma, to, upTo] = found;
  const min = Number(from ?? 0);
  const max = upTo !== undefined ? Number(upTo) : comma === undefined ? min : to === "" ? Infinity : Number(to);
  if (min > MAX_REPEATS || (max > MAX_REPEATS && max !== Infinity)) throw reader.wrong("repeats too often");
  return { min, max, isInterval: true };
}
