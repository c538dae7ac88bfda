/**
 * What a tokenizer puts around a text or a pair, and how a pair that is too long is cut: [CLS] a [SEP] b [SEP] with types
 * 0 and 1 for BERT, <s> a </s></s> b </s> for RoBERTa, a </s> for T5. Special tokens are never cut off.
 */
import { TokenEncoding } from "../tokenizers/encoding.ts";
import type { JsonTokenizer } from "../tokenizers/json-tokenizer.ts";
import { keptLengths } from "../tokenizers/truncation.ts";

/** Tokens of a text or a pair, ready for a model. All arrays have one entry per token. */
export interface Encoding {
  readonly inputIds: number[];
  /** Which part of the input a token belongs to, 0 or 1: what BERT calls segments. */
  readonly tokenTypes: number[];
  /** The text a token comes from, 0 or 1, and null for a special token. */
  readonly sequenceIds: (0 | 1 | null)[];
  /** Which token of its own text it is, counted from 0 before anything was cut; -1 for a special token. */
  readonly places: number[];
}

/** Which of two texts is cut: the longer one until both are equal and then both, or one of them alone. */
export type Truncation = "longest_first" | "only_first" | "only_second";

/** How to cut a text or a pair. */
export interface EncodeOptions {
  /** Tokens at most, special ones included; nothing is cut without. */
  readonly maxLength?: number | null;
  readonly truncation?: Truncation;
}

/** Puts special tokens around the ids of one or two texts, which are cut first. `left` cuts at the beginning. */
export function frame(
  json: JsonTokenizer,
  texts: readonly (readonly number[])[],
  { maxLength = null, truncation = "longest_first" }: EncodeOptions,
  left: boolean,
): Encoding {
  const lengths = texts.map((ids) => ids.length);
  const room = maxLength === null ? null : Math.max(0, maxLength - json.addedBySpecialTokens(texts.length > 1));
  const kept = room === null ? lengths : cut(lengths, room, truncation);
  const starts = lengths.map((length, i) => (left ? length - kept[i]! : 0));
  const parts = texts.map((ids, i) => {
    const part = new TokenEncoding();
    for (const id of ids.slice(starts[i]!, starts[i]! + kept[i]!)) part.push(id, "", 0, 0, null, i);
    return part;
  });
  const { ids, typeIds, sequenceIds } = json.postProcess(parts, true, null);
  const places = sequenceIds.map((sequence) => (sequence === null ? -1 : starts[sequence]!++));
  return { inputIds: ids, tokenTypes: typeIds, sequenceIds: sequenceIds as Encoding["sequenceIds"], places };
}

/** How many tokens of each text stay when `room` is left for them. A text that alone is cut may vanish. */
function cut(lengths: readonly number[], room: number, truncation: Truncation): number[] {
  if (truncation === "longest_first" || lengths.length === 1) return keptLengths(lengths, room, "LongestFirst");
  const surplus = Math.max(0, lengths[0]! + lengths[1]! - room);
  const index = truncation === "only_first" ? 0 : 1;
  return lengths.map((length, i) => (i === index ? Math.max(0, length - surplus) : length));
}
