/**
 * A slow tokenizer of transformers as far as its conversion asks for it: settings, special tokens and their numbers. The
 * constructors of its classes decide which tokens are added, and with which flags.
 */
import { FormatError, UnsupportedError } from "../../core/errors.ts";
import { shownJson } from "../../core/python-json.ts";
import { AddedTokenSetting } from "./added-token.ts";
import { classFacts } from "./class-facts.ts";
import type { SentencePieceModel } from "./sentencepiece-model.ts";
import type { GivenSettings } from "./settings.ts";
import { FAIRSEQ_FIRST, pieceVocabulary, type SlowVocabulary, wordVocabulary } from "./slow-vocabulary.ts";
import { ADDITIONAL, type Setting, SpecialTokens, type TokenizerSettings } from "./special-tokens.ts";

/** What the vocabulary files of a slow tokenizer hold. */
export type VocabularyFiles =
  | { readonly kind: "words"; readonly vocab: ReadonlyMap<string, number> }
  | { readonly kind: "bpe"; readonly vocab: ReadonlyMap<string, number>; readonly merges: readonly [string, string][] }
  | { readonly kind: "pieces"; readonly model: SentencePieceModel };

export class SlowTokenizer {
  readonly name: string;
  readonly files: VocabularyFiles;
  /** Arguments, and defaults where there were none. Tokens in it are copies, as they were before any was added. */
  readonly settings: TokenizerSettings;
  readonly special: SpecialTokens;
  readonly #vocabulary: SlowVocabulary;
  readonly #tokens = new Map<number, AddedTokenSetting>();
  readonly #ids = new Map<string, number>();

  constructor(name: string, files: VocabularyFiles, { settings, added }: GivenSettings) {
    this.name = name;
    this.files = files;
    const given = withDefaults(name, settings);
    const own = ownTokens(name, given, files);
    const last = name === "CamembertTokenizer" ? own : []; // here the class's tokens overrule those of the files
    for (const [id, token] of new Map([...own, ...added, ...last])) this.#set(id, token);
    prepare[name]?.(given);
    this.#vocabulary = vocabularyOf(name, files);
    this.settings = new Map([...given].map(([key, value]) => [key, copied(value)]));
    this.special = new SpecialTokens(given);
    this.#addSpecialTokens();
  }

  /** The number of a token, of the unknown token if it is not known, or null. */
  idOf(token: string | null): number | null {
    if (token === null) return null;
    const id = this.#ids.get(token);
    if (id !== undefined) return id;
    const unknown = this.special.textOf("unk_token");
    return this.#vocabulary.idOf(token, unknown === null || unknown === token ? null : this.idOf(unknown));
  }

  /** The token of a number, or null. */
  tokenAt(id: number): string | null {
    return this.#tokens.get(id)?.content ?? this.#vocabulary.tokenAt(id);
  }

  /** The text and the number of, say, "cls_token". Throws UnsupportedError when there is none. */
  numbered(which: string): readonly [string, number] {
    return this.numberedText(this.special.textOf(which), which);
  }

  /** The same for a token that a class names by its text. */
  numberedText(text: string | null, which: string): readonly [string, number] {
    const id = this.idOf(text);
    if (text !== null && id !== null) return [text, id];
    throw new UnsupportedError(`${this.name} cannot be converted: its ${which} is not set, or not in its vocabulary`);
  }

  #set(id: number, token: AddedTokenSetting): void {
    this.#tokens.set(id, token);
    this.#ids.set(token.content, id);
  }

  /** Special tokens become added tokens; those that no vocabulary has get numbers behind it. */
  #addSpecialTokens(): void {
    const base = [...this.#vocabulary.entries(this.#tokens)];
    const added = [...this.#tokens].sort(([a], [b]) => a - b).map(([id, token]) => [token.content, id] as const);
    const overruled = this.name === "MPNetTokenizer"; // here the vocabulary overrules numbers that files give
    const vocabulary = new Map(overruled ? [...added, ...base] : [...base, ...added]);
    for (const token of this.special.all()) {
      if (typeof token === "string" && this.#ids.has(token)) continue;
      const own =
        typeof token === "string" ? new AddedTokenSetting(token, { special: true, normalized: false }) : token;
      own.settle(true);
      const id = vocabulary.get(own.content) ?? vocabulary.size;
      vocabulary.set(own.content, id);
      this.#set(id, own);
    }
  }
}

/** Arguments with the class's defaults, special tokens that are only texts with the class's flags. */
export function withDefaults(name: string, settings: TokenizerSettings): TokenizerSettings {
  const { defaults, flags = {} } = classFacts[name]!;
  const given: TokenizerSettings = new Map([...Object.entries(defaults), ...settings]);
  for (const [which, own] of Object.entries(flags)) {
    const token = given.get(which);
    if (typeof token === "string") given.set(which, new AddedTokenSetting(token, own));
  }
  return given;
}

/** What some constructors do to their arguments. */
const prepare: Readonly<Record<string, (given: TokenizerSettings) => void>> = {
  T5Tokenizer: prepareSentinels,
  MT5Tokenizer: prepareSentinels,
  CodeLlamaTokenizer: prepareInfilling,
  XGLMTokenizer: prepareMadeUpWords,
  Qwen2Tokenizer(given) {
    if (given.get("add_prefix_space") !== true) return;
    throw new UnsupportedError(
      'tokenizer_config.json: "add_prefix_space" is true, which transformers refuses for a Qwen2Tokenizer that has no ' +
        "tokenizer.json. Remove the key",
    );
  },
};

function additionalOf(given: TokenizerSettings): Setting[] {
  const tokens = given.get(ADDITIONAL);
  return Array.isArray(tokens) ? [...tokens] : [];
}

/** More sentinels than any model has. */
const MOST_SENTINELS = 10_000;

/** How many `<extra_id_N>` tokens T5 has. Throws FormatError for a setting that is no such number. */
export function sentinelCount(given: TokenizerSettings): number {
  const count: unknown = given.get("extra_ids") ?? 0;
  if (Number.isInteger(count) && (count as number) >= 0 && (count as number) <= MOST_SENTINELS) return count as number;
  const expected = `expected a whole number from 0 to ${MOST_SENTINELS}`;
  throw new FormatError(`tokenizer_config.json: "extra_ids" is ${shownJson(count)}, ${expected}`);
}

/** T5 has `<extra_id_0>` and on, as many as `extra_ids`, unless the additional tokens name some. */
export function prepareSentinels(given: TokenizerSettings): void {
  const additional = additionalOf(given);
  const named = sentinelsIn(additional);
  const count = sentinelCount(given);
  if (named.length === 0) additional.push(...Array.from({ length: count }, (_, i) => `<extra_id_${i}>`));
  else if (count > 0 && count !== named.length) {
    throw new UnsupportedError(
      `tokenizer_config.json: "extra_ids" is ${count}, but "additional_special_tokens" names ${named.length} of the ` +
        `"<extra_id_N>" tokens; expected as many`,
    );
  }
  given.set(ADDITIONAL, additional);
}

function sentinelsIn(additional: readonly Setting[]): Setting[] {
  return additional.filter((token) => textOf(token).includes("<extra_id_"));
}

/** Code Llama's four tokens for text that is filled in. */
export function prepareInfilling(given: TokenizerSettings): void {
  const names = ["prefix_token", "middle_token", "suffix_token", "eot_token"];
  const tokens = names.map((name) => given.get(name) ?? null).filter((token) => token !== null);
  given.set(ADDITIONAL, [...additionalOf(given), ...tokens]);
}

/** XGLM's seven places that no word has. */
export function prepareMadeUpWords(given: TokenizerSettings): void {
  const additional = additionalOf(given);
  const words = Array.from({ length: 7 }, (_, i) => `<madeupword${i}>`);
  given.set(ADDITIONAL, [...additional, ...words.filter((word) => !additional.includes(word))]);
}

function expectText(token: Setting, name: string): string {
  if (typeof token === "string") return token;
  throw new UnsupportedError(`${name} cannot be converted: "pad_token" and "unk_token" have to be set`);
}

function textOf(token: Setting): string {
  return token instanceof AddedTokenSetting ? token.content : String(token);
}

function copied(value: Setting): Setting {
  if (value instanceof AddedTokenSetting) return value.copy();
  return Array.isArray(value) ? (value as readonly Setting[]).map(copied) : value;
}

/** Tokens that the constructor of a class adds whatever it is given, by number. */
function ownTokens(name: string, given: TokenizerSettings, files: VocabularyFiles): [number, AddedTokenSetting][] {
  const special = (token: Setting): AddedTokenSetting =>
    token instanceof AddedTokenSetting ? token : new AddedTokenSetting(expectText(token, name), { special: true });
  if (name === "CamembertTokenizer") {
    const [pad, unk] = [given.get("pad_token") ?? null, given.get("unk_token") ?? null];
    return ["<s>NOTUSED", pad, "</s>NOTUSED", unk, "<unk>NOTUSED"].map((token, id) => [id, special(token)]);
  }
  if ((name !== "T5Tokenizer" && name !== "MT5Tokenizer") || files.kind !== "pieces") return [];
  const all = sentinelCount(given);
  const named = given.get(ADDITIONAL) === null ? all : sentinelsIn(additionalOf(given)).length;
  const flags = { lstrip: true, rstrip: true, special: true, normalized: false };
  const last = files.model.pieces.length - 1 + all;
  return Array.from({ length: named }, (_, i) => [last - i, new AddedTokenSetting(`<extra_id_${i}>`, flags)]);
}

function vocabularyOf(name: string, files: VocabularyFiles): SlowVocabulary {
  if (files.kind !== "pieces") return wordVocabulary(files.vocab);
  const { pieces, unkId } = files.model;
  const size = pieces.length;
  if (name === "XLMRobertaTokenizer") {
    const fixed = [...FAIRSEQ_FIRST, ["<mask>", size + 1] as const];
    return pieceVocabulary(pieces, unkId, { offset: 1, fixed, size: size + 2 });
  }
  if (name === "XGLMTokenizer") {
    const words = Array.from({ length: 7 }, (_, i) => [`<madeupword${i}>`, size + i + 1] as const);
    return pieceVocabulary(pieces, unkId, { offset: 1, fixed: [...FAIRSEQ_FIRST, ...words], size: size + 8 });
  }
  if (name === "DebertaV2Tokenizer") return wordVocabulary(new Map(pieces.map(({ piece }, id) => [piece, id])));
  if (name === "CamembertTokenizer") return pieceVocabulary(pieces, unkId, { offset: 4, size: size + 4 });
  return pieceVocabulary(pieces, unkId);
}
