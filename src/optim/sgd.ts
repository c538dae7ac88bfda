/**
 * Stochastic gradient descent as in torch.optim.SGD. With g the gradient times the clipping factor:
 *
 *   g ← g + λ·p
 *   b ← μ·b + (1 − dampening)·g        at the first step b ← g
 *   p ← p − lr·b                       Nesterov:  p ← p − lr·(g + μ·b)
 *
 * Without momentum there is no b, and p ← p − lr·g.
 */

import { atLeastZero, flag } from "../core/options.ts";
import { defineOptimizer, type Optimizer, type OptimizerOptions } from "./define-optimizer.ts";

const options = {
  momentum: atLeastZero(0, "decay of the velocity"),
  dampening: atLeastZero(0, "dampening of the gradient in the velocity"),
  nesterov: flag(false, "look ahead along the velocity"),
  weightDecay: atLeastZero(0, "weight decay, added to the gradient"),
};

/** torch's names and defaults: μ is `momentum`, λ `weightDecay`, added to the gradient; and groups of parameters. */
export type SGDOptions = OptimizerOptions<typeof options>;

/**
 * SGD as in torch.optim. No state without momentum, 4 bytes per trained parameter with momentum.
 *
 * @example
 * using optimizer = new SGD(engine, model.namedTrainable(), { momentum: 0.9, nesterov: true });
 */
export const SGD = defineOptimizer({
  name: "SGD",
  options,
  problemWith: ({ momentum, dampening, nesterov }) =>
    nesterov && (momentum === 0 || dampening !== 0)
      ? `nesterov needs momentum above 0 and dampening 0, found momentum ${momentum} and dampening ${dampening}`
      : null,
  state: (shape, { momentum }) => (momentum === 0 ? [] : [{ name: "momentum_buffer", shape, dtype: "F32" }]),
  update: ({ engine, param, at, lr, weightDecay, gradScale, t, options: { momentum, dampening, nesterov } }) => {
    const rates = [gradScale, lr, momentum, t === 1 ? 1 : 1 - dampening, weightDecay] as const;
    engine.kernels.sgd_f32(param.ptr, param.grad, at("momentum_buffer"), ...rates, nesterov, 0, param.size);
  },
});
export type SGD = Optimizer;
