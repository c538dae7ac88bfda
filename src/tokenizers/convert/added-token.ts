/** A token that is found in a text before anything else looks at it, and the vocabulary of such tokens. */
import { FormatError } from "../../core/errors.ts";
import { type Json, shownJson } from "../../core/python-json.ts";
import { isObject, type JsonFields } from "./json.ts";

/** How a token is looked for, by the names files know it by. `normalized` is the opposite of `special` unless given. */
export interface TokenFlags {
  readonly single_word?: boolean;
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
  readonly normalized?: boolean | null;
  readonly special?: boolean;
}

/** `AddedTokenSetting` of Hugging Face's tokenizers. Two are equal when everything about them is. */
export class AddedTokenSetting {
  readonly content: string;
  readonly singleWord: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Null as long as nobody says: then a special token is not normalized, and any other is. */
  #normalized: boolean | null;
  special: boolean;

  constructor(content: string, flags: TokenFlags = {}) {
    this.content = content;
    this.singleWord = flags.single_word ?? false;
    this.lstrip = flags.lstrip ?? false;
    this.rstrip = flags.rstrip ?? false;
    this.#normalized = flags.normalized ?? null;
    this.special = flags.special ?? false;
  }

  /** Whether it is looked for in the normalized text. */
  get normalized(): boolean {
    return this.#normalized ?? !this.special;
  }

  /** Fixes `normalized` at what it is now, and sets `special`. */
  settle(special: boolean = this.special): void {
    this.#normalized = this.normalized;
    this.special = special;
  }

  /** A copy whose `normalized` no longer follows `special`, as Python's deepcopy makes it. */
  copy(): AddedTokenSetting {
    return new AddedTokenSetting(this.content, { ...this.toJson(), special: this.special });
  }

  equals(other: AddedTokenSetting): boolean {
    return (
      this.content === other.content &&
      this.singleWord === other.singleWord &&
      this.lstrip === other.lstrip &&
      this.rstrip === other.rstrip &&
      this.normalized === other.normalized &&
      this.special === other.special
    );
  }

  toJson() {
    return {
      content: this.content,
      single_word: this.singleWord,
      lstrip: this.lstrip,
      rstrip: this.rstrip,
      normalized: this.normalized,
      special: this.special,
    };
  }
}

/** A token as files write it: an object with `content` and flags. Throws FormatError for anything else. */
export function readAddedToken(value: Json, where: string): AddedTokenSetting {
  if (!isObject(value) || typeof value.content !== "string") {
    throw new FormatError(`${where}: expected an object with the "content" of a token, found ${shownJson(value)}`);
  }
  return new AddedTokenSetting(value.content, value as TokenFlags);
}

/**
 * The added tokens of a tokenizer. Rust's tokenizers number them: one whose text is in the model's vocabulary keeps that
 * number, others get the next free one, whatever number a file gives them.
 */
export class AddedVocabulary {
  readonly #modelIds: ReadonlyMap<string, number>;
  readonly #modelSize: number;
  readonly #ids = new Map<string, number>();
  readonly #tokens = new Map<number, AddedTokenSetting>();
  /** Whether tokens are looked for in the normalized text. Rust keeps what was said when a token first became special. */
  readonly #normalized = new Map<string, boolean>();
  readonly #special = new Set<string>();
  #highest = -1;

  constructor(modelIds: ReadonlyMap<string, number>, modelSize: number) {
    this.#modelIds = modelIds;
    this.#modelSize = modelSize;
  }

  /** The number of a token, added or of the model. */
  idOf(content: string): number | undefined {
    return this.#ids.get(content) ?? this.#modelIds.get(content);
  }

  has(content: string): boolean {
    return this.#ids.has(content);
  }

  /** Adds tokens, or changes their flags: those that are there already, with the same flags, are passed over. */
  add(tokens: readonly AddedTokenSetting[]): void {
    const before = new Map([...this.#tokens.values()].map((token) => [token.content, token]));
    for (const { content, special, normalized } of tokens) {
      if (!special || this.#special.has(content)) continue;
      this.#special.add(content);
      this.#normalized.set(content, normalized && (this.#normalized.get(content) ?? true));
    }
    for (const token of tokens) {
      if (token.content === "" || before.get(token.content)?.equals(token)) continue;
      const id = this.idOf(token.content) ?? this.#next();
      this.#ids.set(token.content, id);
      this.#tokens.set(id, token);
      this.#highest = Math.max(this.#highest, id);
      if (this.#special.has(token.content)) continue;
      this.#normalized.set(token.content, token.normalized && (this.#normalized.get(token.content) ?? true));
    }
  }

  /** `added_tokens` of tokenizer.json, as it would be saved. */
  toJson(): JsonFields[] {
    const sorted = [...this.#tokens].sort(([a], [b]) => a - b);
    return sorted.map(([id, token]) => ({ id, ...token.toJson() }));
  }

  /**
   * The same, as tokens are looked for before the tokenizer is saved and read again: in Rust a token that was special once
   * remains so, with the `normalized` of that time; the other flags are those of when it was last added.
   */
  toRunningJson(): JsonFields[] {
    return this.toJson().map((token) => {
      const content = String(token.content);
      return { ...token, normalized: this.#normalized.get(content)!, special: this.#special.has(content) };
    });
  }

  #next(): number {
    const highest = this.#highest;
    return highest >= this.#modelSize || (this.#modelSize === 0 && highest >= 0) ? highest + 1 : this.#modelSize;
  }
}
