/** Weights as numbers on the host: widened from, and rounded to, their stored dtype. */
import { UnsupportedError } from "../core/errors.ts";
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "../core/half.ts";
import { sizeOf } from "../core/shape.ts";
import type { Memory, Ptr } from "../wasm/memory.ts";
import { frozenBytes, writeDense } from "./frozen.ts";
import { readNf4 } from "./nf4.ts";
import { bytesPerElement, type Dense, type Int8, isQuantised, type Param, type Weight } from "./tensor.ts";

/** Elements `start` to `end` (exclusive) of a weight in f32. A copy. */
export function readElements(memory: Memory, weight: Weight, start = 0, end = sizeOf(weight.shape)): Float32Array {
  if (weight.dtype === "int8") return readInt8(memory, weight, start, end);
  if (weight.dtype === "nf4") return readNf4(memory, weight.ptr, sizeOf(weight.shape), start, end);
  const ptr = addressOf(weight, start);
  if (weight.dtype === "f32") return memory.f32(ptr, end - start).slice();
  return weight.dtype === "f16" ? f16ToF32(memory.u16(ptr, end - start)) : bf16ToF32(memory.u16(ptr, end - start));
}

function readInt8(memory: Memory, { shape, ptr, scales, perColumn }: Int8, start: number, end: number): Float32Array {
  const width = shape.at(-1)!;
  const codes = memory.i8((ptr + start) as Ptr, end - start);
  const factors = memory.f32(scales, perColumn ? width : sizeOf(shape) / width);
  return Float32Array.from(
    codes,
    (code, i) => code * factors[perColumn ? (start + i) % width : Math.floor((start + i) / width)]!,
  );
}

/**
 * Overwrites elements from `start` on, rounding to the weight's dtype: to nearest, ties to even. Throws
 * UnsupportedError for a quantized weight because its scales would no longer fit, FormatError for a finite number beyond f16.
 */
export function writeElements(memory: Memory, weight: Weight, start: number, values: Float32Array): void {
  const dense = expectDense(weight);
  writeDense(memory, dense, addressOf(dense, start), values);
}

/** The values after storing: the result of `writeElements` followed by `readElements`. */
export function rounded(weight: Weight, values: Float32Array): Float32Array {
  const { dtype } = expectDense(weight);
  if (dtype === "f32") return values;
  return dtype === "f16" ? f16ToF32(f32ToF16(values)) : bf16ToF32(f32ToBf16(values));
}

/** Returns a weight whose elements can be overwritten. */
export function expectDense(weight: Weight): Dense | Param {
  if (!isQuantised(weight)) return weight;
  throw new UnsupportedError(
    `"${weight.name}" is kept as ${weight.dtype}, which cannot be modified without quantizing it again: ` +
      'load the base with weights: "stored" to merge into it or save it, or keep the adapter separate',
  );
}

/** All bytes of a weight as stored. A view: valid until the memory next grows. */
export function storedBytes(memory: Memory, weight: Weight): Uint8Array {
  const bytes =
    weight.kind === "param" ? weight.size * 4 : frozenBytes(weight.shape, weight.dtype, perColumnOf(weight));
  return memory.u8(weight.ptr, bytes);
}

function perColumnOf(weight: Weight): boolean {
  return weight.dtype === "int8" && weight.perColumn;
}

function addressOf(weight: Dense | Param, element: number): Ptr {
  return (weight.ptr + element * bytesPerElement[weight.dtype]) as Ptr;
}
