import type { Value } from "../../tape/tape.ts";

/**
 * Cross-entropy of the start and end of spans: logits [T, 2] hold a score for each row as a beginning and as an end.
 * Within the rows of sequence s, starts[s] to starts[s + 1], each column is a softmax over rows, and targets[2s],
 * targets[2s + 1] are the correct rows counted from starts[s]; a target outside the sequence is ignored (loss 0).
 * Returns [2 · sequences, 1]. Only a few numbers per token: computed on the host, in f64.
 */
export function spanCrossEntropy(logits: Value, starts: Int32Array, targets: ArrayLike<number>): Value {
  const { tape } = logits;
  const count = 2 * (starts.length - 1);
  const loss = tape.value([count, 1], [logits]);
  const gradient = tape.planning ? null : new Float32Array(logits.shape[0]! * 2);
  if (gradient !== null) {
    const scores = tape.memory.f32(logits.ptr, gradient.length).slice();
    const losses = Float32Array.from({ length: count }, (_, i) => columnLoss(scores, gradient, starts, i, targets[i]!));
    tape.memory.f32(loss.ptr, count).set(losses);
  }
  tape.record(loss, [], (dloss) => {
    const to = tape.gradient(logits);
    if (gradient === null) return;
    const seeds = tape.memory.f32(dloss, count).slice();
    const values = tape.memory.f32(to, gradient.length);
    eachRow(starts, (s, row) => {
      for (const column of [0, 1]) values[2 * row + column]! += seeds[2 * s + column]! * gradient[2 * row + column]!;
    });
  });
  return loss;
}

/** The loss of one column in one sequence; writes softmax − onehot into `gradient`. */
function columnLoss(
  scores: Float32Array,
  gradient: Float32Array,
  starts: Int32Array,
  i: number,
  target: number,
): number {
  const [s, column] = [i >> 1, i & 1];
  const [start, end] = [starts[s]!, starts[s + 1]!];
  if (target < 0 || start + target >= end) return 0;
  let largest = Number.NEGATIVE_INFINITY;
  for (let row = start; row < end; row++) largest = Math.max(largest, scores[2 * row + column]!);
  let sum = 0;
  for (let row = start; row < end; row++) sum += Math.exp(scores[2 * row + column]! - largest);
  for (let row = start; row < end; row++) {
    gradient[2 * row + column] = Math.exp(scores[2 * row + column]! - largest) / sum - Number(row - start === target);
  }
  return largest + Math.log(sum) - scores[2 * (start + target) + column]!;
}

function eachRow(starts: Int32Array, visit: (sequence: number, row: number) => void): void {
  for (let s = 0; s + 1 < starts.length; s++) for (let row = starts[s]!; row < starts[s + 1]!; row++) visit(s, row);
}
