/**
 * Element types of the safetensors format and the bytes of one element, in the order the format's reference
 * implementation declares them. That order determines the position of a tensor in a file: later types come first.
 */
export const dtypeBytes = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  C64: 8,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

/** The name of an element type, as written in a safetensors header. */
export type Dtype = keyof typeof dtypeBytes;

/** Every name, in the order of the table. */
export const dtypes = Object.keys(dtypeBytes) as readonly Dtype[];

/** Whether `name` is in the table (and is not a property of every object, such as "constructor"). */
export function isDtype(name: unknown): name is Dtype {
  return typeof name === "string" && Object.hasOwn(dtypeBytes, name);
}
