/** The special tokens of a tokenizer, by name: `bos_token` and its like, in the order in which transformers adds them. */
import { FormatError } from "../../core/errors.ts";
import { type Json, shownJson } from "../../core/python-json.ts";
import { AddedTokenSetting } from "./added-token.ts";
import { isObject } from "./json.ts";

/** A value of a setting; tokens with flags are tokens. */
export type Setting = Json | AddedTokenSetting | readonly Setting[];
export type TokenizerSettings = Map<string, Setting>;

/** A text alone, or with flags. */
export type SpecialTokenSetting = string | AddedTokenSetting;

export const SPECIAL_NAMES = [
  "bos_token",
  "eos_token",
  "unk_token",
  "sep_token",
  "pad_token",
  "cls_token",
  "mask_token",
] as const;
export const ADDITIONAL = "additional_special_tokens";

export function contentOf(token: SpecialTokenSetting): string {
  return typeof token === "string" ? token : token.content;
}

export function isSpecialToken(value: Setting | undefined): value is SpecialTokenSetting {
  return typeof value === "string" || value instanceof AddedTokenSetting;
}

export class SpecialTokens {
  readonly named = new Map<string, SpecialTokenSetting>();
  readonly additional: SpecialTokenSetting[] = [];
  /** Named by the model's own settings, `extra_special_tokens`. */
  readonly #extra = new Map<string, SpecialTokenSetting>();

  /** Throws FormatError when a special token is neither a text nor a token. */
  constructor(settings: TokenizerSettings) {
    for (const name of SPECIAL_NAMES) {
      const value = settings.get(name) ?? null;
      if (value !== null) this.named.set(name, expectToken(name, value));
    }
    const additional = settings.get(ADDITIONAL) ?? [];
    if (!Array.isArray(additional)) throw wrong(ADDITIONAL, "a list of tokens", additional);
    this.additional.push(...additional.map((token: Setting) => expectToken(ADDITIONAL, token)));
    const extra = settings.get("extra_special_tokens") ?? {};
    if (Array.isArray(extra)) {
      // version 5 of transformers writes the additional tokens under this name
      this.additional.push(...extra.map((token: Setting) => expectToken("extra_special_tokens", token)));
      return;
    }
    if (!isObject(extra)) throw wrong("extra_special_tokens", "an object of tokens by name", extra);
    for (const [name, value] of Object.entries(extra)) this.#extra.set(name, expectToken(name, value));
  }

  /** The text of, say, "bos_token", or null. */
  textOf(name: string): string | null {
    const token = this.named.get(name);
    return token === undefined || token === "" ? null : contentOf(token);
  }

  /** All of them, each text once: named ones, additional ones, and those of the model. */
  all(): SpecialTokenSetting[] {
    const seen = new Set<string>();
    const found: SpecialTokenSetting[] = [];
    const take = (tokens: readonly SpecialTokenSetting[]) => {
      const fresh = tokens.filter((token) => token !== "" && !seen.has(contentOf(token)));
      for (const token of fresh) seen.add(contentOf(token));
      found.push(...fresh);
    };
    for (const token of this.named.values()) take([token]);
    take(this.additional);
    for (const token of this.#extra.values()) take([token]);
    return found;
  }
}

function expectToken(name: string, value: Setting): SpecialTokenSetting {
  if (isSpecialToken(value)) return value;
  throw wrong(name, 'a text, or an object with "__type": "AddedToken"', value);
}

function wrong(name: string, expected: string, found: Setting): FormatError {
  return new FormatError(`tokenizer settings: "${name}" should be ${expected}, found ${shownJson(found)}`);
}
