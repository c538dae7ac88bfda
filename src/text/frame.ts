/**
 * What a tokenizer puts around a text or a pair, and how a pair that is too long is cut: [CLS] a [SEP] b [SEP] with types
 * 0 and 1 for BERT, <s> a </s></s> b </s> for RoBERTa, a </s> for T5. Special tokens are never cut off.
 */
import type { Tokenizer as JsonTokenizer } from "@huggingface/tokenizers";

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

type Slot = { readonly sequence: 0 | 1 | null; readonly id: number; readonly type: number };

/** Stand for the texts while the tokenizer's own template is laid out. No vocabulary has them. */
const TEXTS = ["\u0000first", "\u0000second"];

/** The order of special tokens and texts around one text, or a pair. */
function slotsOf(json: JsonTokenizer, pair: boolean): Slot[] {
  const texts = (pair ? TEXTS : TEXTS.slice(0, 1)).map((text) => [text]);
  const made = json.post_processor?.post_process(texts[0]!, texts[1] ?? null, true);
  const tokens = [...(made?.tokens ?? texts[0]!)];
  if (pair && !tokens.includes(TEXTS[1]!)) tokens.push(TEXTS[1]!); // no template: one after the other
  return tokens.flatMap((token, i): Slot[] => {
    const sequence = TEXTS.indexOf(token);
    const type = made?.token_type_ids?.[i] ?? (sequence === 1 ? 1 : 0);
    if (sequence >= 0) return [{ sequence: sequence as 0 | 1, id: -1, type }];
    const id = json.token_to_id(token);
    return id === undefined ? [] : [{ sequence: null, id, type }];
  });
}

/** Puts special tokens around the ids of one or two texts, which are cut first. `left` cuts at the beginning. */
export function frame(
  json: JsonTokenizer,
  texts: readonly (readonly number[])[],
  { maxLength = null, truncation = "longest_first" }: EncodeOptions,
  left: boolean,
): Encoding {
  const slots = slotsOf(json, texts.length > 1);
  const specials = slots.filter(({ sequence }) => sequence === null).length;
  const lengths = texts.map((ids) => ids.length);
  const kept = maxLength === null ? lengths : cut(lengths, Math.max(0, maxLength - specials), truncation);
  const encoding: Encoding = { inputIds: [], tokenTypes: [], sequenceIds: [], places: [] };
  const push = (id: number, { sequence, type }: Slot, place: number) => {
    encoding.inputIds.push(id);
    encoding.tokenTypes.push(type);
    encoding.sequenceIds.push(sequence);
    encoding.places.push(place);
  };
  for (const slot of slots) {
    if (slot.sequence === null) {
      push(slot.id, slot, -1);
      continue;
    }
    const ids = texts[slot.sequence]!;
    const start = left ? ids.length - kept[slot.sequence]! : 0;
    for (let i = start; i < start + kept[slot.sequence]!; i++) push(ids[i]!, slot, i);
  }
  return encoding;
}

/** How many tokens of each text stay when `room` is left for them, as Hugging Face's tokenizers decide it. */
function cut(lengths: readonly number[], room: number, truncation: Truncation): number[] {
  const [first = 0, second] = lengths;
  if (second === undefined) return [Math.min(first, room)];
  if (first + second <= room) return [first, second];
  if (truncation === "only_first") return [Math.max(0, room - second), second];
  if (truncation === "only_second") return [first, Math.max(0, room - first)];
  const half = Math.floor(room / 2);
  const shorter = Math.min(first, second);
  if (shorter <= half) return first <= second ? [first, room - first] : [room - second, second];
  return first <= second ? [half, room - half] : [room - half, half];
}

/** RoBERTa's way to put special tokens, as a template: unlike BERT's it knows one type only. Others are as they were. */
export function robertaAsTemplate(processor: unknown): unknown {
  const { type, processors, cls, sep } = (processor ?? {}) as Record<string, unknown>;
  if (type === "Sequence" && Array.isArray(processors)) {
    return { ...(processor as object), processors: processors.map(robertaAsTemplate) };
  }
  if (type !== "RobertaProcessing" || !Array.isArray(cls) || !Array.isArray(sep)) return processor;
  const special = (id: unknown) => ({ SpecialToken: { id, type_id: 0 } });
  const text = (id: string) => ({ Sequence: { id, type_id: 0 } });
  const single = [special(cls[0]), text("A"), special(sep[0])];
  const pair = [...single, special(sep[0]), text("B"), special(sep[0])];
  return { type: "TemplateProcessing", single, pair, special_tokens: {} };
}
