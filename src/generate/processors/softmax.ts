import { softmax as probabilitiesOf } from "../../core/scores.ts";

/** Probabilities [V] of scores, in float32. A score of -Infinity has probability 0. */
export function softmax(scores: Float32Array): Float32Array {
  return new Float32Array(probabilitiesOf(scores));
}

/** The logarithm of what softmax divides by. */
export function logSumExp(scores: Float32Array): number {
  const largest = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return largest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - largest), 0));
}
