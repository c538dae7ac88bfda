/** Unigram: of all ways to cut a word, the one whose tokens' scores add up highest. Rust counterpart: `models/unigram/model.rs`. */
import { FormatError } from "../../core/errors.ts";
import { type Fields, wrong } from "../fields.ts";
import { byteToken } from "./bpe.ts";
import type { TokenModel, Word } from "./model.ts";
import { Trie } from "./trie.ts";
import { WordCache } from "./word-cache.ts";

/** An unknown character scores this much less than the worst token. */
const UNKNOWN_PENALTY = 10;

export function readUnigram(fields: Fields): TokenModel {
  fields.only("unk_id", "vocab", "byte_fallback");
  const vocabulary = fields.raw("vocab");
  if (!Array.isArray(vocabulary))
    throw wrong(`${fields.path}.vocab`, vocabulary, "an array of tokens and their scores");
  vocabulary.forEach((entry: unknown, i) => {
    const isToken = Array.isArray(entry) && typeof entry[0] === "string" && Number.isFinite(entry[1]);
    if (!isToken || entry.length !== 2) throw wrong(`${fields.path}.vocab[${i}]`, entry, "a token and its score");
  });
  const unknownId = fields.has("unk_id") ? fields.id("unk_id") : null;
  if (unknownId !== null && unknownId >= vocabulary.length) {
    throw wrong(`${fields.path}.unk_id`, unknownId, `a token number below ${vocabulary.length}`);
  }
  return new Unigram(vocabulary, unknownId, fields.boolean("byte_fallback", false), fields.path);
}

class Unigram implements TokenModel {
  readonly size: number;
  readonly idEnd: number;
  readonly #tokens: readonly string[];
  readonly #scores: Float64Array;
  readonly #ids = new Map<string, number>();
  readonly #trie: Trie;
  readonly #unknownId: number | null;
  readonly #unknownScore: number;
  readonly #byteFallback: boolean;
  readonly #path: string;
  readonly #cache = new WordCache();

  constructor(
    vocabulary: readonly (readonly [string, number])[],
    unknownId: number | null,
    byteFallback: boolean,
    path: string,
  ) {
    this.size = vocabulary.length;
    this.idEnd = vocabulary.length;
    this.#unknownId = unknownId;
    this.#byteFallback = byteFallback;
    this.#path = path;
    this.#tokens = vocabulary.map(([token]) => token);
    this.#scores = Float64Array.from(vocabulary, ([, score]) => score);
    this.#trie = new Trie(this.#tokens.reduce((sum, token) => sum + token.length, 0));
    this.#tokens.forEach((token, id) => {
      this.#ids.set(token, id);
      if (token !== "") this.#trie.add(token, id);
    });
    this.#unknownScore = this.#scores.reduce((least, score) => Math.min(least, score), Infinity) - UNKNOWN_PENALTY;
  }

  tokenToId(token: string): number | undefined {
    return this.#ids.get(token);
  }

  idToToken(id: number): string | undefined {
    return this.#tokens[id];
  }

  tokenize(word: string): Word {
    return this.#cache.get(word) ?? this.#cache.set(word, this.#toWord(word, this.#cuts(word)));
  }

  /** Where the best tokens start, from the last to the first; unknown ones that follow each other count as one. */
  #cuts(word: string): number[] {
    const best = new Float64Array(word.length + 1);
    const starts = new Int32Array(word.length + 1).fill(-1);
    const ids = new Int32Array(word.length + 1);
    const offer = (start: number, end: number, score: number, id: number) => {
      if (starts[end] !== -1 && !(score > best[end]!)) return;
      best[end] = score;
      starts[end] = start;
      ids[end] = id;
    };
    for (let start = 0; start < word.length; ) {
      const unit = word.charCodeAt(start);
      const width = unit >= 0xd800 && unit < 0xdc00 ? 2 : 1;
      const before = best[start]!;
      let knowsChar = false;
      for (let node = 0, end = start; end < word.length; ) {
        node = this.#trie.child(node, word.charCodeAt(end++));
        if (node < 0) break;
        const id = this.#trie.value(node);
        if (id < 0) continue;
        offer(start, end, this.#scores[id]! + before, id);
        if (end - start === width) knowsChar = true;
      }
      if (!knowsChar) this.#offerUnknown(start, start + width, before, starts[start + width]!, best, offer);
      start += width;
    }
    return this.#backtrack(word.length, starts, ids);
  }

  #offerUnknown(
    start: number,
    end: number,
    before: number,
    reached: number,
    best: Float64Array,
    offer: (start: number, end: number, score: number, id: number) => void,
  ): void {
    const score = this.#unknownScore + before;
    if (reached !== -1 && !(score > best[end]!)) return;
    offer(start, end, score, this.#needUnknown());
  }

  #backtrack(length: number, starts: Int32Array, ids: Int32Array): number[] {
    const cuts: number[] = [];
    let wasUnknown = false;
    for (let end = length; end > 0; end = starts[end]!) {
      const isUnknown = ids[end] === this.#unknownId;
      if (isUnknown && wasUnknown) cuts[cuts.length - 1] = starts[end]!;
      else cuts.push(starts[end]!);
      wasUnknown = isUnknown;
    }
    return cuts;
  }

  #toWord(word: string, cuts: readonly number[]): Word {
    const found = { ids: [] as number[], starts: [] as number[], ends: [] as number[], tokens: [] as string[] };
    const push = (id: number, start: number, end: number, token: string) => {
      found.ids.push(id);
      found.starts.push(start);
      found.ends.push(end);
      found.tokens.push(token);
    };
    for (let i = cuts.length - 1; i >= 0; i--) {
      const [start, end] = [cuts[i]!, i === 0 ? word.length : cuts[i - 1]!];
      const token = word.slice(start, end);
      const id = this.#ids.get(token);
      const bytes = id === undefined && this.#byteFallback ? this.#bytes(token) : null;
      if (bytes === null) push(id ?? this.#needUnknown(), start, end, token);
      else for (const byte of bytes) push(this.#ids.get(byte)!, start, end, byte);
    }
    return { ...found, inBytes: false };
  }

  #bytes(token: string): string[] | null {
    const bytes = Array.from(new TextEncoder().encode(token), byteToken);
    return bytes.every((byte) => this.#ids.has(byte)) ? bytes : null;
  }

  #needUnknown(): number {
    if (this.#unknownId !== null) return this.#unknownId;
    throw new FormatError(
      `the text has characters that no token has, and ${this.#path}.unk_id names no token for them`,
    );
  }
}
