/**
 * AdamW (Loshchilov and Hutter 2019), with the order of operations of torch.optim.AdamW. For step t, from 1, and g the
 * gradient times the factor of clipping:
 *
 *   p ← p − lr·λ·p
 *   m ← β₁·m + (1 − β₁)·g          v ← β₂·v + (1 − β₂)·g²
 *   p ← p − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)
 */
import { StateError } from "../core/errors.ts";
import type { Param } from "../tensor/tensor.ts";
import type { Engine } from "../wasm/engine.ts";
import type { Ptr } from "../wasm/memory.ts";

/** torch's names in camelCase, and torch's defaults except that weight decay is 0. */
export interface AdamWOptions {
  readonly beta1?: number;
  readonly beta2?: number;
  readonly eps?: number;
  /** λ, multiplied by the learning rate. */
  readonly weightDecay?: number;
}

/** One trained tensor with its two moments, f32 blocks of the tensor's size. */
export interface AdamWSlot {
  readonly name: string;
  readonly param: Param;
  /** Mean of the gradients, m. */
  readonly expAvg: Ptr;
  /** Mean of their squares, v. */
  readonly expAvgSq: Ptr;
}

/**
 * Trains the given Params. Its state lives in the engine's memory until it is disposed of.
 *
 * @example
 * using optimizer = new AdamW(engine, model.namedTrainable());
 * optimizer.zeroGrad();
 * // ... backward passes ...
 * optimizer.step(1e-3);
 */
export class AdamW {
  readonly slots: readonly AdamWSlot[];
  readonly #engine: Engine;
  readonly #options: Required<AdamWOptions>;
  #steps = 0;
  #disposed = false;

  /** Throws StateError when there is nothing to train or a Param is not trainable. */
  constructor(engine: Engine, params: ReadonlyMap<string, Param>, options: AdamWOptions = {}) {
    if (params.size === 0) throw new StateError("AdamW: no trainable parameters were given, expected at least one");
    this.#engine = engine;
    this.#options = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, ...options };
    this.slots = Array.from(params, ([name, param]) => {
      if (!param.trainable)
        throw new StateError(`AdamW: "${name}" is not trainable; call setTrainable(true) on it first`);
      return { name, param, expAvg: this.#moment(name, param), expAvgSq: this.#moment(name, param) };
    });
  }

  /** Bytes of both moments of `params`. */
  static stateBytes(params: Iterable<Param>): number {
    let bytes = 0;
    for (const { size } of params) bytes += 8 * size;
    return bytes;
  }

  /** How many steps were taken. Set when a checkpoint is loaded: it decides the bias corrections. */
  get steps(): number {
    return this.#steps;
  }
  set steps(steps: number) {
    this.#steps = steps;
  }

  /** Sets all gradients to zero. */
  zeroGrad(): void {
    for (const { param } of this.slots) param.gradient().fill(0);
  }

  /** Moves every parameter by its gradient times `gradScale`, the factor of clipping. */
  step(lr: number, gradScale = 1): void {
    const { beta1, beta2, eps, weightDecay } = this.#options;
    const t = ++this.#steps;
    for (const { param, expAvg, expAvgSq } of this.slots) {
      this.#engine.kernels.adamw_f32(
        param.ptr,
        param.grad,
        expAvg,
        expAvgSq,
        gradScale,
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        1 - beta1 ** t,
        1 - beta2 ** t,
        0,
        param.size,
      );
    }
  }

  #moment(name: string, param: Param): Ptr {
    const ptr = this.#engine.memory.alloc(param.size * 4, `the optimiser's state of "${name}"`);
    this.#engine.memory.f32(ptr, param.size).fill(0);
    return ptr;
  }

  /** Frees the moments. The Params stay. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const { expAvg, expAvgSq } of this.slots) {
      this.#engine.memory.free(expAvg);
      this.#engine.memory.free(expAvgSq);
    }
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
