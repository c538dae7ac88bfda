/** Clipping by the global norm (Pascanu, Mikolov and Bengio 2013), as in torch.nn.utils.clip_grad_norm_. */
import { StateError } from "../core/errors.ts";
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

/**
 * Scales the gradients of the Params so that their global norm is at most `maxNorm`, and returns the norm before: as
 * torch.nn.utils.clip_grad_norm_. Throws StateError for a norm that is not finite; the gradients are then unchanged.
 *
 * @example
 * const norm = clipGradNorm(model.engine, model.namedTrainable().values(), 1);
 */
export function clipGradNorm(engine: Engine, params: Iterable<Param>, maxNorm: number): number {
  const all = [...params];
  const norm = gradientNorm(engine, all);
  if (!Number.isFinite(norm)) {
    throw new StateError(
      `clipGradNorm: the norm of the gradients is ${norm}, expected a finite number; skip this step`,
    );
  }
  const scale = clipScale(norm, maxNorm);
  if (scale < 1) for (const param of all) engine.kernels.scale_f32(param.grad, scale, 0, param.size);
  return norm;
}
