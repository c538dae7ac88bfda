/**
 * Text to token numbers and back, as Hugging Face's fast tokenizers do it: `tokenizer.json` says how, and
 * `tokenizer_config.json` beside it names the special tokens and holds the chat template. Both are settled by
 * load-tokenizer.ts, which carries out what the files of a folder say.
 */

import { callOptions } from "../core/call-options.ts";
import { FormatError, UnsupportedError } from "../core/errors.ts";
import { IGNORED } from "../core/labels.ts";
import { isObject, type Json } from "../core/python-json.ts";
import type { TokenEncoding } from "../tokenizers/encoding.ts";
import { JsonTokenizer } from "../tokenizers/json-tokenizer.ts";
import type { TruncationRule } from "../tokenizers/truncation.ts";
import { callTokenizer, type TokenizerCallOptions } from "./call-tokenizer.ts";
import { CallableObject } from "./callable.ts";
import { ChatTemplate, type Message, type RenderOptions, type Span } from "./chat.ts";
import { chatOptions, expectMessages } from "./chat-options.ts";
import { type ChatTemplates, chooseTemplate, configuredTemplates } from "./chat-template-files.ts";
import { cleanUpSpaces } from "./clean-up-spaces.ts";
import { type EncodeOptions, type Encoding, frame } from "./frame.ts";
import { type Offsets, offsetsInUnits } from "./offsets.ts";
import { StreamDecoder, type StreamDecoderOptions } from "./stream-decoder.ts";

/** An object as JSON has it. */
export type TokenizerJson = Readonly<Record<string, Json>>;

/** Parsed files of a tokenizer. Only the first is needed to encode and decode. */
export interface TokenizerFiles {
  /** Contents of tokenizer.json. */
  readonly tokenizer: TokenizerJson;
  /** Contents of tokenizer_config.json. */
  readonly config?: TokenizerJson;
  /** Contents of generation_config.json and config.json, the first to be asked first. */
  readonly fallbacks?: readonly TokenizerJson[];
  /** One Jinja template, or several by name; they go before those in tokenizer_config.json. */
  readonly chatTemplate?: ChatTemplates;
}

/** Tokens, of which some are trained: `labels[i]` is `inputIds[i]` there, and -100 (no loss) elsewhere. */
export interface LabelledIds {
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
/** One tokenizer. Token numbers index the rows of the model's embedding. A call gives a batch: see `TokenizerCall`. */
export class Tokenizer extends CallableObject {
  /** What messages call it. */
  readonly name: string;
  /** Begins a text, ends one, fills up a batch: null where the files name none. */
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
  readonly padTokenId: number | null;
  /** Stands for the whole text in front of it, as [CLS] does; null where the files name none. */
  readonly clsTokenId: number | null;
  /** Stands for what has no token; null where the files name none. */
  readonly unkTokenId: number | null;
  /** Whether the vocabulary marks tokens that continue a word, as WordPiece does with ##. */
  readonly marksSubwords: boolean;
  /** Tokens at which generation stops: `eosTokenId`, and those of generation_config.json or else of config.json. */
  readonly stopTokenIds: readonly number[];
  /** One more than the highest token number. A model's embedding may have more rows than that. */
  readonly vocabSize: number;
  /** The most tokens that the model takes, where the files say it. */
  readonly modelMaxLength: number | null;
  /** Whether a text is cut at its beginning. */
  readonly truncatesLeft: boolean;
  /** Whether padding goes in front of a text. */
  readonly padsLeft: boolean;
  readonly #json: JsonTokenizer;
  readonly #cleanUp: boolean;
  readonly #templates: ChatTemplates | null;
  readonly #templateVariables: Readonly<Record<string, unknown>>;
  /** By their texts. */
  readonly #compiled = new Map<string, ChatTemplate>();
  /** What is put before a word that is given alone, so that it is one inside a text. */
  readonly #wordPrefix: string;
  /** Whether the model is given token types; if not, all are 0. */
  readonly #typed: boolean;

  /** Throws FormatError when the parts of the files do not fit each other. */
  constructor(name: string, { tokenizer, config = {}, fallbacks = [], chatTemplate }: TokenizerFiles) {
    super();
    this.name = name;
    this.#json = build(name, tokenizer);
    this.#cleanUp = config.clean_up_tokenization_spaces === true;
    this.vocabSize = this.#json.idEnd;

    const settings = [config, ...fallbacks];
    const idOf = (which: string) => tokenId(this.#json, settings, which);
    this.bosTokenId = idOf("bos_token");
    this.eosTokenId = idOf("eos_token");
    this.padTokenId = idOf("pad_token");
    this.clsTokenId = idOf("cls_token");
    this.unkTokenId = idOf("unk_token");
    const { continuing_subword_prefix: mark } = (tokenizer.model ?? {}) as TokenizerJson;
    this.marksSubwords = typeof mark === "string" && mark !== "";
    this.#wordPrefix = splitsAtBlanks(tokenizer.pre_tokenizer) ? " " : "";
    this.truncatesLeft = config.truncation_side === "left";
    const inputs = config.model_input_names;
    this.#typed = !Array.isArray(inputs) || inputs.includes("token_type_ids");
    this.modelMaxLength = typeof config.model_max_length === "number" ? config.model_max_length : null;
    this.padsLeft = config.padding_side === "left";
    const ends = fallbacks.find((file) => file.eos_token_id !== undefined && file.eos_token_id !== null)?.eos_token_id;
    const stops = [ends ?? []].flat().filter((id) => typeof id === "number");
    this.stopTokenIds = [...new Set([...(this.eosTokenId === null ? [] : [this.eosTokenId]), ...stops])];

    this.#templates = chatTemplate ?? configuredTemplates(config.chat_template);
    this.#templateVariables = namedTokens(settings);
  }

  protected called(text: unknown, options?: TokenizerCallOptions) {
    return callTokenizer(this.#json, this, this.#typed, text, options);
  }

  /** Whether conversations can be written as text. */
  get hasChatTemplate(): boolean {
    return this.#templates !== null;
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
    const encoding = frame(this.#json, ids, options, this.truncatesLeft);
    return this.#typed ? encoding : { ...encoding, tokenTypes: encoding.tokenTypes.map(() => 0) };
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
    const encoding = frame(this.#json, [ids], options, this.truncatesLeft);
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

  /**
   * A text or a pair with all that is known of its tokens: their texts, words and places in code points. `truncation` cuts it, and
   * the pieces that overflow come along.
   */
  tokens(text: string, pair: string | null = null, truncation: TruncationRule | null = null): TokenEncoding {
    const encoding = this.#json.encode(text, pair, { truncation, padding: null });
    if (!this.#typed) for (const each of [encoding, ...encoding.overflowing]) each.typeIds.fill(0);
    return encoding;
  }

  /** The text of tokens that are given by their own texts, as `tokens` has them. */
  decodeTokens(tokens: readonly string[]): string {
    return this.#json.decodeTokens(tokens);
  }

  /** The text of `ids`. Numbers beyond the vocabulary have no text. */
  decode(ids: Iterable<number>, { skipSpecialTokens = false }: { skipSpecialTokens?: boolean } = {}): string {
    const text = this.#json.decode(ids, { skipSpecialTokens });
    return this.#cleanUp ? cleanUpSpaces(text) : text;
  }

  /** The bytes that a token adds to a text, at a place other than its beginning; null for special tokens. */
  tokenBytes(id: number): Uint8Array | null {
    return this.#json.tokenBytes(id);
  }

  /** Text from tokens as they come. */
  streamDecoder(options: StreamDecoderOptions = {}): StreamDecoder {
    return new StreamDecoder(this, options);
  }

  /**
   * A conversation as the text the model was trained on, or with `tokenize` as its tokens (special ones are the template's
   * own, so none is added). Throws UnsupportedError without a chat template, FormatError where it refuses the messages.
   *
   * @example
   * tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true, variables: { enable_thinking: false } });
   */
  applyChatTemplate(messages: readonly Message[], options?: RenderOptions & { tokenize?: false }): string;
  applyChatTemplate(messages: readonly Message[], options: RenderOptions & { tokenize: true }): number[];
  applyChatTemplate(
    messages: readonly Message[],
    given: RenderOptions & { tokenize?: boolean } = {},
  ): string | number[] {
    callOptions("applyChatTemplate", chatOptions, given);
    expectMessages(messages);
    const { tokenize = false, ...options } = given;
    const text = this.#chatTemplate(options).render(messages, options);
    return tokenize ? this.encode(text, { addSpecialTokens: false }) : text;
  }

  /**
   * A conversation as tokens, with a label wherever the assistant wrote: its words and what closes its turn. A token
   * that holds characters of both sides counts as the assistant's. Throws FormatError when the template does not let
   * the turns be told apart, UnsupportedError without a chat template.
   */
  encodeChat(
    messages: readonly Message[],
    tools: readonly unknown[] | null = null,
    options: Omit<RenderOptions, "tools"> = {},
  ): LabelledIds {
    const all = { ...options, tools };
    const { text, assistant } = this.#chatTemplate(all).spans(messages, all);
    return this.encodeSpans(text, assistant, { addSpecialTokens: false });
  }

  /** `text` as tokens, with a label wherever a token has characters of one of `spans`, and -100 elsewhere. */
  encodeSpans(text: string, spans: readonly Span[], options: { addSpecialTokens?: boolean } = {}): LabelledIds {
    const inputIds = this.encode(text, options);
    const labels = inputIds.map(() => IGNORED);
    for (const { start, end } of spans) {
      const { whole: first } = shared(this.encode(text.slice(0, start), options), inputIds);
      const { begun: last } = shared(this.encode(text.slice(0, end), options), inputIds);
      for (let i = first; i < last; i++) labels[i] = inputIds[i]!;
    }
    return { inputIds, labels };
  }

  #chatTemplate({ chatTemplate = null, tools = null }: RenderOptions): ChatTemplate {
    const text = chooseTemplate(this.name, this.#templates, chatTemplate, tools !== null);
    const known = this.#compiled.get(text);
    if (known !== undefined) return known;
    const made = new ChatTemplate(`the chat template of ${this.name}`, text, this.#templateVariables);
    this.#compiled.set(text, made);
    return made;
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

/** Makes the tokenizer of the file. */
function build(name: string, tokenizer: TokenizerJson): JsonTokenizer {
  try {
    return new JsonTokenizer(tokenizer);
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

/** The number of, say, "bos_token": by its text in the first file that names it, else by "bos_token_id". */
function tokenId(json: JsonTokenizer, settings: readonly TokenizerJson[], which: string): number | null {
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
function namedTokens(settings: readonly TokenizerJson[]): Record<string, unknown> {
  const found = SPECIAL_NAMES.map((name) => [
    name,
    settings.map((file) => tokenText(file[name])).find((text) => text !== null),
  ]);
  const lists = settings.map(({ additional_special_tokens: list }) => (Array.isArray(list) ? list.map(tokenText) : []));
  const additional = lists.find((list) => list.length > 0) ?? [];
  const named = found.filter(([, text]) => text !== undefined && text !== "");
  return Object.fromEntries(additional.length > 0 ? [...named, ["additional_special_tokens", additional]] : named);
}

/** A special token is given as its text, or as an object with its `content`. */
function tokenText(token: Json | undefined): string | null {
  const text = isObject(token) ? token.content : token;
  return typeof text === "string" ? text : null;
}
