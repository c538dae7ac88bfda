/** Probabilities [V] of scores. A score of -Infinity has probability 0. */
export function softmax(scores: Float32Array): Float32Array {
  const largest = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const weights = Float64Array.from(scores, (score) => Math.exp(score - largest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return Float32Array.from(weights, (weight) => weight / total);
}

/** The logarithm of what softmax divides by. */
export function logSumExp(scores: Float32Array): number {
  const largest = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return largest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - largest), 0));
}
