/**
 * AdamW (Loshchilov and Hutter 2019), with the order of operations of torch.optim.AdamW. For step t, from 1, and g the
 * gradient times the clipping factor:
 *
 *   p ← p − lr·λ·p
 *   m ← β₁·m + (1 − β₁)·g          v ← β₂·v + (1 − β₂)·g²
 *   p ← p − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)
 */

import { atLeastZero, fraction } from "../core/options.ts";
import { defineOptimizer, type Optimizer, type OptimizerOptions } from "./define-optimizer.ts";

/** λ is `weightDecay`, multiplied by the learning rate. torch's defaults, except that λ is 0. */
const options = {
  beta1: fraction(0.9, "decay of the first moment"),
  beta2: fraction(0.999, "decay of the second moment"),
  eps: atLeastZero(1e-8, "added to the root of the second moment"),
  weightDecay: atLeastZero(0, "decoupled weight decay, times the learning rate"),
};

/** torch's names in camelCase, and torch's defaults except that weight decay is 0; and groups of parameters. */
export type AdamWOptions = OptimizerOptions<typeof options>;

/**
 * AdamW as in torch.optim. Two moments in f32: 8 bytes per trained parameter.
 *
 * @example
 * using optimizer = new AdamW(engine, model.namedTrainable());
 * optimizer.zeroGrad();
 * // ... backward passes ...
 * optimizer.step(1e-3);
 */
export const AdamW = defineOptimizer({
  name: "AdamW",
  options,
  state: (shape) => [
    { name: "exp_avg", shape, dtype: "F32" },
    { name: "exp_avg_sq", shape, dtype: "F32" },
  ],
  update: ({ engine, param, at, lr, weightDecay, gradScale, t, options: { beta1, beta2, eps } }) => {
    const moments = [param.ptr, param.grad, at("exp_avg"), at("exp_avg_sq")] as const;
    const rates = [gradScale, lr, beta1, beta2, eps, weightDecay, 1 - beta1 ** t, 1 - beta2 ** t] as const;
    engine.kernels.adamw_f32(...moments, ...rates, 0, param.size);
  },
});
export type AdamW = Optimizer;
