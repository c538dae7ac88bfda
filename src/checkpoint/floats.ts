/** Numbers of checkpoints in f32, whatever dtype a file holds them in. */
import type { Dtype } from "../core/dtype.ts";
import { bf16ToF32, f16ToF32 } from "../core/half.ts";

const readers: Partial<Record<Dtype, (buffer: ArrayBuffer) => Float32Array>> = {
  F32: (buffer) => new Float32Array(buffer),
  F16: (buffer) => f16ToF32(new Uint16Array(buffer)),
  BF16: (buffer) => bf16ToF32(new Uint16Array(buffer)),
  F64: (buffer) => Float32Array.from(new Float64Array(buffer)),
};

/** Whether `toFloats` reads this dtype. */
export function isFloat(dtype: Dtype): boolean {
  return dtype in readers;
}

/** The dtypes that are read, as messages list them. */
export const FLOATS = "F32, F16, BF16 and F64";

/** The numbers that these bytes hold, in f32: exact but for F64, which is rounded to nearest. The bytes may be unaligned. */
export function toFloats(dtype: Dtype, bytes: Uint8Array): Float32Array {
  return readers[dtype]!(new Uint8Array(bytes).buffer);
}
