/**
 * Sums of several adapters' values after pruning each one: magnitude pruning, DARE (Yu et al. 2024, "Language models
 * are super Mario") and TIES (Yadav et al. 2023), with the steps in PEFT's order: prune, elect signs, weight, sum.
 */

/** How each rule prunes an adapter before the sum, and whether signs are elected. */
export const RULES = {
  linear: { keep: "all", elect: false },
  ties: { keep: "largest", elect: true },
  dare_linear: { keep: "random", elect: false },
  dare_ties: { keep: "random", elect: true },
  magnitude_prune: { keep: "largest", elect: false },
} as const;
/** The name of a rule for combining adapters. */
export type Rule = keyof typeof RULES;
export type MajoritySign = "total" | "frequency";

export interface SumOptions {
  /** The fraction of the values to keep, above 0 and at most 1: required for pruning. */
  readonly density?: number | null;
  /**
   * The sign of a position is that of the sum there (`total`, the default), or the more frequent one. Ties give plus.
   */
  readonly majoritySign?: MajoritySign;
  /** Numbers in [0, 1) for the rules with dare: one per value of each tensor, in order. */
  readonly random: () => number;
}

/** Σ wᵢ·tensorᵢ after the rule's pruning, or the mean of those with the elected sign: tensors of equal length. */
export function prunedSum(
  tensors: readonly Float32Array[],
  weights: readonly number[],
  rule: Rule,
  { density, majoritySign, random }: SumOptions,
): Float32Array {
  const { keep, elect } = RULES[rule];
  const pruned = tensors.map((values) => {
    if (keep === "all" || density! >= 1) return values;
    return keep === "largest" ? keepLargest(values, density!) : keepRandom(values, density!, random);
  });
  return elect ? meanOfElected(pruned, weights, majoritySign ?? "total") : weightedSum(pruned, weights);
}

/** Zero except for the ⌊density·n⌋ values of largest magnitude; of equal ones, the first. */
function keepLargest(values: Float32Array, density: number): Float32Array {
  const kept = Math.floor(density * values.length);
  const sizes = values.map(Math.abs).sort();
  const least = sizes[values.length - kept] ?? Infinity;
  let equals = kept - sizes.reduce((count, size) => count + (size > least ? 1 : 0), 0);
  return values.map((x) => {
    if (Math.abs(x) === least) return equals-- > 0 ? x : 0;
    return Math.abs(x) > least ? x : 0;
  });
}

/** Keeps each value with probability `density` and divides it by `density`, so that the mean is preserved. */
function keepRandom(values: Float32Array, density: number, random: () => number): Float32Array {
  return values.map((x) => (random() < density ? x / density : 0));
}

/** Σ wᵢ·tensorᵢ. */
export function weightedSum(tensors: readonly Float32Array[], weights: readonly number[]): Float32Array {
  return tensors[0]!.map((_, i) => tensors.reduce((sum, values, t) => sum + weights[t]! * values[i]!, 0));
}

/** At each position, the mean of the weighted values whose sign, before weighting, is the elected one. */
function meanOfElected(tensors: readonly Float32Array[], weights: readonly number[], by: MajoritySign): Float32Array {
  return tensors[0]!.map((_, i) => {
    const here = tensors.map((values) => values[i]!);
    const votes = here.reduce((sum, x) => sum + (by === "total" ? x : Math.sign(x)), 0);
    const elected = votes >= 0 ? 1 : -1;
    let [sum, count] = [0, 0];
    for (const [t, x] of here.entries()) {
      if (Math.sign(x) !== elected) continue;
      sum += weights[t]! * x;
      count++;
    }
    return sum / Math.max(count, 1);
  });
}
