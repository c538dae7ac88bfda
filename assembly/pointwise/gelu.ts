/**
 * Gaussian error linear unit (Hendrycks and Gimpel 2016), both published forms. Φ and φ are the standard normal
 * distribution and its density.
 *
 *   gelu_erf    y = x·Φ(x)                       dx += dy·(Φ(x) + x·φ(x))
 *   gelu_tanh   y = x·s,  s = sigmoid(2u)        dx += dy·(s + x·s·(1 − s)·2u′)
 *               u = √(2/π)·(x + 0.044715·x³)     u′ = √(2/π)·(1 + 3·0.044715·x²)
 *   gelu_gate   y = gelu_tanh(gate)·up           the gated unit of T5 1.1 (Shazeer 2020, GEGLU)
 *
 * sigmoid(2u) is (1 + tanh u) / 2 without its cancellation for negative u.
 * start, end: element range. y may be x, gate or up.
 */
import { exp4 } from "../simd/exp";
import { madd } from "../simd/lanes";
import { normalTail4, sigmoid4 } from "../simd/math";
import { loadPart, storePart } from "../simd/part";

const TWICE_ROOT_2_PI: f32 = 1.5957691216057308; // 2·√(2/π)
const CUBIC: f32 = 0.044715;
const ROOT_1_2PI: f32 = 0.3989422804014327; // 1/√(2π)

/** @split items */
export function gelu_tanh_f32(y: usize, x: usize, start: i32, end: i32): void {
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    const v = loadPart(x + i, left);
    storePart(y + i, f32x4.mul(v, sigmoid4(twiceU(v, f32x4.mul(v, v)))), left);
  }
}

/** @split items */
export function gelu_tanh_f32_dx(dx: usize, dy: usize, x: usize, start: i32, end: i32): void {
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    const v = loadPart(x + i, left);
    const square = f32x4.mul(v, v);
    const slope = slopeOfTanhForm(v, square, sigmoid4(twiceU(v, square)));
    storePart(dx + i, madd(loadPart(dy + i, left), slope, loadPart(dx + i, left)), left);
  }
}

/** @split items */
export function gelu_gate_f32(y: usize, gate: usize, up: usize, start: i32, end: i32): void {
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    const g = loadPart(gate + i, left);
    storePart(y + i, f32x4.mul(f32x4.mul(g, sigmoid4(twiceU(g, f32x4.mul(g, g)))), loadPart(up + i, left)), left);
  }
}

/** @split items */
export function gelu_gate_f32_d(
  dgate: usize, dup: usize, dy: usize, gate: usize, up: usize, start: i32, end: i32,
): void {
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    const g = loadPart(gate + i, left), d = loadPart(dy + i, left);
    const square = f32x4.mul(g, g);
    const s = sigmoid4(twiceU(g, square));
    const slope = f32x4.mul(loadPart(up + i, left), slopeOfTanhForm(g, square, s));
    storePart(dgate + i, madd(d, slope, loadPart(dgate + i, left)), left);
    storePart(dup + i, madd(d, f32x4.mul(g, s), loadPart(dup + i, left)), left);
  }
}

/** s + x·s·(1 − s)·2u′. */
// @ts-ignore: decorator
@inline
function slopeOfTanhForm(x: v128, square: v128, s: v128): v128 {
  const one = f32x4.splat(1);
  const slopeOf2U = f32x4.mul(f32x4.splat(TWICE_ROOT_2_PI), madd(f32x4.splat(3 * CUBIC), square, one));
  return madd(f32x4.mul(f32x4.mul(x, s), f32x4.sub(one, s)), slopeOf2U, s);
}

// @ts-ignore: decorator
@inline
function twiceU(x: v128, square: v128): v128 {
  const inner = madd(f32x4.splat(CUBIC), square, f32x4.splat(1));
  return f32x4.mul(f32x4.splat(TWICE_ROOT_2_PI), f32x4.mul(x, inner));
}

/** @split items */
export function gelu_erf_f32(y: usize, x: usize, start: i32, end: i32): void {
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    const v = loadPart(x + i, left);
    storePart(y + i, f32x4.mul(v, normal(v, bell(v))), left);
  }
}

/** @split items */
export function gelu_erf_f32_dx(dx: usize, dy: usize, x: usize, start: i32, end: i32): void {
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    const v = loadPart(x + i, left);
    const e = bell(v);
    const slope = madd(f32x4.mul(v, f32x4.splat(ROOT_1_2PI)), e, normal(v, e));
    storePart(dx + i, madd(loadPart(dy + i, left), slope, loadPart(dx + i, left)), left);
  }
}

/** exp(−x²/2). */
// @ts-ignore: decorator
@inline
function bell(x: v128): v128 {
  return exp4(f32x4.mul(f32x4.mul(x, x), f32x4.splat(-0.5)));
}

/** Φ(x), given e = bell(x). */
// @ts-ignore: decorator
@inline
function normal(x: v128, e: v128): v128 {
  const tail = normalTail4(f32x4.abs(x), e);
  return v128.bitselect(tail, f32x4.sub(f32x4.splat(1), tail), f32x4.lt(x, f32x4.splat(0)));
}
