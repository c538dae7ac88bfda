/**
 * LoHa (FedPara, Hyeon-Woo et al. 2021, proposition 1): the elementwise product of two low-rank matrices.
 *
 *   y = x·Wᵀ + bias + x·ΔWᵀ,   ΔW = s·(A₁·B₁) ∘ (A₂·B₂),   s = alpha / r
 *
 *   hada_w1_a, hada_w2_a [out, r]        hada_w1_b, hada_w2_b [r, in]
 *
 * ΔW has at most rank r²: row by row, ΔW = s·(A₁ • A₂)·(B₁ ∗ B₂) with all products aᵢ·a′ⱼ of a row's numbers and bᵢ ∘
 * b′ⱼ of rows. The code computes this form unless ΔW itself costs less. B₂ starts at zero, so a fresh adapter changes
 * nothing.
 */
import { additivePart } from "../adapt/method/additive-part.ts";
import { defineMethod, type LinearPart, type MethodValues } from "../adapt/method/define-method.ts";
import { refuseConv1D } from "../adapt/method/fan-in-fan-out.ts";
import { dropOutputs, lycorisOptions, lycorisPatterns } from "../adapt/method/lycoris.ts";
import { kaimingUniform, type Make } from "../adapt/method/tensor-maker.ts";
import { flag } from "../core/options.ts";
import type { Linear } from "../nn/layers/linear.ts";
import { scaleColumns } from "../ops/layout/columns.ts";
import { reshape } from "../ops/layout/reshape.ts";
import { concatenateRows } from "../ops/layout/rows.ts";
import { batchedProduct, lift, product } from "../ops/linear/product.ts";
import { multiplyElements, scaleBy } from "../ops/pointwise/elementwise.ts";
import type { Tape, Value } from "../tape/tape.ts";
import type { Param } from "../tensor/tensor.ts";

const options = {
  ...lycorisOptions,
  initWeights: flag(true, "start with an adapter that changes nothing; false starts at random"),
};

/**
 * Hadamard products of low-rank matrices on linear layers.
 *
 * @example
 * const model = getPeftModel(base, loha({ r: 8, alpha: 16, targetModules: ["q_proj", "v_proj"] }));
 */
export const loha = defineMethod({
  peftType: "LOHA",
  about: {
    title: "LoHa",
    paper: "Hyeon-Woo et al. 2021 (FedPara), arXiv:2108.06098; Yeh et al. 2023 (LyCORIS), arXiv:2309.14859",
    equation: "y = x·Wᵀ + (alpha / r)·x·((A₁·B₁) ∘ (A₂·B₂))ᵀ",
    when: "For styles and concepts that low ranks miss: a change of rank up to r² with the parameters of a LoRA of rank 2r.",
  },
  additive: true,
  options,
  patterns: lycorisPatterns,
  settle: (_, layers) => {
    refuseConv1D("LOHA", layers);
    return {};
  },
  linear: linearPart,
});

/** A and B of one of the two low-rank matrices. */
interface Pair {
  readonly a: Param; // [out, r]
  readonly b: Param; // [r, in]
}

function linearPart(layer: Linear, values: MethodValues<typeof options>, make: Make): LinearPart {
  const { inFeatures, outFeatures } = layer;
  const { r, alpha, initWeights } = values;
  const pair = (name: string, fresh: boolean): Pair => ({
    a: make.param(`hada_${name}_a`, [outFeatures, r], kaimingUniform(r)),
    b: make.param(`hada_${name}_b`, [r, inFeatures], fresh ? "zeros" : kaimingUniform(inFeatures)),
  });
  const pairs = [pair("w1", false), pair("w2", initWeights)] as const;
  const scale = alpha / r;
  const isDense = r * r * (inFeatures + outFeatures) > inFeatures * outFeatures;
  const times = isDense ? timesChange : timesFactors;
  return additivePart({
    apply: (x) => dropOutputs(times(x, pairs, scale), values, true),
    rows: (tape, start, end) => changeRows(tape, pairs, scale, start, end),
  });
}

type Pairs = readonly [Pair, Pair];

/** x·ΔWᵀ by way of ΔW. */
function timesChange(x: Value, pairs: Pairs, scale: number): Value {
  const change = changeRows(x.tape, pairs, scale, 0, pairs[0].a.shape[0]!);
  return product(x, change, { transposeB: true });
}

/** Rows `start` to `end` of ΔW. */
function changeRows(tape: Tape, pairs: Pairs, scale: number, start: number, end: number): Value {
  const [first, second] = pairs.map(({ a, b }) => {
    const r = a.shape[1]!;
    return { a: lift(tape, a, [end - start, r], start * r), b: lift(tape, b) };
  }) as [Lifted, Lifted];
  return multiplyElements(product(scaleBy(first.a, scale), first.b), product(second.a, second.b));
}

interface Lifted {
  readonly a: Value;
  readonly b: Value;
}

/** x·ΔWᵀ by way of the r² products of rows. */
function timesFactors(x: Value, [first, second]: Pairs, scale: number): Value {
  const { tape } = x;
  const [out, r] = first.a.shape as [number, number];
  const width = first.b.shape[1]!;
  const b = lift(tape, second.b);
  const row = (i: number) => lift(tape, first.b, [1, width], i * width);
  const right = concatenateRows(Array.from({ length: r }, (_, i) => scaleColumns(b, row(i)))); // [r², in]
  const columns = scaleBy(lift(tape, first.a, [out * r, 1]), scale);
  const left = reshape(batchedProduct(columns, lift(tape, second.a), out), [out, r * r]);
  return product(product(x, right, { transposeB: true }), left, { transposeB: true });
}
