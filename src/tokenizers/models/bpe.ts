/** Byte-pair encoding: characters merge into tokens by ranked pairs. Rust counterpart: `models/bpe/model.rs`. */
import { FormatError, UnsupportedError } from "../../core/errors.ts";
import { type Fields, wrong } from "../fields.ts";
import { unitsOfBytes, utf8Length } from "../utf8.ts";
import { Junctions } from "./junctions.ts";
import { mergeSymbols } from "./merge-symbols.ts";
import { MergeTable } from "./merge-table.ts";
import { type TokenModel, type Word, whole } from "./model.ts";
import { readVocabulary, type Vocabulary } from "./vocabulary.ts";
import { WordCache } from "./word-cache.ts";

/** Longer words are cut where no token reaches over. */
const LONG = 24;

interface Settings {
  readonly unknown: string | null;
  readonly prefix: string;
  readonly suffix: string;
  readonly fusesUnknown: boolean;
  readonly byteFallback: boolean;
  readonly ignoresMerges: boolean;
}

/** Throws UnsupportedError for dropout, which draws at random. */
export function readBpe(fields: Fields): TokenModel {
  fields.only(
    ...["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback"],
    ...["ignore_merges", "vocab", "merges"],
  );
  const dropout = fields.raw("dropout") ?? 0;
  if (typeof dropout !== "number" || !(dropout >= 0 && dropout <= 1)) {
    throw wrong(`${fields.path}.dropout`, dropout, "a number from 0 to 1");
  }
  if (dropout > 0) {
    throw new UnsupportedError(
      `${fields.path}.dropout is ${dropout}: merges would be left out at random, so the same text would give other ` +
        "tokens each time. Set it to null.",
    );
  }
  const settings: Settings = {
    unknown: fields.optionalString("unk_token"),
    prefix: fields.optionalString("continuing_subword_prefix") ?? "",
    suffix: fields.optionalString("end_of_word_suffix") ?? "",
    fusesUnknown: fields.has("fuse_unk") && fields.boolean("fuse_unk"),
    byteFallback: fields.has("byte_fallback") && fields.boolean("byte_fallback"),
    ignoresMerges: fields.has("ignore_merges") && fields.boolean("ignore_merges"),
  };
  const vocabulary = readVocabulary(fields);
  return new Bpe(vocabulary, readMerges(fields, vocabulary, settings.prefix), settings, fields.path);
}

interface Merges {
  readonly table: MergeTable;
  readonly junctions: Junctions;
}

/** Merges are pairs of tokens, or "left right" in files of older versions. */
const byteLength = (text: string): number => new TextEncoder().encode(text).length;

function readMerges(fields: Fields, { ids }: Vocabulary, prefix: string): Merges {
  const json = fields.raw("merges");
  const path = `${fields.path}.merges`;
  if (!Array.isArray(json)) throw wrong(path, json, "an array of pairs");
  const legacy = typeof json[0] === "string";
  const pairs = legacy ? json.filter((line) => typeof line !== "string" || !line.startsWith("#version")) : json;
  const table = new MergeTable(pairs.length);
  const junctions = new Junctions();
  const idOf = (token: string, i: number) => {
    const id = ids.get(token);
    if (id !== undefined) return id;
    throw new FormatError(`${path}[${i}] needs the token ${JSON.stringify(token)}, which is not in the vocabulary`);
  };
  for (let i = 0; i < pairs.length; i++) {
    const pair: unknown = legacy && typeof pairs[i] === "string" ? pairs[i].split(" ") : pairs[i];
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== "string" || typeof pair[1] !== "string") {
      throw wrong(`${path}[${i}]`, pairs[i], legacy ? "two tokens with a blank between them" : "a pair of tokens");
    }
    const [left, right] = pair as [string, string];
    if (prefix !== "" && byteLength(right) < byteLength(prefix))
      throw wrong(`${path}[${i}]`, pair, `a second token that begins with "${prefix}"`);
    table.set(idOf(left, i), idOf(right, i), i, idOf(left + right.slice(prefix.length), i));
    junctions.add(left, right);
  }
  return { table, junctions };
}

class Bpe implements TokenModel {
  readonly size: number;
  readonly idEnd: number;
  readonly #vocabulary: Vocabulary;
  readonly #merges: MergeTable;
  readonly #junctions: Junctions;
  readonly #cuts: boolean;
  readonly #settings: Settings;
  readonly #path: string;
  readonly #cache = new WordCache();
  /** Ids of tokens that are one UTF-16 unit, by that unit; -1 where there is none. */
  readonly #unitIds = new Int32Array(65536).fill(-1);

  constructor(vocabulary: Vocabulary, { table, junctions }: Merges, settings: Settings, path: string) {
    this.#vocabulary = vocabulary;
    this.#merges = table;
    this.#junctions = junctions;
    this.#cuts = settings.prefix === "" && settings.suffix === ""; // else a character's place in the word matters
    this.#settings = settings;
    this.#path = path;
    this.size = vocabulary.size;
    this.idEnd = vocabulary.idEnd;
    for (const [token, id] of vocabulary.ids) if (token.length === 1) this.#unitIds[token.charCodeAt(0)] = id;
  }

  tokenToId(token: string): number | undefined {
    return this.#vocabulary.ids.get(token);
  }

  idToToken(id: number): string | undefined {
    return this.#vocabulary.token(id);
  }

  tokenize(word: string): Word {
    if (this.#settings.ignoresMerges) {
      const id = this.#vocabulary.ids.get(word);
      if (id !== undefined) return whole(word, id, word);
    }
    return (word.length > LONG && this.#cuts && this.#tokenizeLong(word)) || this.#tokenizeShort(word);
  }

  #tokenizeShort(word: string): Word {
    return this.#cache.get(word) ?? this.#cache.set(word, this.#merge(word));
  }

  /** Null when a character is left out, which moves all that comes behind it. */
  #tokenizeLong(word: string): Word | null {
    const found = { ids: [] as number[], starts: [] as number[], ends: [] as number[] };
    for (let from = 0; from < word.length; ) {
      const to = this.#cutAfter(word, from);
      const part = word.slice(from, to);
      const short = this.#tokenizeShort(part);
      if (short.inBytes && this.#settings.unknown === null) return null;
      const tokens = inUnits(short, part);
      for (let i = 0; i < tokens.ids.length; i++) {
        found.ids.push(tokens.ids[i]!);
        found.starts.push(from + tokens.starts[i]!);
        found.ends.push(from + tokens.ends[i]!);
      }
      from = to;
    }
    return { ...found, inBytes: false, tokens: null };
  }

  /** The next place, behind unit `from`, over which no token reaches: between two characters of the vocabulary. */
  #cutAfter(word: string, from: number): number {
    let left = word.charCodeAt(from);
    for (let i = from + 1; i < word.length; i++) {
      const right = word.charCodeAt(i);
      const areKnown = this.#unitIds[left]! >= 0 && this.#unitIds[right]! >= 0;
      if (areKnown && !this.#junctions.mayJoin(left, right)) return i;
      left = right;
    }
    return word.length;
  }

  #merge(word: string): Word {
    const { prefix, suffix } = this.#settings;
    const symbols: number[] = [];
    const lengths: number[] = [];
    for (let i = 0; i < word.length; ) {
      const unit = word.charCodeAt(i);
      const width = unit >= 0xd800 && unit < 0xdc00 ? 2 : 1;
      const isPlain = width === 1 && (i === 0 || prefix === "") && (i + width < word.length || suffix === "");
      const id = isPlain ? this.#unitIds[unit]! : this.#charId(word, i, width);
      if (id < 0) return this.#mergeIrregular(word);
      symbols.push(id);
      lengths.push(width);
      i += width;
    }
    mergeSymbols(symbols, lengths, this.#merges);
    return toWord(symbols, lengths, false);
  }

  /** The character at unit `i` as it is in the vocabulary. */
  #charAt(word: string, i: number, width: number): string {
    const { prefix, suffix } = this.#settings;
    const char = word.slice(i, i + width);
    return (i > 0 ? prefix : "") + char + (i + width === word.length ? suffix : "");
  }

  #charId(word: string, i: number, width: number): number {
    return this.#vocabulary.ids.get(this.#charAt(word, i, width)) ?? -1;
  }

  /**
   * A word with characters that are not in the vocabulary: they become bytes, or the unknown token, or nothing. Lengths
   * are in bytes here, and one that is left out moves those behind it to the left, as in Rust.
   */
  #mergeIrregular(word: string): Word {
    const { byteFallback, fusesUnknown, unknown } = this.#settings;
    const symbols: number[] = [];
    const lengths: number[] = [];
    const push = (id: number, length: number) => {
      symbols.push(id);
      lengths.push(length);
    };
    let pending = 0; // bytes that the next unknown token stands for
    const flush = () => {
      if (pending > 0) push(this.#unknownId(unknown!), pending);
      pending = 0;
    };
    for (let i = 0; i < word.length; ) {
      const unit = word.charCodeAt(i);
      const width = unit >= 0xd800 && unit < 0xdc00 ? 2 : 1;
      const char = this.#charAt(word, i, width);
      const length = utf8Length(word, i, i + width);
      i += width;
      const id = this.#vocabulary.ids.get(char);
      if (id !== undefined) {
        flush();
        push(id, length);
        continue;
      }
      const bytes = byteFallback ? this.#byteIds(char) : null;
      if (bytes !== null) {
        for (const byte of bytes) push(byte, 1);
        continue;
      }
      if (unknown === null) continue;
      if (!fusesUnknown) flush();
      this.#unknownId(unknown);
      pending += length;
    }
    flush();
    mergeSymbols(symbols, lengths, this.#merges);
    return toWord(symbols, lengths, true);
  }

  #unknownId(unknown: string): number {
    const id = this.#vocabulary.ids.get(unknown);
    if (id !== undefined) return id;
    throw new FormatError(`${this.#path}.unk_token ${JSON.stringify(unknown)} is not in the vocabulary`);
  }

  #byteIds(char: string): number[] | null {
    const ids: number[] = [];
    for (const byte of new TextEncoder().encode(char)) {
      const id = this.#vocabulary.ids.get(byteToken(byte));
      if (id === undefined) return null;
      ids.push(id);
    }
    return ids;
  }
}

/** How vocabularies write a byte: "<0x0A>". */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

function toWord(ids: number[], lengths: readonly number[], inBytes: boolean): Word {
  const starts: number[] = [];
  const ends: number[] = [];
  let at = 0;
  for (const length of lengths) {
    starts.push(at);
    at += length;
    ends.push(at);
  }
  return { ids, starts, ends, inBytes, tokens: null };
}

/** Tokens of bytes have all of the character that they are a part of. */
function inUnits(tokens: Word, word: string): Word {
  if (!tokens.inBytes) return tokens;
  const units = unitsOfBytes(word);
  const width = (unit: number) => (word.codePointAt(unit)! > 0xffff ? 2 : 1);
  const starts = tokens.starts.map((start) => units[start]!);
  const ends = tokens.ends.map((end) => units[end - 1]! + width(units[end - 1]!));
  return { ...tokens, starts, ends, inBytes: false };
}
