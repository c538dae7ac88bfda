/**
 * A fast tokenizer of transformers as its constructor leaves it: the settings of a folder carried out on a tokenizer.json
 * that was read or converted.
 */
import type { Json } from "../../core/python-json.ts";
import { AddedTokenSetting } from "./added-token.ts";
import type { Backend } from "./backend.ts";
import { finish } from "./finish.ts";
import type { GivenSettings } from "./settings.ts";
import {
  prepareInfilling,
  prepareMadeUpWords,
  prepareSentinels,
  type SlowTokenizer,
  withDefaults,
} from "./slow-tokenizer.ts";
import {
  contentOf,
  type Setting,
  type SpecialTokenSetting,
  SpecialTokens,
  type TokenizerSettings,
} from "./special-tokens.ts";

/** Where the model and the parts around it come from. */
export interface BackendSource {
  /** tokenizer.json, or null when the folder has none. */
  readonly read: (() => Backend) | null;
  /** The slow tokenizer of the folder's files, with what its constructor is given. */
  slow(given: GivenSettings): SlowTokenizer;
  convert(slow: SlowTokenizer): Backend;
}

export interface FastTokenizer {
  readonly name: string;
  readonly backend: Backend;
  readonly special: SpecialTokens;
  readonly settings: TokenizerSettings;
}

/** Builds one. `slowGiven` are the settings read anew, for the slow tokenizer when there is no tokenizer.json. */
export function buildFastTokenizer(
  name: string,
  source: BackendSource,
  given: GivenSettings,
  slowGiven: () => GivenSettings,
): FastTokenizer {
  const settings = withDefaults(name, given.settings);
  prepare[name]?.(settings);
  const own = new Map(settings);
  let slow: SlowTokenizer | null = null;
  if (source.read === null) slow = source.slow(slowGiven());
  else if (needsSlow(name, settings)) slow = source.slow({ settings, added: new Map() });
  const backend = slow === null ? source.read!() : source.convert(slow);
  for (const [key, value] of slow?.settings ?? []) settings.set(key, value);
  takeOver(backend, settings);
  const special = new SpecialTokens(settings);
  addTokens(backend, given.added, special);
  setPrefixSpace(backend, own.has("add_prefix_space") ? own.get("add_prefix_space")! : false);
  finish(name, { backend, special, settings: own });
  return { name, backend, special, settings };
}

/** What some constructors do to their arguments first. */
const prepare: Readonly<Record<string, (settings: TokenizerSettings) => void>> = {
  T5TokenizerFast: prepareSentinels,
  MT5TokenizerFast: prepareSentinels,
  CodeLlamaTokenizerFast: prepareInfilling,
  XGLMTokenizerFast: prepareMadeUpWords,
  LlamaTokenizerFast(settings) {
    if ((settings.get("legacy") ?? null) === null) settings.set("legacy", true);
  },
};

/** `from_slow` asks for a new conversion, and so does `add_prefix_space` with Llama and T5, tokenizer.json or not. */
export function needsSlow(name: string, settings: TokenizerSettings): boolean {
  if (settings.get("from_slow") === true) return true;
  return /^(Llama|M?T5)TokenizerFast$/.test(name) && (settings.get("add_prefix_space") ?? null) !== null;
}

/** TokenizerSettings that tokenizer.json brings along when no other file has them. */
function takeOver({ parts: { truncation, padding } }: Backend, settings: TokenizerSettings): void {
  const setDefault = (key: string, value: Json | undefined) => {
    if (!settings.has(key) && value !== undefined) settings.set(key, value);
  };
  const lower = (value: Json | undefined) => (typeof value === "string" ? value.toLowerCase() : value);
  if (truncation !== null) setDefault("truncation_side", lower(truncation.direction) ?? "right");
  if (padding === null) return;
  setDefault("pad_token", padding.pad_token);
  setDefault("padding_side", lower(padding.direction));
}

/** Adds the tokens that files list, in the order of their numbers, and special tokens that are not among them. */
function addTokens(backend: Backend, added: ReadonlyMap<number, AddedTokenSetting>, special: SpecialTokens): void {
  const listed = [...added].sort(([a], [b]) => a - b).map(([, token]) => token);
  const known = new Set(listed.map(({ content }) => content));
  const isNew = (token: SpecialTokenSetting) =>
    typeof token === "string"
      ? !known.has(token) && !backend.added.has(token)
      : !listed.some((other) => other.equals(token));
  const all = special.all();
  const texts = new Set(all.map(contentOf));
  const tokens = [...listed, ...all.filter(isNew)].map((token) => {
    if (typeof token === "string") return new AddedTokenSetting(token, { special: true });
    token.special ||= texts.has(token.content);
    return token;
  });
  backend.added.add(tokens);
}

/** GPT-2's pre-tokenizer follows `add_prefix_space`, which is off where nothing sets it, whatever its file says. */
function setPrefixSpace(backend: Backend, value: Setting): void {
  const { pre_tokenizer: part } = backend.parts;
  if (part?.type !== "ByteLevel" || typeof value !== "boolean") return;
  backend.parts.pre_tokenizer = { ...part, add_prefix_space: value };
}
