/** Processors for drawing alone: they flatten the distribution, or cut off what is unlikely. Each keeps at least one token. */

import { argmax } from "../../core/scores.ts";
import type { LogitsProcessor } from "./logits-processor.ts";
import { softmax } from "./softmax.ts";

const CUT = Number.NEGATIVE_INFINITY;

/** Divides scores by a number above 0. */
export function temperature(value: number): LogitsProcessor {
  return (_, scores) => {
    for (let id = 0; id < scores.length; id++) scores[id]! /= value;
  };
}

/** Keeps the k largest scores, and those that equal the last of them. */
export function topK(k: number): LogitsProcessor {
  return (_, scores) => {
    if (k >= scores.length) return;
    const least = scores.slice().sort()[scores.length - k]!;
    cut(scores, (id) => scores[id]! < least);
  };
}

/** Cuts off the least likely tokens whose probabilities together are at most 1 - p (Holtzman et al. 2020). */
export function topP(p: number): LogitsProcessor {
  return (_, scores) => {
    const probabilities = softmax(scores);
    const order = ascending(scores);
    let reached = 0;
    for (const id of order.slice(0, -1)) {
      reached += probabilities[id]!;
      if (reached > 1 - p) return;
      scores[id] = CUT;
    }
  };
}

/** Cuts off tokens that are less likely than this share of the likeliest (Nguyen et al. 2024). */
export function minP(share: number): LogitsProcessor {
  return (_, scores) => {
    const probabilities = softmax(scores);
    const best = argmax(scores);
    const least = Math.fround(share) * probabilities[best]!;
    cut(scores, (id) => id !== best && probabilities[id]! < Math.fround(least));
  };
}

/**
 * Keeps the tokens whose surprise is nearest to the entropy, until their probabilities reach the mass (Meister et al. 2022). Those
 * as near as the last of them stay too.
 */
export function typicalP(mass: number): LogitsProcessor {
  return (_, scores) => {
    const probabilities = softmax(scores);
    const expected = entropy(probabilities);
    const distances = Float32Array.from(probabilities, (p) => Math.abs(-Math.log(p) - expected));
    const order = ascending(distances);
    let last = 0;
    for (let reached = 0; last < order.length - 1; last++) {
      reached += probabilities[order[last]!]!;
      if (reached >= mass) break;
    }
    const farthest = distances[order[last]!]!;
    cut(scores, (id) => id !== order[0] && distances[id]! > farthest);
  };
}

/** Cuts off tokens of a smaller probability (Hewitt et al. 2022). */
export function epsilonCutoff(epsilon: number): LogitsProcessor {
  return (_, scores) => cutBelow(scores, softmax(scores), epsilon);
}

/** The same with the smaller of epsilon and √epsilon · e^-entropy. */
export function etaCutoff(epsilon: number): LogitsProcessor {
  return (_, scores) => {
    const probabilities = softmax(scores);
    cutBelow(scores, probabilities, Math.min(epsilon, Math.sqrt(epsilon) * Math.exp(-entropy(probabilities))));
  };
}

function cutBelow(scores: Float32Array, probabilities: Float32Array, least: number): void {
  const largest = scores[argmax(scores)]!;
  cut(scores, (id) => probabilities[id]! < Math.fround(least) && scores[id]! < largest);
}

function cut(scores: Float32Array, goes: (id: number) => boolean): void {
  const gone = Array.from(scores.keys()).filter(goes);
  for (const id of gone) scores[id] = CUT;
}

/** Ids in the order of their values, the smallest first. */
function ascending(values: Float32Array): number[] {
  return Array.from(values.keys()).sort((a, b) => values[a]! - values[b]! || a - b || 0);
}

function entropy(probabilities: Float32Array): number {
  return probabilities.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0);
}
