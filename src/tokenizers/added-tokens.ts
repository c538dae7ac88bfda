/**
 * Tokens that were added to a model's vocabulary: they are found in the text before anything else, and are never split.
 * Rust counterpart: `tokenizer/added_vocabulary.rs`.
 */
import { checkedId, type Fields } from "./fields.ts";
import type { TokenModel } from "./models/model.ts";
import { Trie } from "./models/trie.ts";
import { NormalizedString } from "./normalized-string.ts";
import type { Normalizer } from "./normalizers/normalizer.ts";
import { wordCharacter } from "./patterns/word-matcher.ts";
import { PreTokenizedString } from "./pre-tokenized-string.ts";
import { isWhitespace } from "./unicode/categories.ts";

export interface AddedToken {
  readonly content: string;
  /** Found only where no letter or digit is next to it. */
  readonly singleWord: boolean;
  /** Takes the blanks before it. */
  readonly lstrip: boolean;
  /** Takes the blanks behind it. */
  readonly rstrip: boolean;
  /** Looked for in the normalized text. */
  readonly normalized: boolean;
  /** Left out of a text when special tokens are. */
  readonly special: boolean;
}

export function readAddedToken(fields: Fields): AddedToken {
  fields.only("id", "content", "single_word", "lstrip", "rstrip", "normalized", "special");
  checkedId(fields.raw("id"), `${fields.path}.id`);
  return {
    content: fields.string("content"),
    singleWord: fields.boolean("single_word"),
    lstrip: fields.boolean("lstrip"),
    rstrip: fields.boolean("rstrip"),
    normalized: fields.boolean("normalized"),
    special: fields.boolean("special"),
  };
}

export class AddedTokens {
  readonly #ids = new Map<string, number>();
  readonly #tokens = new Map<number, AddedToken>();
  readonly #specials = new Set<string>();
  readonly #asWritten: TokenFinder;
  readonly #normalized: TokenFinder;
  readonly #normalize: Normalizer | null;

  /** A token that the model has keeps its number there; others are numbered behind the model's. */
  constructor(tokens: readonly AddedToken[], model: TokenModel, normalize: Normalizer | null) {
    this.#normalize = normalize;
    let next = model.size;
    for (const token of tokens) {
      if (token.content === "") continue;
      if (token.special) this.#specials.add(token.content);
      const id = this.#ids.get(token.content) ?? model.tokenToId(token.content) ?? next++;
      this.#ids.set(token.content, id);
      this.#tokens.set(id, token);
    }
    const specialsFirst = [...tokens.filter(({ special }) => special), ...tokens.filter(({ special }) => !special)];
    this.#asWritten = new TokenFinder(this.#patterns(specialsFirst, false), this.#tokens);
    this.#normalized = new TokenFinder(this.#patterns(specialsFirst, true), this.#tokens);
  }

  id(token: string): number | undefined {
    return this.#ids.get(token);
  }

  token(id: number): string | undefined {
    return this.#tokens.get(id)?.content;
  }

  isSpecial(token: string): boolean {
    return this.#specials.has(token);
  }

  /** Every token with its number. */
  entries(): Iterable<[number, AddedToken]> {
    return this.#tokens;
  }

  /** The text in pieces: added tokens, and what lies between them, normalized. */
  extract(text: string): PreTokenizedString {
    const pieces = new PreTokenizedString(new NormalizedString(text));
    this.#asWritten.split(pieces);
    const normalize = this.#normalize;
    if (normalize !== null) for (const { normalized, id } of pieces.pieces) if (id < 0) normalize(normalized);
    this.#normalized.split(pieces);
    return pieces;
  }

  /** What to look for in the text as it is, or in the normalized one. */
  #patterns(tokens: readonly AddedToken[], normalized: boolean): [pattern: string, id: number][] {
    const seen = new Set<string>();
    return tokens.flatMap((token): [string, number][] => {
      const { content } = token;
      if (content === "" || token.normalized !== normalized || (token.special && seen.has(content))) return [];
      seen.add(content);
      const pattern = new NormalizedString(content);
      if (normalized) this.#normalize?.(pattern);
      return [[pattern.text, this.#ids.get(content)!]];
    });
  }
}

/** Finds the leftmost of some texts, the longest of those that start there. */
class TokenFinder {
  readonly #tokens: ReadonlyMap<number, AddedToken>;
  readonly #trie: Trie;
  /** Units that a text starts with. */
  readonly #first: Uint8Array;
  readonly #isEmpty: boolean;
  #isWord: RegExp | null = null;

  constructor(patterns: readonly (readonly [string, number])[], tokens: ReadonlyMap<number, AddedToken>) {
    this.#tokens = tokens;
    this.#isEmpty = patterns.length === 0;
    this.#first = new Uint8Array(this.#isEmpty ? 0 : 65536);
    this.#trie = new Trie(patterns.reduce((sum, [pattern]) => sum + pattern.length, 0));
    const seen = new Set<string>();
    for (const [pattern, id] of patterns) {
      if (pattern === "" || seen.has(pattern)) continue;
      seen.add(pattern);
      this.#first[pattern.charCodeAt(0)] = 1;
      this.#trie.add(pattern, id);
    }
  }

  split(pieces: PreTokenizedString): void {
    if (this.#isEmpty) {
      pieces.pieces = pieces.pieces.filter(({ normalized }) => normalized.text !== "");
      return;
    }
    pieces.split((normalized, push) => {
      const { text } = normalized;
      let last = 0;
      for (let at = 0; at < text.length; ) {
        const found = this.#first[text.charCodeAt(at)] === 1 ? this.#longest(text, at) : null;
        if (found === null) {
          at++;
          continue;
        }
        const range = this.#range(text, at, found.end, found.id, last);
        at = found.end;
        if (range === null) continue;
        if (last < range.start) push(normalized.slice(last, range.start));
        push(normalized.slice(range.start, range.end), found.id);
        last = range.end;
      }
      if (last === 0) push(normalized);
      else if (last < text.length) push(normalized.slice(last, text.length));
    });
  }

  #longest(text: string, start: number): { id: number; end: number } | null {
    let found: { id: number; end: number } | null = null;
    for (let node = 0, end = start; end < text.length; ) {
      node = this.#trie.child(node, text.charCodeAt(end++));
      if (node < 0) break;
      const id = this.#trie.value(node);
      if (id >= 0) found = { id, end };
    }
    return found;
  }

  /** The token with the blanks it takes; null when it must be a word and is not. `last` is the end of the one before. */
  #range(text: string, at: number, to: number, id: number, last: number): { start: number; end: number } | null {
    const token = this.#tokens.get(id)!;
    let [start, end] = [at, to];
    if (token.singleWord && (this.#isWordAt(text, charBefore(text, start)) || this.#isWordAt(text, end))) return null;
    if (token.lstrip) {
      while (start > 0 && isWhitespace(text.charCodeAt(start - 1))) start--;
      start = Math.max(start, last);
    }
    if (token.rstrip) while (end < text.length && isWhitespace(text.charCodeAt(end))) end++;
    return { start, end };
  }

  #isWordAt(text: string, at: number): boolean {
    if (at < 0 || at >= text.length) return false;
    this.#isWord ??= wordCharacter();
    return this.#isWord.test(String.fromCodePoint(text.codePointAt(at)!));
  }
}

/** Where the character before unit `at` starts; -1 at the beginning. */
function charBefore(text: string, at: number): number {
  if (at < 2) return at - 1;
  const isPair = (text.codePointAt(at - 2) ?? 0) > 0xffff;
  return isPair ? at - 2 : at - 1;
}
