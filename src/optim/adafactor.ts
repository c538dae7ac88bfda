/**
 * Adafactor (Shazeer and Stern 2018) as in transformers.optimization.Adafactor, the usual optimizer for fine-tuning T5.
 * For step t, from 1, and g the gradient times the clipping factor:
 *
 *   β₂ = 1 − t^decayRate
 *   row ← β₂·row + (1 − β₂)·(mean over columns of g² + ε₁)       col ← β₂·col + (1 − β₂)·(mean over rows of g² + ε₁)
 *   u = g / √(row/mean(row)) / √col                               u ← u / max(1, RMS(u) / clipThreshold)
 *   p ← p − α·λ·p − α·u                                           with beta1:  f ← β₁·f + (1 − β₁)·α·u,  p ← p − α·λ·p − f
 *
 * α is lr; with `relativeStep` min(1e-2, 1/√t) instead (`warmupInit`: min(1e-6·t, 1/√t)); times max(ε₂, RMS(p)) with
 * `scaleParameter`. A tensor with more than two axes is a stack of matrices over its last two, which share RMS(u); a vector is a
 * matrix of one row, whose factor √(row/mean(row)) is 1.
 */

import { aboveZero, atLeastZero, flag, fraction, number, orNull, type ValuesOf } from "../core/options.ts";
import type { Shape } from "../core/shape.ts";
import { sizeOf } from "../core/shape.ts";
import type { Ptr } from "../wasm/memory.ts";
import { defineOptimizer, type Optimizer, type OptimizerOptions, type Update } from "./define-optimizer.ts";

const options = {
  eps1: aboveZero(1e-30, "added to squared gradients"),
  eps2: atLeastZero(1e-3, "smallest scale of a parameter"),
  clipThreshold: aboveZero(1, "largest root mean square of an update"),
  decayRate: number(-0.8, "exponent of the second moment's decay", { most: 0 }),
  beta1: orNull(fraction(0, "decay of a first moment; null keeps none")),
  scaleParameter: flag(false, "multiply the learning rate by the parameter's scale"),
  relativeStep: flag(false, "use a learning rate that falls with the step"),
  warmupInit: flag(false, "with relativeStep: warm that rate up first"),
  weightDecay: atLeastZero(0, "decoupled weight decay, times the learning rate"),
};
type Values = ValuesOf<typeof options>;

/**
 * transformers' names in camelCase, with `eps` as `eps1` and `eps2`; and groups of parameters. Defaults are those of
 * transformers' Trainer: `scaleParameter` and `relativeStep` are off. With `relativeStep`, the given learning rate is
 * ignored, and only the factors of groups apply.
 */
export type AdafactorOptions = OptimizerOptions<typeof options>;

/**
 * Adafactor as in transformers. A matrix of m rows and n columns has m + n numbers of state, 4 bytes each; `beta1` adds
 * 4 bytes per trained parameter.
 *
 * @example
 * using optimizer = new Adafactor(engine, model.namedTrainable());
 * optimizer.step(1e-3);
 */
export const Adafactor = defineOptimizer({
  name: "Adafactor",
  options,
  problemWith: ({ relativeStep, warmupInit }) => (warmupInit && !relativeStep ? "warmupInit needs relativeStep" : null),
  state: (shape, { beta1 }) => {
    const { matrices, rows, cols } = matricesOf(shape);
    return [
      { name: "exp_avg_sq_row", shape: [matrices * rows], dtype: "F32" },
      { name: "exp_avg_sq_col", shape: [matrices * cols], dtype: "F32" },
      ...(beta1 === null ? [] : [{ name: "exp_avg", shape, dtype: "F32" } as const]),
    ];
  },
  /** Σ u² of each row of the largest tensor. */
  sharedBytes: (shapes) => 8 * Math.max(...shapes.map(matricesOf).map(({ matrices, rows }) => matrices * rows)),
  update: (given) => {
    const { engine, param, options, gradScale, t, weightDecay } = given;
    const { kernels } = engine;
    const parts = partsOf(given);
    const beta2 = 1 - t ** options.decayRate;
    for (const { g, row, col, rows, cols } of parts) {
      kernels.adafactor_rows_f32(row, g, cols, gradScale, options.eps1, beta2, 0, rows);
      kernels.adafactor_columns_f32(col, g, rows, cols, gradScale, options.eps1, beta2, 0, cols);
    }
    const means = parts.map(({ row, rows }) => sum(engine.memory.f32(row, rows)) / rows);
    parts.forEach(({ g, row, col, norms, rows, cols }, i) => {
      kernels.adafactor_norms_f32(norms, g, row, col, means[i]!, cols, gradScale, 0, rows);
    });
    const { matrices, rows } = matricesOf(param.shape);
    const rms = Math.sqrt(sum(engine.memory.f64(given.shared, matrices * rows)) / param.size);
    const alpha = stepSize(given);
    const lr = alpha / Math.max(1, rms / options.clipThreshold);
    parts.forEach(({ p, g, f, row, col, rows, cols }, i) => {
      const rates = [gradScale, lr, options.beta1 ?? 0, 1 - alpha * weightDecay] as const;
      kernels.adafactor_f32(p, g, f, row, col, means[i]!, cols, ...rates, 0, rows);
    });
  },
});
export type Adafactor = Optimizer;

/** A tensor as a stack of matrices over its last two axes. */
function matricesOf(shape: Shape): { matrices: number; rows: number; cols: number } {
  const cols = shape.at(-1) ?? 1;
  const rows = shape.at(-2) ?? 1;
  return { matrices: sizeOf(shape) / (rows * cols), rows, cols };
}

/** The start of each matrix of a parameter, of its gradient and of its state. */
function partsOf({ param, at, shared }: Update<Values>) {
  const { matrices, rows, cols } = matricesOf(param.shape);
  const f = at("exp_avg");
  const after = (start: Ptr, i: number, bytes: number) => (start + i * bytes) as Ptr;
  return Array.from({ length: matrices }, (_, i) => ({
    rows,
    cols,
    p: after(param.ptr, i, 4 * rows * cols),
    g: after(param.grad, i, 4 * rows * cols),
    f: f === 0 ? f : after(f, i, 4 * rows * cols),
    row: after(at("exp_avg_sq_row"), i, 4 * rows),
    col: after(at("exp_avg_sq_col"), i, 4 * cols),
    norms: after(shared, i, 8 * rows),
  }));
}

/** α of the step, also for weight decay. */
function stepSize({ engine, param, lr, t, options }: Update<Values>): number {
  const { relativeStep, warmupInit, scaleParameter, eps2 } = options;
  const base = relativeStep ? Math.min(warmupInit ? 1e-6 * t : 1e-2, 1 / Math.sqrt(t)) : lr;
  if (!scaleParameter) return base;
  return base * Math.max(eps2, Math.sqrt(engine.kernels.sum_squares_f32(param.ptr, 0, param.size) / param.size));
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
