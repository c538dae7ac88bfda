/** Processors that keep a text from repeating itself or its source. */
import { type LogitsProcessor, setScores } from "./logits-processor.ts";

/** Makes tokens that occurred already less likely: positive scores are divided by the penalty, negative ones multiplied (Keskar et al. 2019). */
export function repetitionPenalty(penalty: number): LogitsProcessor {
  return (ids, scores) => penalize(scores, new Set(ids), penalty);
}

/** Makes the tokens of the source, or of the prompt, more likely by the same rule. */
export function encoderRepetitionPenalty(penalty: number, source: readonly number[]): LogitsProcessor {
  const given = new Set(source);
  return (_, scores) => penalize(scores, given, 1 / penalty);
}

function penalize(scores: Float32Array, ids: ReadonlySet<number>, penalty: number): void {
  for (const id of ids) {
    const score = scores[id]!;
    scores[id] = score < 0 ? score * penalty : score / penalty;
  }
}

/** No run of `size` tokens occurs twice. */
export function noRepeatNgram(size: number): LogitsProcessor {
  return (ids, scores) => setScores(scores, followers(ids, ids, size), Number.NEGATIVE_INFINITY);
}

/** No run of `size` tokens of the source, or of the prompt, is written. */
export function encoderNoRepeatNgram(size: number, source: readonly number[]): LogitsProcessor {
  return (ids, scores) => setScores(scores, followers(source, ids, size), Number.NEGATIVE_INFINITY);
}

/** The ids that follow in `text` wherever it has the last `size` - 1 of `ids`. */
function followers(text: readonly number[], ids: readonly number[], size: number): number[] {
  const tail = size === 1 ? [] : ids.slice(1 - size);
  if (tail.length < size - 1) return [];
  const matches = (start: number) => tail.every((id, i) => text[start + i] === id);
  const starts = Array.from({ length: Math.max(0, text.length - size + 1) }, (_, start) => start);
  return starts.filter(matches).map((start) => text[start + size - 1]!);
}
