/**
 * The sigmoid linear unit (Elfwing et al. 2017) and the gated unit of Llama's feed-forward (Shazeer 2020, SwiGLU), s = sigmoid(x)
 * or sigmoid(gate).
 *
 *   silu         y = x·s              dx += dy·s·(1 + x·(1 − s))
 *   silu_gate    y = gate·s·up        dgate += dy·up·s·(1 + gate·(1 − s))      dup += dy·gate·s
 *
 * start, end: element range. y may be x, gate or up.
 */
import { ONE } from "../simd/exp";
import { madd } from "../simd/lanes";
import { sigmoid4 } from "../simd/math";
import { gated, gateGradient } from "./gate";

/** @split items */
export function silu_f32(y: usize, x: usize, start: i32, end: i32): void {
  silu_gate_f32(y, x, 0, start, end);
}

/** @split items */
export function silu_f32_dx(dx: usize, dy: usize, x: usize, start: i32, end: i32): void {
  silu_gate_f32_d(dx, 0, dy, x, 0, start, end);
}

/** @split items */
export function silu_gate_f32(y: usize, gate: usize, up: usize, start: i32, end: i32): void {
  gated<Silu>(y, gate, up, start, end);
}

/** @split items */
export function silu_gate_f32_d(
  dgate: usize, dup: usize, dy: usize, gate: usize, up: usize, start: i32, end: i32,
): void {
  gateGradient<Silu>(dgate, dup, dy, gate, up, start, end);
}

@unmanaged
class Silu {
  // @ts-ignore: decorator
  @inline
  share(x: v128, once: bool): v128 {
    return sigmoid4(x, once);
  }

  // @ts-ignore: decorator
  @inline
  gradient(d: v128, up: v128, x: v128, s: v128, dgate: v128): v128 {
    const one = v128.load32_splat(ONE);
    return madd(f32x4.mul(d, up), f32x4.mul(s, madd(x, f32x4.sub(one, s), one)), dgate);
  }
}
