/**
 * Three kinds of tensor with three lifetimes, distinguished by type: loaded and never changed (`Frozen`), trained
 * (`Param`), and computed by a step (`Value`, in src/tape/). Only a Param has a gradient that outlives a step.
 */
import { StateError } from "../core/errors.ts";
import { formatShape, type Shape, sizeOf } from "../core/shape.ts";
import { MemoryBlock } from "../wasm/block.ts";
import { aligned, type Memory, type Ptr } from "../wasm/memory.ts";

/** Dtypes whose elements are stored individually. */
export type DenseDtype = "f32" | "f16" | "bf16";

/**
 * How a frozen matrix is kept in memory: as in its checkpoint, or compressed when it is loaded (src/tensor/frozen.ts).
 */
export type FrozenDtype = DenseDtype | "int8" | "nf4";

export const bytesPerElement: Record<DenseDtype, number> = { f32: 4, f16: 2, bf16: 2 };

/** A frozen tensor in memory. */
export interface LoadedTensor {
  readonly kind: "frozen";
  readonly name: string;
  readonly shape: Shape;
  /** The address of the one block that holds all of it. Throws StateError once it is disposed of. */
  readonly ptr: Ptr;
  dispose(): void;
}

/** A frozen tensor of floats. */
export interface Dense extends LoadedTensor {
  readonly dtype: DenseDtype;
  /** The dtype that files hold it in, where memory holds it in another. */
  readonly storedAs?: DenseDtype;
}

/** w = scale·q with q in −127..127, one scale per output feature. */
export interface Int8 extends LoadedTensor {
  readonly dtype: "int8";
  /** f32, one per stored row or per stored column. */
  readonly scales: Ptr;
  readonly perColumn: boolean;
}

/** Four bits per element, blocks of 64 with quantized scales: QLoRA (Dettmers et al. 2023). */
export interface Nf4 extends LoadedTensor {
  readonly dtype: "nf4";
}

/** LoadedTensor from a checkpoint. It has no gradient, so the tape cannot record one by accident. */
export type Frozen = Dense | Int8 | Nf4;

/**
 * A trained tensor, always f32: the only kind that an optimizer accepts. It owns its gradient, which exists while
 * `trainable` is true (an adapter loaded for inference costs no gradient memory).
 */
export class Param {
  readonly kind = "param";
  readonly dtype = "f32";
  readonly name: string;
  readonly shape: Shape;
  readonly memory: Memory;
  /** How often its value was replaced or an optimizer moved it: who keeps results of it looks here. */
  updates = 0;
  readonly #block: MemoryBlock;
  #grad: MemoryBlock | null = null;

  /** Contents are undefined until written. For `near` see `Memory.alloc`. */
  constructor(memory: Memory, name: string, shape: Shape, near?: Ptr) {
    this.memory = memory;
    this.name = name;
    this.shape = shape;
    this.#block = new MemoryBlock(memory, sizeOf(shape) * 4, `"${name}" ${formatShape(shape)}`, near);
  }

  /** The address of its value. Throws StateError once it is disposed of, as all that follow from it do. */
  get ptr(): Ptr {
    return this.#block.ptr;
  }
  get size(): number {
    return sizeOf(this.shape);
  }
  get trainable(): boolean {
    return this.#grad !== null;
  }
  /** Bytes of memory of the value and gradient. */
  get bytes(): number {
    return (this.trainable ? 2 : 1) * aligned(this.size * 4);
  }
  /** The address of the gradient, which has the same shape as the value. */
  get grad(): Ptr {
    this.#block.expectHeld();
    if (this.#grad === null) throw new StateError(`"${this.name}" is not trainable, so it has no gradient`);
    return this.#grad.ptr;
  }

  /** Creates or drops the gradient. A new gradient is zero. */
  setTrainable(trainable: boolean): void {
    if (trainable === this.trainable) return;
    this.#grad?.free();
    this.#grad = null;
    if (!trainable) return;
    this.#block.expectHeld();
    this.#grad = new MemoryBlock(this.memory, this.size * 4, `the gradient of "${this.name}"`, this.ptr);
    this.gradient().fill(0);
  }

  /** Views of value and gradient: valid until the memory next grows. */
  values(): Float32Array {
    return this.memory.f32(this.ptr, this.size);
  }
  gradient(): Float32Array {
    return this.memory.f32(this.grad, this.size);
  }

  dispose(): void {
    this.setTrainable(false);
    this.#block.free();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Kept at reduced precision: it can be read but not written. */
export function isQuantised(weight: Weight): weight is Int8 | Nf4 {
  return weight.dtype === "int8" || weight.dtype === "nf4";
}

/** A matrix or vector that a layer computes with: frozen or fully trained. */
export type Weight = Frozen | Param;

/** True if a gradient must be computed for this weight. */
export function isTrained(weight: Weight | null): weight is Param {
  return weight !== null && weight.kind === "param" && weight.trainable;
}
