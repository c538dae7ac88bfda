/** What calling a tokenizer does: texts to ids with a mask, cut and filled up to one length, as transformers' `__call__` does it. */
import { anything, callOptions, camelKeys, expectArgument } from "../core/call-options.ts";
import { FormatError, StateError } from "../core/errors.ts";
import { flag, type Options, option, wholeOrNull } from "../core/options.ts";
import type { TokenEncoding } from "../tokenizers/encoding.ts";
import type { JsonTokenizer } from "../tokenizers/json-tokenizer.ts";
import { pad } from "../tokenizers/padding.ts";
import type { TruncationRule } from "../tokenizers/truncation.ts";
import type { Truncation } from "./frame.ts";

/** How texts become ids: options of transformers' tokenizers, in camelCase. */
export interface TokenizerCallOptions {
  /** Second texts, one for each text. */
  readonly textPair?: string | readonly string[] | null;
  /** Put what the tokenizer puts around a text, such as [CLS]; on by default. */
  readonly addSpecialTokens?: boolean;
  /** Fill up to the longest text (true), or to `maxLength`. */
  readonly padding?: boolean | "longest" | "max_length" | "do_not_pad";
  /** Cut to `maxLength`, or to the most that the model takes. On where only `maxLength` is given, as in transformers. */
  readonly truncation?: boolean | Truncation | "do_not_truncate" | null;
  readonly maxLength?: number | null;
  readonly padToMultipleOf?: number | null;
  /** Give token types; by default where the model reads them. */
  readonly returnTokenTypeIds?: boolean | null;
}

/** Tokens for a model: lists of one text, or lists of lists of several. */
export interface BatchEncoding<T extends readonly number[] | readonly number[][] = number[][]> {
  readonly inputIds: T;
  /** 1 for a token, 0 for padding. */
  readonly attentionMask: T;
  /** Which part of the input a token belongs to. */
  readonly tokenTypeIds?: T;
}

/** How a tokenizer is called. */
export interface TokenizerCall {
  (text: string, options?: TokenizerCallOptions): BatchEncoding<number[]>;
  (texts: readonly string[], options?: TokenizerCallOptions): BatchEncoding<number[][]>;
}

/** What the files of a tokenizer say about calls. */
export interface CallSettings {
  readonly name: string;
  readonly padTokenId: number | null;
  readonly padsLeft: boolean;
  readonly truncatesLeft: boolean;
  /** The most tokens that the model takes, where the files say it. */
  readonly modelMaxLength: number | null;
}

const paddings = [true, false, "longest", "max_length", "do_not_pad"];
const strategies = { longest_first: "LongestFirst", only_first: "OnlyFirst", only_second: "OnlySecond" } as const;
const truncations = [true, false, null, "do_not_truncate", ...Object.keys(strategies)];
const among = (known: readonly unknown[]) => (value: unknown) => known.includes(value);
const oneOf = (known: readonly unknown[]) => option<unknown>(null, `one of ${known.join(", ")}`, among(known));

const options = {
  textPair: anything(),
  addSpecialTokens: flag(true),
  padding: oneOf(paddings),
  truncation: oneOf(truncations),
  maxLength: wholeOrNull(1),
  padToMultipleOf: wholeOrNull(1),
  returnTokenTypeIds: oneOf([true, false, null]),
} satisfies Options;

/** Tokenizes a text or several, with token types if `isTyped`. Options may be spelled as in Python. */
export function callTokenizer(
  json: JsonTokenizer,
  settings: CallSettings,
  isTyped: boolean,
  text: unknown,
  given: TokenizerCallOptions = {},
): BatchEncoding<number[]> | BatchEncoding<number[][]> {
  const call = camelKeys(given) as TokenizerCallOptions;
  callOptions("tokenizer", options, call);
  const texts = textsOf("the text", text);
  const pairs = call.textPair === undefined || call.textPair === null ? null : textsOf("textPair", call.textPair);
  if (pairs !== null && (pairs.length !== texts.length || Array.isArray(text) !== Array.isArray(call.textPair)))
    throw new FormatError(`tokenizer: textPair has ${pairs.length} texts for ${texts.length}, expected one for each`);
  const { addSpecialTokens = true } = call;
  const truncation = truncationOf(call, settings);
  const made = texts.map((each, i) =>
    json.encode(each, pairs?.[i] ?? null, { addSpecialTokens, truncation, padding: null }),
  );
  const filled = padded(made, call, settings);
  const lists = (list: (encoding: TokenEncoding) => number[]) => {
    const all = filled.map(list);
    return Array.isArray(text) ? all : all[0]!;
  };
  const typed = call.returnTokenTypeIds ?? isTyped;
  return {
    inputIds: lists(({ ids }) => ids),
    ...(typed && { tokenTypeIds: lists(({ typeIds }) => typeIds) }),
    attentionMask: lists(({ attentionMask }) => attentionMask),
  } as BatchEncoding<number[]> | BatchEncoding<number[][]>;
}

function textsOf(what: string, texts: unknown): string[] {
  const list: unknown[] = [texts].flat();
  const ok = list.every((each) => typeof each === "string");
  expectArgument(
    "tokenizer",
    what,
    ok ? texts : (list.find((each) => typeof each !== "string") ?? texts),
    ok,
    "a text or a list of texts",
  );
  return list as string[];
}

function truncationOf(call: TokenizerCallOptions, settings: CallSettings): TruncationRule | null {
  const { maxLength = null, padding = false, truncation: asked = null } = call;
  const truncation = asked ?? (maxLength !== null && (padding === false || padding === "do_not_pad"));
  if (truncation === false || truncation === "do_not_truncate") return null;
  const most = maxLength ?? settings.modelMaxLength;
  if (most === null) return null; // as transformers: nothing says how long is too long
  const strategy = strategies[truncation === true ? "longest_first" : truncation];
  return { maxLength: most, strategy, stride: 0, direction: settings.truncatesLeft ? "Left" : "Right" };
}

function padded(made: TokenEncoding[], call: TokenizerCallOptions, settings: CallSettings): TokenEncoding[] {
  const { padding = false, maxLength = null, padToMultipleOf: multipleOf = null } = call;
  if (padding === false || padding === "do_not_pad") return made;
  const length = padding === "max_length" ? (maxLength ?? settings.modelMaxLength) : null;
  if (padding === "max_length" && length === null) return made;
  const { padTokenId: id, name, padsLeft } = settings;
  if (id === null) throw new StateError(`tokenizer: ${name} names no padding token ("pad_token"), which padding needs`);
  return pad(made, { length, direction: padsLeft ? "Left" : "Right", multipleOf, id, typeId: 0, token: "" });
}
