/**
 * The gated unit of Llama's feed-forward (Shazeer 2020, SwiGLU), with s = sigmoid(gate):
 *
 *   y = gate·s·up
 *   dgate += dy·up·s·(1 + gate·(1 − s))      dup += dy·gate·s
 *
 * start, end: element range. y may be gate or up.
 */
import { madd } from "../simd/lanes";
import { sigmoid4 } from "../simd/math";
import { loadPart, storePart } from "../simd/part";

/** @split items */
export function silu_gate_f32(y: usize, gate: usize, up: usize, start: i32, end: i32): void {
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    const g = loadPart(gate + i, left);
    storePart(y + i, f32x4.mul(f32x4.mul(g, sigmoid4(g)), loadPart(up + i, left)), left);
  }
}

/** @split items */
export function silu_gate_f32_d(
  dgate: usize, dup: usize, dy: usize, gate: usize, up: usize, start: i32, end: i32,
): void {
  const one = f32x4.splat(1);
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    const g = loadPart(gate + i, left), d = loadPart(dy + i, left);
    const s = sigmoid4(g);
    const slope = f32x4.mul(s, madd(g, f32x4.sub(one, s), one));
    storePart(dgate + i, madd(f32x4.mul(d, loadPart(up + i, left)), slope, loadPart(dgate + i, left)), left);
    storePart(dup + i, madd(d, f32x4.mul(g, s), loadPart(dup + i, left)), left);
  }
}
