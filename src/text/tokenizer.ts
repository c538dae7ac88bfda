/**
 * Text to token numbers and back, as Hugging Face's fast tokenizers do it: `tokenizer.json` says how, and
 * `tokenizer_config.json` beside it names the special tokens and holds the chat template.
 */
import { openSource, type SourceLike } from "../checkpoint/open.ts";
import { FormatError, UnsupportedError } from "../core/errors.ts";
import type { Source } from "../core/host.ts";
import { type Json, parseJson } from "../core/python-json.ts";
import { JsonTokenizer } from "../tokenizers/json-tokenizer.ts";
import { ChatTemplate, type Message, type RenderOptions, type Span } from "./chat.ts";
import { cleanUpSpaces } from "./clean-up-spaces.ts";
import { type EncodeOptions, type Encoding, frame } from "./frame.ts";
import { type Offsets, offsetsInUnits } from "./offsets.ts";
import { StreamDecoder, type StreamDecoderOptions } from "./stream-decoder.ts";

type JsonObject = Readonly<Record<string, Json>>;

/** Parsed files of a tokenizer. Only the first is needed to encode and decode. */
export interface TokenizerFiles {
  /** Contents of tokenizer.json. */
  readonly tokenizer: JsonObject;
  /** Contents of tokenizer_config.json. */
  readonly config?: JsonObject;
  /** Contents of special_tokens_map.json, generation_config.json and config.json, the first to be asked first. */
  readonly fallbacks?: readonly JsonObject[];
  /** A Jinja template; it goes before the one in tokenizer_config.json. */
  readonly chatTemplate?: string;
}

/** Tokens, of which some are to be learnt: `labels[i]` is `inputIds[i]` there, and -100 (no loss) elsewhere. */
export interface Labelled {
  readonly inputIds: number[];
  readonly labels: number[];
}

/** Words as tokens: `wordIds[i]` is the word that token i is a part of, null for a special token. */
export interface WordEncoding extends Encoding {
  readonly wordIds: (number | null)[];
}

const SPECIAL_NAMES = [
  "bos_token",
  "eos_token",
  "unk_token",
  "sep_token",
  "pad_token",
  "cls_token",
  "mask_token",
] as const;
const IGNORED = -100;
/** Classes that in transformers put <s> and </s> themselves, by `add_bos_token` and `add_eos_token`. */
const ADDS_BY_CONFIG = /^(Code)?Llama(Tokenizer|TokenizerFast)$|^Gemma(Tokenizer|TokenizerFast)$/;

/** The tokenizer of a folder: see `AutoTokenizer`. */
export async function loadTokenizer(from: SourceLike): Promise<Tokenizer> {
  const source = openSource(from);
  const tokenizer = await readTokenizerJson(source);
  const config = await readObject(source, "tokenizer_config.json");
  const fallbacks: JsonObject[] = [];
  for (const file of ["special_tokens_map.json", "generation_config.json", "config.json"]) {
    fallbacks.push(await readObject(source, file));
  }
  const chatTemplate = await readChatTemplate(source);
  return new Tokenizer(source.name, { tokenizer, config, fallbacks, ...(chatTemplate !== null && { chatTemplate }) });
}

/** One tokenizer. Token numbers index the rows of the model's embedding. */
export class Tokenizer {
  /** What messages call it. */
  readonly name: string;
  /** Begins a text, ends one, fills up a batch: null where the files name none. */
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
  readonly padTokenId: number | null;
  /** Stands for the whole text in front of it, as [CLS] does; null where the files name none. */
  readonly clsTokenId: number | null;
  /** Tokens at which generation stops: `eosTokenId` and those that generation_config.json adds. */
  readonly stopTokenIds: readonly number[];
  /** One more than the highest token number. A model's embedding may have more rows than that. */
  readonly vocabSize: number;
  readonly #json: JsonTokenizer;
  readonly #cleanUp: boolean;
  readonly #template: ChatTemplate | null;
  /** What is put before a word that is given alone, so that it is one inside a text. */
  readonly #wordPrefix: string;
  readonly #truncatesLeft: boolean;

  /** Throws FormatError when the parts of the files do not fit each other. */
  constructor(name: string, { tokenizer, config = {}, fallbacks = [], chatTemplate }: TokenizerFiles) {
    this.name = name;
    this.#json = build(name, tokenizer, config);
    this.#cleanUp = config.clean_up_tokenization_spaces === true;
    this.vocabSize = this.#json.idEnd;

    const settings = [config, ...fallbacks];
    const idOf = (which: string) => tokenId(this.#json, settings, which);
    this.bosTokenId = idOf("bos_token");
    this.eosTokenId = idOf("eos_token");
    this.padTokenId = idOf("pad_token");
    this.clsTokenId = idOf("cls_token");
    this.#wordPrefix = splitsAtBlanks(tokenizer.pre_tokenizer) ? " " : "";
    this.#truncatesLeft = config.truncation_side === "left";
    const stops = fallbacks.flatMap((file) => file.eos_token_id ?? []).filter((id) => typeof id === "number");
    this.stopTokenIds = [...new Set([...(this.eosTokenId === null ? [] : [this.eosTokenId]), ...stops])];

    const template = chatTemplate ?? defaultTemplate(config.chat_template);
    const label = `the chat template of ${name}`;
    this.#template = template === null ? null : new ChatTemplate(label, template, namedTokens(settings));
  }

  /** Token numbers of `text`; with what the tokenizer puts around one, such as <s>, if `addSpecialTokens`. */
  encode(text: string, { addSpecialTokens = true }: { addSpecialTokens?: boolean } = {}): number[] {
    return this.#json.ids(text, { addSpecialTokens });
  }

  /**
   * A text or a pair with the special tokens around it, cut to `maxLength` as transformers does. Decoder-only tokenizers
   * without a template for pairs put one after the other.
   *
   * @example
   * const { inputIds, tokenTypes } = tokenizer.encodePair("Is it white?", "The whale is.", { maxLength: 128 });
   */
  encodePair(first: string, second: string | null = null, options: EncodeOptions = {}): Encoding {
    const texts = second === null ? [first] : [first, second];
    const ids = texts.map((text) => this.encode(text, { addSpecialTokens: false }));
    return frame(this.#json, ids, options, this.#truncatesLeft);
  }

  /** Words given one by one (transformers' `is_split_into_words`), with the special tokens around them. */
  encodeWords(words: readonly string[], options: EncodeOptions = {}): WordEncoding {
    const ids: number[] = [];
    const wordOf: number[] = [];
    words.forEach((word, w) => {
      for (const id of this.encode(this.#wordPrefix + word, { addSpecialTokens: false })) {
        ids.push(id);
        wordOf.push(w);
      }
    });
    const encoding = frame(this.#json, [ids], options, this.#truncatesLeft);
    return { ...encoding, wordIds: encoding.places.map((place) => wordOf[place] ?? null) };
  }

  /**
   * The characters [start, end) that each token of `text` stands for, special ones left out: one entry for each of
   * `encode(text, { addSpecialTokens: false })`.
   */
  offsets(text: string): Offsets[] {
    const options = { addSpecialTokens: false, truncation: null, padding: null };
    return offsetsInUnits(text, this.#json.encode(text, null, options));
  }

  /** The text of `ids`. Numbers beyond the vocabulary have no text. */
  decode(ids: Iterable<number>, { skipSpecialTokens = false }: { skipSpecialTokens?: boolean } = {}): string {
    const text = this.#json.decode(ids, { skipSpecialTokens });
    return this.#cleanUp ? cleanUpSpaces(text) : text;
  }

  /** Text from tokens as they come. */
  streamDecoder(options: StreamDecoderOptions = {}): StreamDecoder {
    return new StreamDecoder(this, options);
  }

  /** A conversation as the text the model was trained on. Throws UnsupportedError without a chat template. */
  applyChatTemplate(messages: readonly Message[], options: RenderOptions = {}): string {
    return this.#chatTemplate().render(messages, options);
  }

  /**
   * A conversation as tokens, with a label wherever the assistant wrote: its words and what closes its turn. A token
   * that holds characters of both sides counts as the assistant's. Throws FormatError when the template does not let
   * the turns be told apart, UnsupportedError without a chat template.
   */
  encodeChat(messages: readonly Message[], tools: readonly unknown[] | null = null): Labelled {
    const { text, assistant } = this.#chatTemplate().spans(messages, tools);
    return this.encodeSpans(text, assistant, { addSpecialTokens: false });
  }

  /** `text` as tokens, with a label wherever a token has characters of one of `spans`, and -100 elsewhere. */
  encodeSpans(text: string, spans: readonly Span[], options: { addSpecialTokens?: boolean } = {}): Labelled {
    const inputIds = this.encode(text, options);
    const labels = inputIds.map(() => IGNORED);
    for (const { start, end } of spans) {
      const { whole: first } = shared(this.encode(text.slice(0, start), options), inputIds);
      const { begun: last } = shared(this.encode(text.slice(0, end), options), inputIds);
      for (let i = first; i < last; i++) labels[i] = inputIds[i]!;
    }
    return { inputIds, labels };
  }

  #chatTemplate(): ChatTemplate {
    if (this.#template !== null) return this.#template;
    throw new UnsupportedError(
      `${this.name} has no chat template: neither chat_template.jinja nor one in tokenizer_config.json is there. ` +
        'Use {"prompt", "completion"} rows, or put the template of its instruction-tuned version beside it.',
    );
  }
}

/**
 * `own` are the tokens of the start of a text, `ids` those of all of it: how many of the latter lie wholly inside that
 * start, and how many at least begin there.
 */
function shared(own: readonly number[], ids: readonly number[]): { whole: number; begun: number } {
  let whole = 0;
  while (whole < own.length && own[whole] === ids[whole]) whole++;
  return { whole, begun: whole < own.length ? whole + 1 : whole };
}

/** Makes the tokenizer of the file, with <s> and </s> put as transformers' class for it would. */
function build(name: string, tokenizer: JsonObject, config: JsonObject): JsonTokenizer {
  const adds = typeof config.tokenizer_class === "string" && ADDS_BY_CONFIG.test(config.tokenizer_class);
  try {
    return new JsonTokenizer(adds ? { ...tokenizer, post_processor: postProcessor(tokenizer, config) } : tokenizer);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `"tokenizer.json" in ${name} does not make a tokenizer: ${reason}`;
    throw cause instanceof UnsupportedError
      ? new UnsupportedError(message, { cause })
      : new FormatError(message, { cause });
  }
}

/** Whether a word inside a text begins with the blank before it, and one that is given alone does not (GPT-2, RoBERTa). */
function splitsAtBlanks(preTokenizer: Json | undefined): boolean {
  if (!isObject(preTokenizer)) return false;
  const { type, use_regex: byItself, add_prefix_space: added, pretokenizers } = preTokenizer;
  if (Array.isArray(pretokenizers)) return pretokenizers.some(splitsAtBlanks);
  return type === "ByteLevel" && byItself !== false && added !== true;
}

/** What a Llama or Gemma tokenizer puts around a text: <s> before it unless told not to, </s> after it if told to. */
function postProcessor(tokenizer: JsonObject, config: JsonObject): object {
  const named: Record<string, object> = {};
  const special = (token: string | null) => {
    const id = token === null ? undefined : idIn(tokenizer, token);
    if (token === null || id === undefined) return [];
    named[token] = { id: token, ids: [id], tokens: [token] };
    return [{ SpecialToken: { id: token, type_id: 0 } }];
  };
  const bos = special(config.add_bos_token === false ? null : (tokenText(config.bos_token) ?? "<s>"));
  const eos = special(config.add_eos_token === true ? (tokenText(config.eos_token) ?? "</s>") : null);
  const text = (id: string) => ({ Sequence: { id, type_id: 0 } });
  const single = [...bos, text("A"), ...eos];
  return { type: "TemplateProcessing", single, pair: [...single, ...bos, text("B"), ...eos], special_tokens: named };
}

/** The number of a token, from the file's added tokens and its vocabulary. */
function idIn({ added_tokens: added, model }: JsonObject, token: string): Json | undefined {
  const found = Array.isArray(added) ? added.filter(isObject).find(({ content }) => content === token) : undefined;
  const vocabulary = isObject(model) ? model.vocab : undefined;
  if (Array.isArray(vocabulary)) {
    const at = vocabulary.findIndex((entry) => Array.isArray(entry) && entry[0] === token);
    return at < 0 ? found?.id : at;
  }
  return (isObject(vocabulary) ? vocabulary[token] : undefined) ?? found?.id;
}

/** The number of, say, "bos_token": by its text in the first file that names it, else by "bos_token_id". */
function tokenId(json: JsonTokenizer, settings: readonly JsonObject[], which: string): number | null {
  for (const file of settings) {
    const text = tokenText(file[which]);
    const id = text === null ? undefined : json.tokenToId(text);
    if (id !== undefined) return id;
  }
  for (const file of settings) {
    const id = [file[`${which}_id`] ?? []].flat()[0];
    if (typeof id === "number" && id >= 0) return id; // some write -1 for none
  }
  return null;
}

/** The special tokens' texts, by the names templates know them by. */
function namedTokens(settings: readonly JsonObject[]): Record<string, string> {
  const found = SPECIAL_NAMES.map((name) => [
    name,
    settings.map((file) => tokenText(file[name])).find((text) => text !== null),
  ]);
  return Object.fromEntries(found.filter(([, text]) => text !== undefined));
}

/** A special token is given as its text, or as an object with its `content`. */
function tokenText(token: Json | undefined): string | null {
  const text = isObject(token) ? token.content : token;
  return typeof text === "string" ? text : null;
}

/** tokenizer_config.json holds one template, or several by name, of which "default" is for plain conversations. */
function defaultTemplate(template: Json | undefined): string | null {
  if (typeof template === "string") return template;
  if (!Array.isArray(template)) return null;
  const chosen = template.filter(isObject).find((entry) => entry.name === "default");
  return typeof chosen?.template === "string" ? chosen.template : null;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** This file has up to 30 MB, so the engine's own parser goes first; ours says where a damaged one is wrong. */
async function readTokenizerJson(source: Source): Promise<JsonObject> {
  const file = "tokenizer.json";
  if (!(await source.has(file))) {
    throw new UnsupportedError(
      `${source.name} has no "${file}", which says how text becomes tokens. Models with only a tokenizer.model or ` +
        "vocab.json get one from `AutoTokenizer.from_pretrained(folder).save_pretrained(folder)` in Python.",
    );
  }
  const text = await readText(source, file);
  const parse = (): Json => {
    try {
      return JSON.parse(text);
    } catch {
      return parseJson(text, `"${file}" in ${source.name}`);
    }
  };
  return expectObject(parse(), source, file);
}

/** A JSON object, empty when the file is not there. */
async function readObject(source: Source, file: string): Promise<JsonObject> {
  if (!(await source.has(file))) return {};
  return expectObject(parseJson(await readText(source, file), `"${file}" in ${source.name}`), source, file);
}

function expectObject(value: Json, source: Source, file: string): JsonObject {
  if (isObject(value)) return value;
  throw new FormatError(`"${file}" in ${source.name} should hold a JSON object`);
}

/** The template from a file of its own, or null. */
async function readChatTemplate(source: Source): Promise<string | null> {
  if (await source.has("chat_template.jinja")) return readText(source, "chat_template.jinja");
  return defaultTemplate((await readObject(source, "chat_template.json")).chat_template);
}

async function readText(source: Source, file: string): Promise<string> {
  return new TextDecoder().decode(await source.read(file));
}
