/** Picks the next token from logits. */
import type { Philox } from "../core/philox.ts";

export interface SamplingOptions {
  /** Logits are divided by it; 0 is greedy, the largest logit wins. */
  readonly temperature?: number;
  /** Only the k largest logits stay; 0 is no limit. */
  readonly topK?: number;
  /** Only the most likely tokens whose probabilities reach this sum stay (Holtzman et al. 2020); 1 is no limit. */
  readonly topP?: number;
}

/** The id with the largest logit, the first of equals. */
export function argmax(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

/** One id drawn from softmax(logits / temperature), cut to the top k, then to the top p, as transformers does. */
export function sample(
  logits: Float32Array,
  { temperature = 1, topK = 0, topP = 1 }: SamplingOptions,
  random: Philox,
): number {
  if (temperature === 0) return argmax(logits);
  const order = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]! || a - b);
  const kept = topK > 0 ? order.slice(0, topK) : order;
  const largest = logits[kept[0]!]!;
  const weights = kept.map((id) => Math.exp((logits[id]! - largest) / temperature));
  const total = sum(weights);
  let count = 0;
  for (let reached = 0; count < kept.length && (count === 0 || reached < topP * total); count++)
    reached += weights[count]!;
  let left = random.uniform() * sum(weights.slice(0, count));
  for (let i = 0; i < count; i++) {
    left -= weights[i]!;
    if (left < 0) return kept[i]!;
  }
  return kept[count - 1]!;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
