/**
 * VeRA (Kopiczko, Blankevoort and Asano 2023, eq. 2): random matrices that all layers share, and two trained vectors
 * per layer.
 *
 *   y = x·Wᵀ + bias + b ∘ ((d ∘ (drop(x)·Aᵀ))·Bᵀ)
 *
 *   vera_lambda_d [r], vera_lambda_b [out]        trained
 *   vera_A [r, inputs], vera_B [outputs, r]       once in the file, as large as the largest target; layers use the top left part
 *
 * b starts at zero, so a fresh adapter changes nothing. A and B come from PyTorch's generator, seeded by projectionPrngKey, and are
 * saved unless saveProjection is false; for a file without them, they are regenerated.
 */
import { additivePart } from "../adapt/method/additive-part.ts";
import { commonOnly, defineMethod, type LinearPart, type MethodValues } from "../adapt/method/define-method.ts";
import { fanInFanOut, settledFanInFanOut } from "../adapt/method/fan-in-fan-out.ts";
import { dropoutRate } from "../adapt/method/options.ts";
import type { Make, MakeAt } from "../adapt/method/tensor-maker.ts";
import { flag, number, oneOf, whole } from "../core/options.ts";
import { TorchRandom } from "../core/random/torch-random.ts";
import type { Linear } from "../nn/layers/linear.ts";
import type { Module } from "../nn/layers/weights.ts";
import { scaleColumns, sliceColumns } from "../ops/layout/columns.ts";
import { cornerProduct } from "../ops/linear/corner-product.ts";
import { lift, product } from "../ops/linear/product.ts";
import { dropout } from "../ops/pointwise/dropout.ts";
import type { Tape, Value } from "../tape/tape.ts";
import type { Param } from "../tensor/tensor.ts";

const options = {
  r: whole(256, 1, "rank of the shared matrices"),
  projectionPrngKey: whole(0, 0, "seed of the shared matrices; must be the same for all VeRA adapters of a model"),
  saveProjection: flag(true, "save the shared matrices, not only their seed"),
  veraDropout: dropoutRate(0, "dropout of the adapter's input"),
  dInitial: number(0.1, "initial value of vera_lambda_d"),
  fanInFanOut,
  bias: oneOf(["none", "all", "vera_only"], "none", "which biases of the base are also trained"),
  initWeights: flag(true, "start with an adapter that changes nothing; false starts at random"),
};

type Values = MethodValues<typeof options>;

/**
 * Vectors between shared random matrices, on linear layers.
 *
 * @example
 * const model = getPeftModel(base, vera({ r: 256, targetModules: ["q_proj", "v_proj"] }));
 */
export const vera = defineMethod({
  peftType: "VERA",
  about: {
    title: "VeRA",
    paper: "Kopiczko, Blankevoort and Asano 2023, arXiv:2310.11454",
    equation: "y = x·Wᵀ + b ∘ ((d ∘ (x·Aᵀ))·Bᵀ), A and B random and shared",
    when: "For very small adapters: at most a tenth of LoRA's trained parameters, and tiny files without saveProjection. Needs a higher learning rate.",
    learningRate: 4e-3,
  },
  additive: true,
  options,
  common: commonOnly(
    "targetModules",
    "layersToTransform",
    "layersPattern",
    "modulesToSave",
    "taskType",
    "baseModelNameOrPath",
    "revision",
  ),
  settle: ({ fanInFanOut }, layers, warn) => settledFanInFanOut(fanInFanOut, layers, warn),
  beside,
  shared: sharedMatrices,
  linear: (layer, values, make, shared) => linearPart(layer, values, make, shared as Shared),
});

function beside({ projectionPrngKey, saveProjection }: Values, others: readonly Values[]): string | null {
  const other = others.find((each) => each.projectionPrngKey !== projectionPrngKey);
  if (other) {
    const keys = `${projectionPrngKey}, but ${other.projectionPrngKey} in an existing adapter`;
    return `projectionPrngKey is ${keys}: all VeRA adapters of a model must have the same`;
  }
  if (others.every((each) => each.saveProjection === saveProjection)) return null;
  return `saveProjection is ${saveProjection}, but ${!saveProjection} in an existing adapter: all VeRA adapters must agree`;
}

interface Shared {
  readonly a: Param; // [r, largest in]
  readonly b: Param; // [largest out, r]
}

function sharedMatrices(
  layers: readonly Module[],
  { r, projectionPrngKey, saveProjection }: Values,
  make: MakeAt,
): Shared {
  const linear = layers.filter((layer) => layer.kind === "linear");
  const inputs = Math.max(...linear.map(({ inFeatures }) => inFeatures));
  const outputs = Math.max(...linear.map(({ outFeatures }) => outFeatures));
  let drawn: { a: Float32Array; b: Float32Array } | null = null;
  const projection = () => {
    if (drawn === null) {
      const random = new TorchRandom(projectionPrngKey);
      drawn = { a: random.kaimingUniform([r, inputs]), b: random.kaimingUniform([outputs, r]) };
    }
    return drawn;
  };
  const everywhere = make(null);
  const matrix = (name: string, shape: readonly [number, number], start: (to: Float32Array) => void) =>
    saveProjection || everywhere.stored(name)
      ? everywhere.kept(name, shape, start)
      : everywhere.constant(name, shape, start);
  return {
    a: matrix("base_model.vera_A", [r, inputs], (to) => to.set(projection().a)),
    b: matrix("base_model.vera_B", [outputs, r], (to) => to.set(projection().b)),
  };
}

function linearPart(layer: Linear, values: Values, make: Make, { a, b }: Shared): LinearPart {
  const { inFeatures, outFeatures, stored } = layer;
  const { r, veraDropout, dInitial, initWeights } = values;
  const lambdaB = make.param("vera_lambda_b", [outFeatures], initWeights ? "zeros" : "ones");
  const lambdaD = make.param("vera_lambda_d", [r], initWeights ? (to) => to.fill(dInitial) : { normal: 1 });
  const row = (tape: Tape, lambda: Param) => lift(tape, lambda, [1, lambda.size]);
  return additivePart({
    apply(x) {
      const inner = scaleColumns(cornerProduct(dropout(x, veraDropout), a, r), row(x.tape, lambdaD));
      return scaleColumns(cornerProduct(inner, b, outFeatures), row(x.tape, lambdaB));
    },
    rows(tape, start, end) {
      const straight = stored === "out-in";
      const left = scaledRows(tape, b, [lambdaB, lambdaD], straight ? [start, end] : [0, outFeatures]);
      const right = sliceColumns(lift(tape, a), ...(straight ? ([0, inFeatures] as const) : ([start, end] as const)));
      return straight ? product(left, right) : product(right, left, { transposeA: true, transposeB: true });
    },
  });
}

/** Rows `start` to `end` of diag(b)·B·diag(d). */
function scaledRows(
  tape: Tape,
  matrix: Param,
  [lambdaB, lambdaD]: readonly [Param, Param],
  [start, end]: readonly [number, number],
): Value {
  const r = lambdaD.size;
  const rows = tape.value([end - start, r]);
  if (tape.planning) return rows;
  const [outer, inner, from] = [lambdaB, lambdaD, matrix].map((param) => param.values()) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const to = tape.memory.f32(rows.ptr, (end - start) * r);
  for (let i = 0; i < to.length; i++) to[i] = outer[start + Math.floor(i / r)]! * from[start * r + i]! * inner[i % r]!;
  return rows;
}
