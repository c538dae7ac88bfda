/** Builds frozen weights in the requested dtype from f32 numbers that arrive piece by piece. */
import { f32ToBf16 } from "../core/half.ts";
import { narrowToF16 } from "../core/non-finite.ts";
import { formatShape, type Shape, sizeOf } from "../core/shape.ts";
import { MemoryBlock } from "../wasm/block.ts";
import type { Engine } from "../wasm/engine.ts";
import { aligned, type Memory, type Ptr } from "../wasm/memory.ts";
import { finishNf4, nf4Blocks, nf4Bytes, nf4Codes } from "./nf4.ts";
import {
  bytesPerElement,
  type Dense,
  type DenseDtype,
  type Frozen,
  type FrozenDtype,
  type Int8,
  type Nf4,
} from "./tensor.ts";

/** Bytes of a frozen tensor, scales included. `perColumn` means that output features are along its columns. */
export function frozenBytes(shape: Shape, dtype: FrozenDtype, perColumn: boolean): number {
  const size = sizeOf(shape);
  if (dtype === "nf4") return nf4Bytes(size);
  if (dtype === "int8") return aligned(size) + 4 * outputsOf(shape, perColumn);
  return size * bytesPerElement[dtype];
}

function outputsOf(shape: Shape, perColumn: boolean): number {
  return perColumn ? shape.at(-1)! : sizeOf(shape) / shape.at(-1)!;
}

/** A frozen tensor with undefined contents; see `Dense` for `storedAs` and `Memory.alloc` for `near`. */
export function allocateFrozen(
  memory: Memory,
  name: string,
  shape: Shape,
  dtype: FrozenDtype,
  perColumn: boolean,
  storedAs?: DenseDtype,
  near?: Ptr,
): Frozen {
  const block = new MemoryBlock(memory, frozenBytes(shape, dtype, perColumn), `"${name}" ${formatShape(shape)}`, near);
  const tensor = {
    ...({ kind: "frozen", name, shape, dtype, perColumn } as const),
    ...(storedAs && { storedAs }),
    get ptr() {
      return block.ptr;
    },
    /** Of int8. */
    get scales() {
      return (block.ptr + aligned(sizeOf(shape))) as Ptr;
    },
    dispose: () => block.free(),
  };
  return tensor as Frozen;
}

/** A frozen f32 tensor that has no memory. */
export function withoutMemory(name: string, shape: Shape, ptr: Ptr = 0 as Ptr): Dense {
  return { kind: "frozen", name, shape, dtype: "f32", ptr, dispose: () => {} };
}

/** Receives all numbers of a tensor in order, `passes` times, in whole rows. */
export interface FrozenWriter {
  readonly passes: number;
  write(values: Float32Array, start: number, pass: number): void;
  finish(): void;
}

/** Writes into `tensor`. */
export function frozenWriter(engine: Engine, tensor: Frozen): FrozenWriter {
  if (tensor.dtype === "int8")
    return tensor.perColumn ? int8ColumnWriter(engine, tensor) : int8RowWriter(engine, tensor);
  if (tensor.dtype === "nf4") return nf4Writer(engine, tensor);
  const { name, dtype, ptr } = tensor;
  return {
    passes: 1,
    write(values, start) {
      writeDense(engine.memory, { name, dtype }, (ptr + start * bytesPerElement[dtype]) as Ptr, values);
    },
    finish: () => {},
  };
}

/**
 * Overwrites numbers of a weight from `ptr` on, rounding to nearest, ties to even. Throws FormatError where a finite number
 * would become infinite.
 */
export function writeDense(
  memory: Memory,
  { name, dtype }: { readonly name: string; readonly dtype: DenseDtype },
  ptr: Ptr,
  values: Float32Array,
): void {
  if (dtype === "f32") memory.f32(ptr, values.length).set(values);
  else if (dtype === "f16") narrowToF16(`"${name}"`, values, memory.u16(ptr, values.length));
  else f32ToBf16(values, memory.u16(ptr, values.length));
}

/** Calls `use` with the address of a copy of `values` in the memory of what they are for. */
function staged(memory: Memory, values: Float32Array, near: Ptr, use: (ptr: Ptr) => void): void {
  const ptr = memory.alloc(values.byteLength, "a piece of a weight", near);
  try {
    memory.f32(ptr, values.length).set(values);
    use(ptr);
  } finally {
    memory.free(ptr);
  }
}

function int8RowWriter({ memory, kernels }: Engine, { ptr, scales, shape }: Int8): FrozenWriter {
  const width = shape.at(-1)!;
  return {
    passes: 1,
    write(values, start) {
      const rows = values.length / width;
      const to = [ptr + start, scales + (start / width) * 4] as const;
      staged(memory, values, ptr, (from) => kernels.quantize_int8(...to, from, rows, width, width, 0, rows));
    },
    finish: () => {},
  };
}

/** The scale of a column is known only after all rows have passed. */
function int8ColumnWriter({ memory, kernels }: Engine, { ptr, scales, shape }: Int8): FrozenWriter {
  const width = shape.at(-1)!;
  memory.f32(scales, width).fill(0);
  return {
    passes: 2,
    write(values, start, pass) {
      const rows = values.length / width;
      staged(memory, values, ptr, (from) => {
        if (pass === 0) kernels.absmax_columns_f32(scales, from, rows, width, 0, width);
        else kernels.quantize_int8_columns(ptr + start, scales, from, rows, width, width, 0, rows);
      });
      if (pass === 0 && start + values.length === sizeOf(shape)) {
        const most = memory.f32(scales, width);
        most.forEach((value, j) => {
          most[j] = value / 127;
        });
      }
    },
    finish: () => {},
  };
}

function nf4Writer({ memory, kernels }: Engine, { ptr, shape }: Nf4): FrozenWriter {
  const size = sizeOf(shape);
  const blocks = nf4Blocks(size);
  const absmax = new Float32Array(blocks);
  let carried = new Float32Array(0); // numbers of a block that the next piece continues
  return {
    passes: 1,
    write(values, start) {
      const whole = new Float32Array(carried.length + values.length);
      whole.set(carried);
      whole.set(values, carried.length);
      const last = start + values.length === size;
      const count = last ? Math.ceil(whole.length / 64) : Math.floor(whole.length / 64);
      const first = (start - carried.length) / 64;
      carried = whole.slice(count * 64);
      const scales = memory.alloc(Math.max(1, count) * 4, "scales of a weight", ptr);
      try {
        staged(memory, whole, ptr, (from) => {
          kernels.quantize_nf4(nf4Codes(ptr) + first * 32, scales, from, whole.length, 0, count);
        });
        absmax.set(memory.f32(scales, count), first);
      } finally {
        memory.free(scales);
      }
    },
    finish: () => finishNf4(memory, ptr, size, absmax),
  };
}
