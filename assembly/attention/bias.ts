/**
 * A bias by relative position (Raffel et al. 2020, T5) on the scores of a tile, and its gradient. Scores lie
 * [key][four queries]; only pairs of a query and a key that exist are looked up, so the table is never left.
 */
import { Job } from "./job";

/** x = scale·x + bias of the distance, for queries i to i + 3 and `count` keys from `key`. */
export function biasScores4(job: Job, x: usize, i: i32, key: i32, count: i32): void {
  const keys = min(count, job.keys - key), rows = min(4, job.queries - i);
  for (let r = 0; r < rows; r++, x += 4) {
    let bias = job.bias + (<usize>(key - job.past - i - r) << 2);
    for (let p = x, end = x + (<usize>keys << 4); p < end; p += 16, bias += 4) {
      store<f32>(p, job.scale * load<f32>(p) + load<f32>(bias));
    }
  }
}

/** dBias[distance] += ds, then ds *= scale, for the same pairs; dBias is that of distance 0 in this head, or 0. */
export function gradientOfBias4(job: Job, dBias: usize, ds: usize, i: i32, key: i32, count: i32): void {
  const keys = min(count, job.keys - key), rows = min(4, job.queries - i);
  for (let r = 0; r < rows; r++, ds += 4) {
    let sum = dBias + (<usize>(key - job.past - i - r) << 2);
    for (let p = ds, end = ds + (<usize>keys << 4); p < end; p += 16, sum += 4) {
      const slope = load<f32>(p);
      if (dBias) store<f32>(sum, load<f32>(sum) + slope);
      store<f32>(p, job.scale * slope);
    }
  }
}
