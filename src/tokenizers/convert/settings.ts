/**
 * What the files beside a vocabulary say about a tokenizer: tokenizer_config.json and, where it does not hold the added
 * tokens, the older special_tokens_map.json and added_tokens.json. Read as transformers' `from_pretrained` reads them.
 */
import { FormatError } from "../../core/errors.ts";
import { type Json, shownJson } from "../../core/python-json.ts";
import { AddedTokenSetting, readAddedToken, type TokenFlags } from "./added-token.ts";
import { isObject, type JsonFields } from "./json.ts";
import {
  ADDITIONAL,
  contentOf,
  isSpecialToken,
  type Setting,
  SPECIAL_NAMES,
  type SpecialTokenSetting,
  type TokenizerSettings,
} from "./special-tokens.ts";

/** Parsed files of a folder, null where it has none. */
export interface SettingFiles {
  /** tokenizer_config.json */
  readonly config: JsonFields | null;
  /** special_tokens_map.json */
  readonly specialTokensMap: JsonFields | null;
  /** added_tokens.json */
  readonly addedTokens: JsonFields | null;
  /** tokenizer.json */
  readonly tokenizer: JsonFields | null;
}

/** What a tokenizer's constructor is given. */
export interface GivenSettings {
  readonly settings: TokenizerSettings;
  /** Tokens that are to be added, by the numbers the files give them. */
  readonly added: Map<number, AddedTokenSetting>;
}

/** Read anew at each call, since constructors change the tokens that they are given. */
export function readSettings(files: SettingFiles): GivenSettings {
  const settings: TokenizerSettings = new Map();
  for (const [key, value] of Object.entries(files.config ?? {})) settings.set(key, value);
  const added = new Map<number, AddedTokenSetting>();
  const byText = new Map<string, AddedTokenSetting>();
  const decoder = settings.get("added_tokens_decoder");
  settings.delete("added_tokens_decoder");
  if (isObject(decoder)) {
    for (const [id, value] of Object.entries(decoder)) {
      const token = readAddedToken(value, `"added_tokens_decoder" of tokenizer_config.json, ${id}`);
      added.set(expectId(Number(id), token), token);
      byText.set(token.content, token);
    }
  } else {
    readOlderFiles(files, settings, added, byText);
  }
  for (const [key, value] of settings) settings.set(key, withTokens(value));
  if (byText.size > 0) {
    for (const name of SPECIAL_NAMES) {
      const value = settings.get(name);
      if (isSpecialToken(value)) settings.set(name, byText.get(contentOf(value)) ?? value);
    }
  }
  return { settings, added };
}

function readOlderFiles(
  { specialTokensMap, addedTokens, tokenizer }: SettingFiles,
  settings: TokenizerSettings,
  added: Map<number, AddedTokenSetting>,
  byText: Map<string, AddedTokenSetting>,
): void {
  const last = specialTokensMap === null ? null : readSpecialTokensMap(specialTokensMap, settings);
  if (addedTokens !== null) {
    const special = specialTexts(settings);
    for (const [content, id] of Object.entries(addedTokens)) {
      const token = new AddedTokenSetting(content, {
        special: special.has(content),
        normalized: !special.has(content),
      });
      added.set(expectId(id, token), token);
      // transformers 4.57 files it under the last additional token instead of its own text
      if (last !== null) byText.set(last, token);
    }
  }
  const listed = tokenizer?.added_tokens;
  for (const value of Array.isArray(listed) ? listed : []) {
    const token = readAddedToken(value, `"added_tokens" of tokenizer.json`);
    added.set(expectId((value as JsonFields).id, token), token);
    byText.set(token.content, token);
  }
}

function expectId(id: Json | undefined, { content }: AddedTokenSetting): number {
  if (typeof id === "number" && Number.isSafeInteger(id) && id >= 0) return id;
  throw new FormatError(`added token ${JSON.stringify(content)}: its number should be whole, found ${shownJson(id)}`);
}

/** Sets what special_tokens_map.json names. Returns the text of the last additional token that it lists, or null. */
function readSpecialTokensMap(map: JsonFields, settings: TokenizerSettings): string | null {
  const read = (value: JsonFields) => {
    const token = readAddedToken(value, "special_tokens_map.json");
    return new AddedTokenSetting(token.content, { ...(value as TokenFlags), special: true });
  };
  let last: string | null = null;
  for (const [key, value] of Object.entries(map)) {
    if (isObject(value)) settings.set(key, read(value));
    else if (key === ADDITIONAL && Array.isArray(value)) {
      const before = settings.get(ADDITIONAL);
      const tokens: Setting[] = Array.isArray(before) ? [...before] : [];
      for (const item of value as readonly Json[]) {
        const token = isObject(item) ? read(item) : item;
        if (isSpecialToken(token)) last = contentOf(token);
        if (!tokens.some((other) => same(other, token))) tokens.push(token);
      }
      settings.set(key, tokens);
    } else settings.set(key, value);
  }
  return last;
}

function same(a: Setting, b: Setting): boolean {
  return a instanceof AddedTokenSetting && b instanceof AddedTokenSetting ? a.equals(b) : a === b;
}

function specialTexts(settings: TokenizerSettings): Set<string> {
  const additional = settings.get(ADDITIONAL);
  const named: Setting[] = SPECIAL_NAMES.map((name) => settings.get(name) ?? null);
  const all = [...named, ...(Array.isArray(additional) ? (additional as Setting[]) : [])];
  return new Set(all.filter((value): value is SpecialTokenSetting => isSpecialToken(value)).map(contentOf));
}

/** Objects that say of themselves that they are added tokens, as tokens, at any depth of a list. */
function withTokens(value: Setting): Setting {
  if (value instanceof AddedTokenSetting) return value;
  if (Array.isArray(value)) return (value as readonly Setting[]).map(withTokens);
  if (!isObject(value)) return value;
  if (value.__type === "AddedToken") return readAddedToken(value, "tokenizer_config.json");
  const entries = Object.entries(value).map(([key, item]) => [key, withTokens(item)] as const);
  return Object.fromEntries(entries) as Json;
}
