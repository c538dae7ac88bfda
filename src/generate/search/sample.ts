/** Picks the next token from scores. */
import type { Philox } from "../../core/random/philox.ts";
import { argmax } from "../../core/scores.ts";
import { softmax } from "../processors/softmax.ts";

/** One id drawn from softmax(scores). One whose score is -Infinity is never drawn. */
export function sample(scores: Float32Array, random: Philox): number {
  const probabilities = softmax(scores);
  let left = random.uniform() * probabilities.reduce((sum, p) => sum + p, 0);
  let last = argmax(scores);
  for (let id = 0; id < probabilities.length; id++) {
    if (probabilities[id] === 0) continue;
    left -= probabilities[id]!;
    last = id;
    if (left < 0) return id;
  }
  return last;
}
