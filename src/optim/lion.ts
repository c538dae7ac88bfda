/**
 * Lion (Chen et al. 2023, algorithm 2). With g the gradient times the clipping factor:
 *
 *   p ← p − lr·(sign(β₁·m + (1 − β₁)·g) + λ·p)
 *   m ← β₂·m + (1 − β₂)·g
 *
 * Every number moves by lr at each step, so the rate is 3 to 10 times smaller than AdamW's and λ as many times larger.
 */

import { atLeastZero, fraction } from "../core/options.ts";
import { defineOptimizer, type Optimizer, type OptimizerOptions } from "./define-optimizer.ts";

const options = {
  beta1: fraction(0.9, "share of the momentum in the update"),
  beta2: fraction(0.99, "decay of the momentum"),
  weightDecay: atLeastZero(0, "decoupled weight decay, times the learning rate"),
};

/** The paper's names and defaults, λ is `weightDecay`; and groups of parameters. */
export type LionOptions = OptimizerOptions<typeof options>;

/**
 * Lion of Chen et al. 2023. One momentum in f32: 4 bytes per trained parameter.
 *
 * @example
 * using optimizer = new Lion(engine, model.namedTrainable(), { weightDecay: 0.1 });
 */
export const Lion = defineOptimizer({
  name: "Lion",
  options,
  state: (shape) => [{ name: "exp_avg", shape, dtype: "F32" }],
  update: ({ engine, param, at, lr, weightDecay, gradScale, options: { beta1, beta2 } }) => {
    const rates = [gradScale, lr, beta1, beta2, weightDecay] as const;
    engine.kernels.lion_f32(param.ptr, param.grad, at("exp_avg"), ...rates, 0, param.size);
  },
});
export type Lion = Optimizer;
