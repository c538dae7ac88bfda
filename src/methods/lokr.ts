/**
 * LoKr (Yeh et al. 2023, section 3.3): a Kronecker product.
 *
 *   y = x·Wᵀ + bias + s·x·(W₁ ⊗ W₂)ᵀ,   s = alpha / r,   out = l·k,   in = m·n
 *
 *   lokr_w1 [l, m]       or  lokr_w1_a [l, r] and lokr_w1_b [r, m] with decomposeBoth and a low rank
 *   lokr_w2 [k, n]       or  lokr_w2_a [k, r] and lokr_w2_b [r, n] with a rank below max(k, n) / 2
 *
 * W₁ starts at zero, so a fresh adapter changes nothing; "lycoris" starts W₂ there. The keys of a file determine its
 * form.
 */
import { additivePart } from "../adapt/method/additive-part.ts";
import { defineMethod, type LinearPart, type MethodValues } from "../adapt/method/define-method.ts";
import { refuseConv1D } from "../adapt/method/fan-in-fan-out.ts";
import { dropOutputs, lycorisOptions, lycorisPatterns } from "../adapt/method/lycoris.ts";
import { kaimingUniform, type Make } from "../adapt/method/tensor-maker.ts";
import { flag, option } from "../core/options.ts";
import type { Linear } from "../nn/layers/linear.ts";
import { kronecker } from "../ops/linear/kronecker.ts";
import { lift, product } from "../ops/linear/product.ts";
import { scaleBy } from "../ops/pointwise/elementwise.ts";
import type { Tape, Value } from "../tape/tape.ts";
import type { Param } from "../tensor/tensor.ts";

const options = {
  ...lycorisOptions,
  decomposeBoth: flag(false, "make W₁ low-rank too"),
  decomposeFactor: option<number>(
    -1,
    "-1 or a whole number of at least 1",
    (v) => Number.isSafeInteger(v) && (v === -1 || (v as number) >= 1),
    "largest size of W₁; -1 makes W₁ and W₂ about equal",
  ),
  rankDropoutScale: flag(false, "rescale by the fraction of outputs that rankDropout keeps"),
  initWeights: option<boolean | "lycoris">(
    true,
    'true, false or "lycoris"',
    (v) => typeof v === "boolean" || v === "lycoris",
    "how the factors are initialized",
  ),
};

type Values = MethodValues<typeof options>;

/**
 * Kronecker products on linear layers.
 *
 * @example
 * const model = getPeftModel(base, lokr({ r: 8, alpha: 16, targetModules: ["q_proj", "v_proj"] }));
 */
export const lokr = defineMethod({
  peftType: "LOKR",
  about: {
    title: "LoKr",
    paper: "Yeh et al. 2023 (LyCORIS), arXiv:2309.14859",
    equation: "y = x·Wᵀ + (alpha / r)·x·(W₁ ⊗ W₂)ᵀ",
    when: "For small files with a high-rank change; decomposeFactor trades size for strength.",
    learningRate: 1e-3,
  },
  additive: true,
  options,
  patterns: lycorisPatterns,
  settle: (_, layers) => {
    refuseConv1D("LOKR", layers);
    return {};
  },
  linear: linearPart,
});

/** One of the two matrices, or its two factors, from left to right. */
type KroneckerFactors = readonly Param[];

function linearPart(layer: Linear, values: Values, make: Make): LinearPart {
  const { r, alpha, decomposeBoth, decomposeFactor, initWeights } = values;
  const [m, n] = divisors(layer.inFeatures, decomposeFactor);
  const [l, k] = divisors(layer.outFeatures, decomposeFactor);
  const factors = (
    name: string,
    [rows, columns]: readonly [number, number],
    small: boolean,
    zero: boolean,
  ): KroneckerFactors => {
    const inFile = make.stored(`${name}_a`) ?? make.stored(name);
    const split = inFile === null ? small && r < Math.max(rows, columns) / 2 : make.stored(`${name}_a`) !== null;
    const random = (inputs: number, startsAtZero: boolean) => (startsAtZero ? "zeros" : kaimingUniform(inputs));
    if (!split) return [make.param(name, [rows, columns], random(columns, zero))];
    const isFirst = name === "lokr_w1"; // of the first matrix a starts at zero, of the second b
    return [
      make.param(`${name}_a`, [rows, r], random(r, zero && isFirst)),
      make.param(`${name}_b`, [r, columns], random(columns, zero && !isFirst)),
    ];
  };
  const w1 = factors("lokr_w1", [l, m], decomposeBoth, initWeights === true);
  const w2 = factors("lokr_w2", [k, n], true, initWeights === "lycoris");
  const scale = alpha / r;
  const lifted = (tape: Tape, params: KroneckerFactors) => params.map((param) => lift(tape, param));
  const whole = (tape: Tape, params: KroneckerFactors) => lifted(tape, params).reduce((a, b) => product(a, b));
  return additivePart({
    apply(x) {
      const y = kronecker(x, scaleBy(whole(x.tape, w1), scale), lifted(x.tape, w2));
      return dropOutputs(y, values, values.rankDropoutScale);
    },
    rows: (tape, start, end) => changeRows(tape, [whole(tape, w1), whole(tape, w2)], scale, start, end),
  });
}

/** Rows `start` to `end` of s·(W₁ ⊗ W₂): row a·k + b is row a of W₁, each number times row b of W₂. */
function changeRows(tape: Tape, [w1, w2]: readonly [Value, Value], scale: number, start: number, end: number): Value {
  const [m, [k, n]] = [w1.shape[1]!, w2.shape as [number, number]];
  const rows = tape.value([end - start, m * n]);
  if (tape.planning) return rows;
  const [left, right] = [tape.download(w1), tape.download(w2)];
  const values = tape.memory.f32(rows.ptr, (end - start) * m * n);
  let at = 0;
  for (let row = start; row < end; row++) {
    const [a, b] = [Math.floor(row / k), row % k];
    for (let c = 0; c < m; c++) {
      const factor = scale * left[a * m + c]!;
      for (let d = 0; d < n; d++) values[at++] = factor * right[b * n + d]!;
    }
  }
  return rows;
}

/**
 * Two factors of a size: `factor` and the quotient if it divides the size. Otherwise the pair, smaller first, with the
 * largest smaller factor of at most `factor`, or with the smallest sum if `factor` is -1.
 */
export function divisors(size: number, factor: number): [number, number] {
  if (factor > 0 && size % factor === 0) return [factor, size / factor];
  const most = Math.min(factor === -1 ? size : factor, Math.floor(Math.sqrt(size)));
  let smaller = 1;
  for (let divisor = 2; divisor <= most; divisor++) if (size % divisor === 0) smaller = divisor;
  return [smaller, size / smaller];
}
