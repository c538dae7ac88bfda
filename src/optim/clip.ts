/** Clipping by the global norm (Pascanu, Mikolov and Bengio 2013), as in torch.nn.utils.clip_grad_norm_. */
import type { Param } from "../tensor/tensor.ts";
import type { Engine } from "../wasm/engine.ts";

/** √(Σ g²) over the gradients of all Params, summed in f64. NaN or infinite if any gradient is. */
export function gradientNorm(engine: Engine, params: Iterable<Param>): number {
  let sum = 0;
  for (const param of params) sum += engine.kernels.sum_squares_f32(param.grad, 0, param.size);
  return Math.sqrt(sum);
}

/**
 * The factor that brings gradients of this norm to at most `maxNorm`: min(1, maxNorm / (norm + 1e-6)). 0 disables
 * clipping.
 */
export function clipScale(norm: number, maxNorm: number): number {
  return maxNorm === 0 ? 1 : Math.min(1, maxNorm / (norm + 1e-6));
}
