/**
 * What a score is beside the product of its query and key: a bias by relative position (Raffel et al. 2020, T5), and −∞ where the query
 * does not see the key. Scores are multiplied by log₂ e. Only pairs that exist are looked up, so the table is never left.
 */
import { endKey, firstKey, Job } from "./job";
import { LOG2_E } from "./softmax";

/** Completes the scores x of query i and of `count` keys from `key`, `step` bytes apart. */
export function completeScores(job: Job, x: usize, step: usize, i: i32, key: i32, count: i32): void {
  const first = min(firstKey(job, i) - key, count), end = max(endKey(job, i) - key, 0);
  if (job.biases) {
    let bias = job.bias + (<usize>(key - job.past - i) << 2);
    for (let p = x, last = x + <usize>min(count, end) * step; p < last; p += step, bias += 4) {
      store<f32>(p, load<f32>(p) + LOG2_E * load<f32>(bias));
    }
  }
  for (let j = 0; j < first; j++) store<f32>(x + <usize>j * step, -Infinity);
  for (let j = end; j < count; j++) store<f32>(x + <usize>j * step, -Infinity);
}
