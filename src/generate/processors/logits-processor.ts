/**
 * Changes the scores [V] of the next token in place: logits, or log-probabilities in beam search. `ids` is everything in front of
 * it: the prompt, or the start token of an encoder-decoder, and what is written so far. A score of -Infinity is never chosen.
 */
export type LogitsProcessor = (ids: readonly number[], scores: Float32Array) => void;

/** Gives these ids one score. */
export function setScores(scores: Float32Array, ids: Iterable<number>, value: number): void {
  for (const id of ids) if (id < scores.length) scores[id] = value;
}
