import type { Value } from "../../tape/tape.ts";
import type { Ptr } from "../../wasm/memory.ts";

/** Tables and positions that a step's rotations share. */
export interface Rotation {
  readonly positions: Ptr; // i32 [T]
  readonly cos: Ptr; // f32 [maxPosition, rotaryDim / 2]
  readonly sin: Ptr;
  readonly rotaryDim: number;
}

/**
 * Rotates pairs (i, i + rotaryDim/2) of every head by the angle of its position, in place (Su et al. 2021, RoPE, in the
 * arrangement of GPT-NeoX and Llama). The gradient is the rotation the other way.
 */
export function rotate(x: Value, heads: number, rotation: Rotation): Value {
  const { tape } = x;
  const [rows, width] = x.shape as [number, number];
  const { positions, cos, sin, rotaryDim } = rotation;
  const turn = (ptr: Ptr, direction: number) =>
    tape.kernels.rotary_f32(ptr, positions, cos, sin, heads, width / heads, rotaryDim, width, direction, 0, rows);
  turn(x.ptr, 1);
  tape.recordInPlace(x, [], (dx) => turn(dx, -1));
  return x;
}
