/**
 * AdaLoRA (Zhang et al. 2023): a change of weights in the form of a singular value decomposition, whose least important triplets
 * are pruned during training, so that each layer gets the rank it needs.
 *
 *   y = x·Wᵀ + bias + s·(drop(x)·(E ∘ A)ᵀ)·Bᵀ,   s = loraAlpha / (initR + 1e-5)
 *   lora_A [r, in], lora_B [out, r] start as N(0, 0.02²)        lora_E [r, 1] starts as zeros, which changes nothing
 *   loss + orthRegWeight · mean of ‖A·Aᵀ − I‖ and ‖Bᵀ·B − I‖ over all layers
 *
 * E becomes 0 in the triplets that src/adapt/method/rank-allocator.ts does not choose. Files contain the remaining
 * ones, and rank_pattern states which they are.
 */

import { defineMethod, type Lifecycle, type LinearPart, type MethodValues } from "../adapt/method/define-method.ts";
import { type Factors, rankMisfit } from "../adapt/method/factors.ts";
import { fanInFanOut, settledFanInFanOut } from "../adapt/method/fan-in-fan-out.ts";
import { isTrainingBuffer, loraFromFile } from "../adapt/method/lora-file.ts";
import { dropoutRate } from "../adapt/method/options.ts";
import { RankAllocator, type RankPattern, type Triplets } from "../adapt/method/rank-allocator.ts";
import type { Make, MakeAt } from "../adapt/method/tensor-maker.ts";
import { FormatError } from "../core/errors.ts";
import { atLeastZero, flag, number, type Option, oneOf, option, orNull, whole, wholeOrNull } from "../core/options.ts";
import type { Linear } from "../nn/layers/linear.ts";
import { scaleColumns } from "../ops/layout/columns.ts";
import { replaceRows, sliceRows } from "../ops/layout/rows.ts";
import { distanceToIdentity } from "../ops/linear/distance-to-identity.ts";
import { foldLowRank } from "../ops/linear/fold.ts";
import { linear } from "../ops/linear/linear.ts";
import { lift, product } from "../ops/linear/product.ts";
import { add } from "../ops/pointwise/add.ts";
import { dropout } from "../ops/pointwise/dropout.ts";
import { scaleBy } from "../ops/pointwise/elementwise.ts";
import type { Tape, Value } from "../tape/tape.ts";
import type { Param } from "../tensor/tensor.ts";

const options = {
  initR: whole(12, 1, "initial rank of every layer"),
  targetR: whole(8, 0, "average rank that remains"),
  totalStep: wholeOrNull(1, "optimizer steps of the run"),
  tinit: whole(0, 0, "steps before pruning begins"),
  tfinal: whole(0, 0, "steps after the last pruning"),
  deltaT: whole(1, 1, "steps between prunings"),
  beta1: share(0.85, "smoothing of the sensitivity"),
  beta2: share(0.85, "smoothing of the uncertainty"),
  orthRegWeight: atLeastZero(0.5, "weight of the orthogonality penalty"),
  loraAlpha: number(8, "the adapter's output is scaled by alpha / initR"),
  loraDropout: dropoutRate(0, "dropout of the adapter's input"),
  bias: oneOf(["none", "all", "lora_only"], "none", "which biases of the base are also trained"),
  fanInFanOut,
  initLoraWeights: flag(true, "start with an adapter that changes nothing"),
  rankPattern: orNull(
    option<RankPattern>(
      {},
      "an object of lists of true and false",
      isRankPattern,
      "which ranks remain; set by training",
    ),
  ),
};

type Values = MethodValues<typeof options>;

function share(fallback: number, help: string): Option<number> {
  return number(fallback, help, { above: 0, below: 1 });
}

function isRankPattern(value: unknown): boolean {
  const isMask = (each: unknown) => Array.isArray(each) && each.every((kept) => typeof kept === "boolean");
  return typeof value === "object" && value !== null && Object.values(value as object).every(isMask);
}

/**
 * Low-rank adaptation that assigns its ranks to the layers that need them.
 *
 * @example
 * const model = getPeftModel(base, adalora({ initR: 12, targetR: 4, totalStep: 1000, tinit: 100, tfinal: 300, deltaT: 10 }));
 */
export const adalora = defineMethod({
  peftType: "ADALORA",
  about: {
    title: "AdaLoRA",
    paper: "Zhang et al. 2023, arXiv:2303.10512",
    equation: "y = x·Wᵀ + (alpha / initR)·(x·(E ∘ A)ᵀ)·Bᵀ, with pruned E",
    when: "For a fixed budget of ranks when it is unknown which layers need them. Needs the length of the run.",
    example: { totalStep: 1000 },
  },
  additive: true,
  options,
  targets: ({ budgeted, linear }) => budgeted ?? linear,
  learned: ["rankPattern"],
  misfit: rankMisfit("lora_A"),
  absent: {
    ...{ useRslora: false, useDora: false, loraBias: false, alphaPattern: {}, useQalora: false },
    ...{ ensureWeightTying: false, aloraInvocationTokens: null, arrowConfig: null, cordaConfig: null, evaConfig: null },
    ...{ kasaConfig: null, layerReplication: null, loftqConfig: {}, loraGaConfig: null, megatronConfig: null },
    ...{ montecloraConfig: null, targetParameters: null, trainableTokenIndices: null, useBdlora: null },
    ...{ veloraConfig: null },
  },
  inert: { r: 8, megatronCore: "megatron.core", qaloraGroupSize: 16 },
  check,
  fromFile: loraFromFile,
  ignores: isTrainingBuffer,
  settle: ({ fanInFanOut }, layers, warn) => settledFanInFanOut(fanInFanOut, layers, warn),
  shared: (): Triplets[] => [],
  linear(layer, values, make, shared) {
    const triplets = makeTriplets(layer, values, make);
    (shared as Triplets[]).push(triplets);
    return linearPart(layer, values, triplets);
  },
  lifecycle: (_, values, make, shared) => lifecycleOf(shared as Triplets[], values, make),
});

function check({ totalStep, tinit, tfinal }: Values, spell: (name: string) => string): string | null {
  const [total, first, last] = [spell("totalStep"), spell("tinit"), spell("tfinal")];
  if (totalStep === null)
    return `"${total}" is missing: AdaLoRA prunes on a schedule, so set it to the number of optimizer steps of the run`;
  if (tinit < totalStep - tfinal) return null;
  return `no step is left for pruning: "${first}" ${tinit} must be less than "${total}" ${totalStep} minus "${last}" ${tfinal}`;
}

function makeTriplets(layer: Linear, values: Values, make: Make): Triplets {
  const { initR, initLoraWeights, rankPattern } = values;
  const pattern = (make.loading ? rankPattern?.[`${layer.name}.lora_E`] : null) ?? null;
  if (pattern !== null && pattern.length !== initR) {
    throw new FormatError(
      `rankPattern of "${layer.name}" lists ${pattern.length} ranks, expected ${initR}, the initR of its config`,
    );
  }
  const r = pattern?.filter(Boolean).length ?? initR;
  const std = { normal: initLoraWeights ? 0.02 : 1 };
  const a = make.param("lora_A", [r, layer.inFeatures], std);
  const b = make.param("lora_B", [layer.outFeatures, r], std);
  const e = make.param("lora_E", [r, 1], initLoraWeights ? "zeros" : std);
  const kept = new Float32Array(r).fill(1); // the engine has room for as many ranks
  const present = pattern ?? new Array<boolean>(initR).fill(true);
  for (const [suffix, param] of Object.entries({ lora_A: a, lora_B: b, lora_E: e }))
    make.exported(suffix, () => pruned(param, kept, suffix === "lora_B" ? 1 : 0));
  return { layer: layer.name, a, b, e, present, kept };
}

/** A matrix with only the kept rows (axis 0) or columns (axis 1). */
function pruned(param: Param, kept: Float32Array, axis: 0 | 1): { shape: number[]; values: Float32Array } {
  const [rows, columns] = param.shape as [number, number];
  const stays = (i: number) => kept[axis === 0 ? Math.floor(i / columns) : i % columns] === 1;
  const count = kept.reduce((sum, each) => sum + each, 0);
  return { shape: axis === 0 ? [count, columns] : [rows, count], values: param.values().filter((_, i) => stays(i)) };
}

function linearPart(layer: Linear, values: Values, { a, b, e }: Triplets): LinearPart {
  const { initR, loraAlpha, loraDropout } = values;
  const r = e.shape[0]!;
  const scale = (loraAlpha > 0 ? loraAlpha : initR) / (initR + 1e-5); // the initial ranks
  const changed = (y: Value, x: Value): Value => {
    if (r === 0) return y;
    const strengths = scaleBy(lift(x.tape, e, [1, r]), scale);
    return add(y, linear(scaleColumns(linear(x, a, "out-in", null), strengths), b, "out-in", null));
  };
  const scaledA = () => a.values().map((x, i) => x * e.values()[Math.floor(i / layer.inFeatures)]!);
  return {
    forward: (x, deltas, below, biased) => changed(below(x, deltas, biased), dropout(x, loraDropout)),
    forwardRows(x, rows, below) {
      const y = below(x);
      return replaceRows(y, rows, changed(sliceRows(y, rows), sliceRows(x, rows)));
    },
    fold(tape) {
      const left = { ptr: tape.upload(scaledA()), shape: a.shape };
      return (rows) => (r === 0 ? undefined : foldLowRank(rows, layer.stored, { a: left, b, scale }));
    },
    factors: () => [factorsOf(layer, { a: scaledA(), b: b.values(), r, scale })],
  };
}

/** As in LoRA. A layer without remaining ranks gets one of zeros. */
function factorsOf({ inFeatures, outFeatures }: Linear, own: Pick<Factors, "a" | "b" | "r" | "scale">): Factors {
  if (own.r > 0) return { ...own, inFeatures, outFeatures };
  const zeros = { a: new Float32Array(inFeatures), b: new Float32Array(outFeatures), r: 1, scale: own.scale };
  return { ...zeros, inFeatures, outFeatures };
}

function lifecycleOf(layers: readonly Triplets[], values: Values, make: MakeAt): Lifecycle<Values> {
  const allocator = new RankAllocator(layers, { ...values, totalStep: values.totalStep! });
  const before = make(null).loading ? values.rankPattern : null;
  return {
    penalty: (tape) => (layers.some(({ a }) => a.trainable) ? orthogonality(tape, layers, values.orthRegWeight) : null),
    afterStep: (step, gradScale) => allocator.afterStep(step, gradScale),
    state: allocator.state,
    savedValues: () => ({ rankPattern: allocator.rankPattern ?? before }),
  };
}

/** The weighted mean of ‖A·Aᵀ − I‖ and ‖Bᵀ·B − I‖ over all layers. */
function orthogonality(tape: Tape, layers: readonly Triplets[], weight: number): Value {
  const distances = layers.flatMap(({ a, b }) => {
    if (a.shape[0] === 0) return [];
    const [rows, columns] = [lift(tape, a), lift(tape, b)];
    return [product(rows, rows, { transposeB: true }), product(columns, columns, { transposeA: true })];
  });
  const zero = tape.value([1, 1]);
  tape.fill(zero.ptr, 1, 0);
  const sum = distances.map(distanceToIdentity).reduce(add, zero);
  return scaleBy(sum, weight / (2 * layers.length));
}
