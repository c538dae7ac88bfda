/**
 * Rows for QUESTION_ANS: [CLS] question [SEP] context [SEP], of which only the context is cut, and the positions of the
 * first and last token of the first answer. A question without an answer, or whose answer was cut off, has the position
 * of [CLS] twice. A context is cut once, not spread over several examples.
 */
import type { Offsets } from "../text/offsets.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type EncodeRowsOptions, type Example, inputOf, lengthLimit } from "./example.ts";
import type { Answer } from "./read-row.ts";
import type { Row } from "./rows.ts";

/** An example, what is wrong with the row, or null for a kind that does not fit. */
export function encodeAnswer(
  row: Row,
  tokenizer: () => Tokenizer,
  options: EncodeRowsOptions,
): Example | string | null {
  if (row.kind !== "question") return null;
  const { question, context, answers } = row;
  if (answers === null && !options.unlabelled) return 'has no "answers" (an empty list means that there is none)';
  const encoder = tokenizer();
  const maxLength = lengthLimit(options);
  const encoding = encoder.encodePair(question.trimStart(), context, { maxLength, truncation: "only_second" });
  const characters = encoder.offsets(context);
  const { inputIds, sequenceIds, places } = encoding;
  const offsets = sequenceIds.map((sequence, i) => (sequence === 1 ? characters[places[i]!]! : null));
  if (!offsets.some((range) => range !== null) || inputIds.length > (maxLength ?? inputIds.length)) {
    return `leaves no room for the context: question and context are cut to ${maxLength} tokens`;
  }
  const labels = answers === null ? [] : positionsOf(answers[0], context, offsets, emptyPosition(inputIds, encoder));
  const answer = { context, offsets, texts: (answers ?? []).map(({ text }) => text) };
  return { ...inputOf(encoding), labels: Int32Array.from(labels), answer };
}

/** Where the model points when there is no answer: at [CLS], or at the beginning. */
function emptyPosition(inputIds: readonly number[], { clsTokenId, bosTokenId }: Tokenizer): number {
  const found = [clsTokenId, bosTokenId].map((id) => (id === null ? -1 : inputIds.indexOf(id)));
  return found.find((at) => at >= 0) ?? 0;
}

function positionsOf(
  answer: Answer | undefined,
  context: string,
  offsets: readonly (Offsets | null)[],
  empty: number,
): [first: number, last: number] {
  const first = offsets.findIndex((range) => range !== null);
  const last = offsets.findLastIndex((range) => range !== null);
  if (answer === undefined) return [empty, empty];
  const start = codeUnits(context, answer.start);
  const end = start + answer.text.length;
  if (offsets[first]![0] > start || offsets[last]![1] < end) return [empty, empty];
  const begins = offsets.findLastIndex((range) => range !== null && range[0] <= start);
  const ends = offsets.findIndex((range) => range !== null && range[1] >= end);
  return [begins, ends];
}

/** Code points counted as UTF-16 code units. */
function codeUnits(text: string, codePoints: number): number {
  let at = 0;
  for (let i = 0; i < codePoints; i++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return at;
}
