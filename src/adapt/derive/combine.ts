/**
 * Combines several adapters into one, layer by layer, on the host: PEFT's add_weighted_adapter for LoRA and IA3, and
 * its convert_to_lora. Adapter i, of weight wᵢ, changes the layer by ΔWᵢ = sᵢ·Bᵢ·Aᵢ.
 *
 *   cat      A = the rows of all wᵢsᵢ·Aᵢ, B = the columns of all Bᵢ: exactly Σ wᵢΔWᵢ, of rank Σ rᵢ
 *   linear   A = Σ ±√|wᵢsᵢ|·Aᵢ, B = Σ √|wᵢsᵢ|·Bᵢ: not Σ wᵢΔWᵢ, because B·A also contains the products Bᵢ·Aⱼ
 *   svd      the best approximation of Σ wᵢΔWᵢ of a given rank: B = U·Σ, A = Vᵀ
 *
 * The others prune each adapter before the sum: A and B separately, or ΔW if the name ends in _svd:
 *
 *   magnitude_prune   keeps the largest numbers (a fraction `density` of them)
 *   dare_linear       keeps random numbers, divided by density (Yu et al. 2024, "Language models are super Mario")
 *   ties              keeps the largest, elects a sign per position and averages those that have it (Yadav et al. 2023)
 *   dare_ties         keeps random ones, then elects as ties does
 */

import { FormatError, ShapeError, StateError, UnsupportedError } from "../../core/errors.ts";
import { largestSvd, largestSvdOfProduct, svdOfEnergy } from "../../core/largest-svd.ts";
import { matrix, type Svd } from "../../core/linalg.ts";
import { didYouMean } from "../../core/similar.ts";
import type { Factors } from "../method/factors.ts";
import { type MajoritySign, prunedSum, RULES, type Rule, type SumOptions, weightedSum } from "./pruned-sum.ts";

/** The change of one adapter and its weight; a negative weight subtracts it. */
export interface Part {
  readonly factors: Factors;
  readonly weight: number;
}

/** Names as in PEFT's `combination_type`. */
export type Combination = Rule | "cat" | "svd" | `${Exclude<Rule, "linear">}_svd`;

/** Every combination that `combineFactors` knows. */
export const COMBINATIONS: readonly Combination[] = [
  "linear",
  "cat",
  "svd",
  "ties",
  "ties_svd",
  "dare_linear",
  "dare_linear_svd",
  "dare_ties",
  "dare_ties_svd",
  "magnitude_prune",
  "magnitude_prune_svd",
];
const MAJORITY_SIGNS: readonly MajoritySign[] = ["total", "frequency"];

export interface CombineOptions extends SumOptions {
  readonly combination: Combination;
  /** Rank of the result, for the combinations that end in svd. Default: the largest rank of the parts. */
  readonly rank?: number | null;
  /** Both factors of an SVD are clamped at ± this quantile (0 to 1) of all their numbers. Default: not clamped. */
  readonly svdClamp?: number | null;
}

/**
 * The combination of several adapters in one layer; the scale of the result is 1. A single part is returned times its
 * weight and keeps its rank, for any combination and options.
 *
 * Throws StateError for no parts; ShapeError for layers or factors of unequal shapes, ranks that are unequal where A and
 * B are summed, and a rank that is not a whole number; FormatError for values out of range; UnsupportedError for an
 * unknown name.
 *
 * @example
 * const average = (first: Factors, second: Factors, random: Philox) =>
 *   combineFactors(
 *     [{ factors: first, weight: 0.5 }, { factors: second, weight: 0.5 }],
 *     { combination: "svd", rank: 8, random: () => random.uniform() },
 *   );
 */
export function combineFactors(parts: readonly Part[], options: CombineOptions): Factors {
  expectName("combination", options.combination, COMBINATIONS);
  expectName("majoritySign", options.majoritySign ?? "total", MAJORITY_SIGNS);
  expectParts(parts);
  if (parts.length === 1) return sumOfFactors(parts, "linear", options);
  const { combination } = options;
  if (combination === "cat") return concatenated(parts);
  const rank = expectRank(options.rank ?? Math.max(...parts.map(({ factors }) => factors.r)));
  if (combination === "svd") return approximated(concatenated(parts), rank, options.svdClamp);
  const rule = combination.replace(/_svd$/, "") as Rule;
  if (RULES[rule].keep !== "all") expectShare(`density of "${combination}"`, options.density, false);
  if (rule === combination) return sumOfFactors(parts, rule, options);
  const { outFeatures, inFeatures } = parts[0]!.factors;
  const changes = parts.map(({ factors }) => changeOf(factors));
  const sum = prunedSum(changes, weightsOf(parts), rule, options);
  const most = Math.min(rank, outFeatures, inFeatures);
  return fromSvd(largestSvd(matrix(outFeatures, inFeatures, sum), most), rank, options.svdClamp);
}

/** ΔW = scale·b·a as [outFeatures, inFeatures], summed in double precision. */
export function changeOf({ a, b, r, inFeatures, outFeatures, scale }: Factors): Float32Array {
  const change = new Float32Array(outFeatures * inFeatures);
  const row = new Float64Array(inFeatures);
  for (let o = 0; o < outFeatures; o++) {
    row.fill(0);
    for (let k = 0; k < r; k++) {
      const factor = scale * b[o * r + k]!;
      for (let i = 0; i < inFeatures; i++) row[i]! += factor * a[k * inFeatures + i]!;
    }
    change.set(row, o * inFeatures);
  }
  return change;
}

/**
 * The best low-rank approximation of a change ΔW [outFeatures, inFeatures] of one layer, of scale 1: B = U·Σ, A = Vᵀ. Of
 * the given rank, or of the lowest rank whose singular values hold the fraction `energy` (above 0, at most 1) of Σ σ².
 * Throws ShapeError for a rank that the layer does not have, FormatError for another fraction and for numbers that are
 * not finite.
 */
export function lowRankOf(
  change: Float32Array,
  { outFeatures, inFeatures }: { readonly outFeatures: number; readonly inFeatures: number },
  size: { readonly rank: number } | { readonly energy: number },
): Factors {
  const w = matrix(outFeatures, inFeatures, change);
  if (!change.every(Number.isFinite))
    throw new FormatError("the change of a layer contains a number that is not finite");
  if ("energy" in size) {
    const parts = svdOfEnergy(w, expectShare("energy", size.energy, false));
    return fromSvd(parts, parts.s.length);
  }
  const most = Math.min(outFeatures, inFeatures);
  if (expectRank(size.rank) > most) {
    throw new ShapeError(`rank ${size.rank}: a layer [${outFeatures}, ${inFeatures}] has at most rank ${most}`);
  }
  return fromSvd(largestSvd(w, size.rank), size.rank);
}

/** The weighted sum of a tensor of several adapters: Σ wᵢ·tᵢ. Throws as `combineFactors` does. */
export function combineTensors(
  parts: readonly { readonly values: Float32Array; readonly weight: number }[],
): Float32Array {
  expectSome(parts);
  expectWeights(parts);
  const lengths = parts.map(({ values }) => values.length);
  if (new Set(lengths).size > 1) throw new ShapeError(`tensors of ${lengths.join(", ")} numbers, expected equal ones`);
  return weightedSum(
    parts.map(({ values }) => values),
    parts.map(({ weight }) => weight),
  );
}

/** The rule applied to the a and to the b of all parts; the sign of a negative weight applies only to a. */
function sumOfFactors(parts: readonly Part[], rule: Rule, options: CombineOptions): Factors {
  const ranks = parts.map(({ factors }) => factors.r);
  if (new Set(ranks).size > 1) {
    throw new ShapeError(
      `adapters of rank ${ranks.join(", ")}: "${rule}" sums their factors, so the ranks must be equal; "cat" and the ` +
        'combinations that end in "svd" accept any',
    );
  }
  const { r, inFeatures, outFeatures } = parts[0]!.factors;
  const weights = parts.map(({ factors, weight }) => weight * factors.scale);
  const roots = weights.map((weight) => Math.sqrt(Math.abs(weight)));
  const signed = roots.map((root, i) => (weights[i]! < 0 ? -root : root));
  const [as, bs] = [parts.map(({ factors }) => factors.a), parts.map(({ factors }) => factors.b)];
  const a = prunedSum(as, signed, rule, options);
  return { a, b: prunedSum(bs, roots, rule, options), r, inFeatures, outFeatures, scale: 1 };
}

function concatenated(parts: readonly Part[]): Factors {
  const { inFeatures, outFeatures } = parts[0]!.factors;
  const r = parts.reduce((sum, { factors }) => sum + factors.r, 0);
  const a = new Float32Array(r * inFeatures);
  const b = new Float32Array(outFeatures * r);
  let at = 0;
  for (const { factors, weight } of parts) {
    for (const [i, x] of factors.a.entries()) a[at * inFeatures + i] = weight * factors.scale * x;
    for (let o = 0; o < outFeatures; o++) b.set(factors.b.subarray(o * factors.r, (o + 1) * factors.r), o * r + at);
    at += factors.r;
  }
  return { a, b, r, inFeatures, outFeatures, scale: 1 };
}

/** The best approximation of b·a of a rank, which may be more than b·a has. */
function approximated({ a, b, r, inFeatures, outFeatures }: Factors, rank: number, clampAt?: number | null): Factors {
  const count = Math.min(rank, r, inFeatures, outFeatures);
  return fromSvd(largestSvdOfProduct(matrix(outFeatures, r, b), matrix(r, inFeatures, a), count), rank, clampAt);
}

/** b = U·Σ, a = Vᵀ, clamped, and padded with zeros to the rank. */
function fromSvd({ u, s, v }: Svd, rank: number, clampAt: number | null = null): Factors {
  const [inFeatures, outFeatures] = [v.columns, u.rows];
  const a = new Float32Array(rank * inFeatures);
  const b = new Float32Array(outFeatures * rank);
  const scaled = u.data.map((x, i) => x * s[i % s.length]!);
  const limit = clampAt === null ? Infinity : quantile([scaled, v.data], expectShare("svdClamp", clampAt, true));
  const clamp = (x: number) => Math.min(Math.max(x, -limit), limit);
  a.set(v.data.map(clamp));
  for (let o = 0; o < outFeatures; o++) b.set(scaled.subarray(o * s.length, (o + 1) * s.length).map(clamp), o * rank);
  return { a, b, r: rank, inFeatures, outFeatures, scale: 1 };
}

/** The quantile q of the values, with linear interpolation between neighbors. */
function quantile([first, second]: readonly [Float64Array, Float64Array], q: number): number {
  const sorted = new Float64Array(first.length + second.length);
  sorted.set(first);
  sorted.set(second, first.length);
  sorted.sort();
  const place = q * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (place - below) * (sorted[above]! - sorted[below]!);
}

function weightsOf(parts: readonly Part[]): number[] {
  return parts.map(({ weight }) => weight);
}

function expectSome(parts: readonly unknown[]): void {
  if (parts.length === 0) throw new StateError("there is nothing to combine: pass at least one adapter");
}

function expectWeights(parts: readonly { readonly weight: number }[]): void {
  const odd = parts.find(({ weight }) => !Number.isFinite(weight));
  if (odd) throw new FormatError(`weight ${odd.weight} of an adapter: expected a finite number`);
}

/** Parts of one layer, whose factors have the sizes that they state and only finite numbers. */
function expectParts(parts: readonly Part[]): void {
  expectSome(parts);
  expectWeights(parts);
  const shapes = parts.map(({ factors }) => `[${factors.outFeatures}, ${factors.inFeatures}]`);
  if (new Set(shapes).size > 1) throw new ShapeError(`adapters of layers ${shapes.join(", ")}: expected equal shapes`);
  for (const [i, { factors }] of parts.entries()) {
    const { a, b, r, inFeatures, outFeatures, scale } = factors;
    if (a.length !== r * inFeatures || b.length !== outFeatures * r) {
      throw new ShapeError(
        `adapter ${i + 1}: a has ${a.length} numbers and b has ${b.length}, expected [${r}, ${inFeatures}] and ` +
          `[${outFeatures}, ${r}]`,
      );
    }
    if (!Number.isFinite(scale) || !a.every(Number.isFinite) || !b.every(Number.isFinite)) {
      throw new FormatError(`adapter ${i + 1} contains a number that is not finite`);
    }
  }
}

function expectRank(rank: number): number {
  if (Number.isInteger(rank) && rank >= 1) return rank;
  throw new ShapeError(`rank ${rank}: expected a whole number of at least 1`);
}

function expectShare(what: string, share: number | null | undefined, zero: boolean): number {
  if (typeof share === "number" && share <= 1 && (share > 0 || (zero && share === 0))) return share;
  throw new FormatError(
    `${what} is ${share ?? "missing"}: expected a number ${zero ? "from 0 to 1" : "above 0, at most 1"}`,
  );
}

function expectName(what: string, name: string, names: readonly string[]): void {
  if (names.includes(name)) return;
  throw new UnsupportedError(
    `${what} "${name}" is unknown, expected one of ${names.join(", ")}.${didYouMean(name, names)}`,
  );
}
