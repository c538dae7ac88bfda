/**
 * Three kinds of tensor with three lifetimes, told apart by their types: what was loaded and never changes (`Frozen`),
 * what is trained (`Param`), and what a step computes (`Value`, in src/tape/). Only a Param has a gradient that outlives a step.
 */
import { StateError } from "../core/errors.ts";
import { formatShape, type Shape, sizeOf } from "../core/shape.ts";
import type { Memory, Ptr } from "../wasm/memory.ts";

/** How a frozen matrix is stored in memory: as in its checkpoint. */
export type FrozenDtype = "f32" | "f16" | "bf16";

export const bytesPerElement: Record<FrozenDtype, number> = { f32: 4, f16: 2, bf16: 2 };

/** Loaded from a checkpoint. Has no gradient, so the tape cannot record one by accident. */
export interface Frozen {
  readonly kind: "frozen";
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: FrozenDtype;
  readonly ptr: Ptr;
}

/**
 * A trained tensor, always f32: the only kind an optimiser takes. It owns its gradient, which exists while `trainable`
 * is true (an adapter loaded for inference costs no gradient memory).
 */
export class Param {
  readonly kind = "param";
  readonly dtype = "f32";
  readonly name: string;
  readonly shape: Shape;
  readonly ptr: Ptr;
  readonly memory: Memory;
  #grad: Ptr | null = null;
  #disposed = false;

  /** Contents are undefined until written. */
  constructor(memory: Memory, name: string, shape: Shape) {
    this.memory = memory;
    this.name = name;
    this.shape = shape;
    this.ptr = memory.alloc(sizeOf(shape) * 4, `"${name}" ${formatShape(shape)}`);
  }

  get size(): number {
    return sizeOf(this.shape);
  }
  get trainable(): boolean {
    return this.#grad !== null;
  }
  /** Address of the gradient, same shape as the value. */
  get grad(): Ptr {
    if (this.#grad === null) throw new StateError(`"${this.name}" is not trainable, so it has no gradient`);
    return this.#grad;
  }

  /** Makes or drops the gradient. A new gradient is zero. */
  setTrainable(trainable: boolean): void {
    if (trainable === this.trainable) return;
    if (trainable) {
      this.#grad = this.memory.alloc(this.size * 4, `the gradient of "${this.name}"`);
      this.gradient().fill(0);
    } else {
      this.memory.free(this.grad);
      this.#grad = null;
    }
  }

  /** Views of value and gradient: valid until the memory next grows. */
  values(): Float32Array {
    return this.memory.f32(this.ptr, this.size);
  }
  gradient(): Float32Array {
    return this.memory.f32(this.grad, this.size);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.setTrainable(false);
    this.memory.free(this.ptr);
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A matrix or vector that a layer computes with: frozen, or trained in full. */
export type Weight = Frozen | Param;

/** True when a gradient must be computed for this weight. */
export function isTrained(weight: Weight | null): weight is Param {
  return weight !== null && weight.kind === "param" && weight.trainable;
}
