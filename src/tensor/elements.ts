/** Weights as numbers on the host: widened from, and rounded to, the dtype they are stored in. */
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "../core/half.ts";
import { sizeOf } from "../core/shape.ts";
import type { Memory, Ptr } from "../wasm/memory.ts";
import { bytesPerElement, type Weight } from "./tensor.ts";

/** Elements `start` to `end` (exclusive) of a weight in f32. A copy. */
export function readElements(memory: Memory, weight: Weight, start = 0, end = sizeOf(weight.shape)): Float32Array {
  const ptr = addressOf(weight, start);
  if (weight.dtype === "f32") return memory.f32(ptr, end - start).slice();
  return weight.dtype === "f16" ? f16ToF32(memory.u16(ptr, end - start)) : bf16ToF32(memory.u16(ptr, end - start));
}

/** Overwrites elements from `start` on, rounding to the weight's dtype: to nearest, ties to even. */
export function writeElements(memory: Memory, weight: Weight, start: number, values: Float32Array): void {
  const ptr = addressOf(weight, start);
  if (weight.dtype === "f32") memory.f32(ptr, values.length).set(values);
  else if (weight.dtype === "f16") f32ToF16(values, memory.u16(ptr, values.length));
  else f32ToBf16(values, memory.u16(ptr, values.length));
}

/** The values as they would be once stored: what `writeElements` and then `readElements` give. */
export function rounded(weight: Weight, values: Float32Array): Float32Array {
  if (weight.dtype === "f32") return values;
  return weight.dtype === "f16" ? f16ToF32(f32ToF16(values)) : bf16ToF32(f32ToBf16(values));
}

/** All bytes of a weight as it is stored. A view: valid until the memory next grows. */
export function storedBytes(memory: Memory, weight: Weight): Uint8Array {
  return memory.u8(weight.ptr, sizeOf(weight.shape) * bytesPerElement[weight.dtype]);
}

function addressOf(weight: Weight, element: number): Ptr {
  return (weight.ptr + element * bytesPerElement[weight.dtype]) as Ptr;
}
