/** Picks the next token from logits. */
import type { ValuesOf } from "../core/options.ts";
import type { Philox } from "../core/philox.ts";
import type { generationOptions } from "./generation-options.ts";

/** Those of the generation options that decide a draw. */
export type Sampling = Pick<ValuesOf<typeof generationOptions>, "temperature" | "topK" | "topP">;

/** The id with the largest logit, the first of equals. */
export function argmax(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

/** One id drawn from softmax(logits / temperature), cut to the top k, then to the top p, as transformers does. */
export function sample(logits: Float32Array, { temperature, topK, topP }: Sampling, random: Philox): number {
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
