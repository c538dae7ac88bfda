/** Smooth functions of four lanes, built on exp4, and a logarithm. Constants are in memory, as in exp.ts. */
import { exp4, ONE } from "./exp";
import { madd } from "./lanes";

/** 1 / (1 + exp(−x)). */
// @ts-ignore: decorator
@inline
export function sigmoid4(x: v128, once: bool): v128 {
  const one = v128.load32_splat(ONE);
  return f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(x), once)));
}

const TANH: usize = memory.data<f32>([
  -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1, 2, 0.625, -0.0,
]);
const TWO: usize = TANH + 20, NEAR: usize = TANH + 24, SIGN: usize = TANH + 28;

/**
 * tanh x. Up to 0.625 the odd polynomial of Cephes' tanhf, beyond it 1 − 2 / (exp(2|x|) + 1), which cancels nothing
 * there. About two units in the last place; NaN stays NaN.
 */
// @ts-ignore: decorator
@inline
export function tanh4(x: v128, once: bool): v128 {
  const one = v128.load32_splat(ONE), z = f32x4.mul(x, x), size = f32x4.abs(x);
  let p = v128.load32_splat(TANH);
  p = madd(p, z, v128.load32_splat(TANH, 4));
  p = madd(p, z, v128.load32_splat(TANH, 8));
  p = madd(p, z, v128.load32_splat(TANH, 12));
  p = madd(p, z, v128.load32_splat(TANH, 16));
  const near = madd(f32x4.mul(p, z), x, x);
  const far = f32x4.sub(one, f32x4.div(v128.load32_splat(TWO), f32x4.add(exp4(f32x4.add(size, size), once), one)));
  const sign = v128.and(x, v128.load32_splat(SIGN));
  return v128.bitselect(near, v128.or(far, sign), f32x4.le(size, v128.load32_splat(NEAR)));
}

const TAIL: usize = memory.data<f32>([
  -2.70633066e-4, -9.09029549e-4, 1.07712009e-3, 6.92789725e-3, -1.04796621e-2, -4.72569046e-2, 2.30019286e-1,
  -5.09332243e-1, 7.2908367e-1, 3, 13.5,
]);
const THREE: usize = TAIL + 36, END_OF_TAIL: usize = TAIL + 40;

/**
 * Upper tail of the standard normal distribution, erfc(z/√2) / 2, for z ≥ 0, given e = exp(−z²/2). About two units in
 * the last place beside the error of e; 0 where e underflows.
 *
 * The tail over e is P(s) / (z + 3) with s = (z − 3) / (z + 3), P the degree-8 minimax polynomial for relative error on
 * 0 ≤ z ≤ 13.5 (4.2e-8, by the Remez algorithm).
 */
// @ts-ignore: decorator
@inline
export function normalTail4(z: v128, e: v128, once: bool): v128 {
  return once ? calledTail(z, e) : inlinedTail(z, e);
}

function calledTail(z: v128, e: v128): v128 {
  return inlinedTail(z, e);
}

// @ts-ignore: decorator
@inline
function inlinedTail(z: v128, e: v128): v128 {
  const three = v128.load32_splat(THREE);
  z = f32x4.min(z, v128.load32_splat(END_OF_TAIL));
  const t = f32x4.div(v128.load32_splat(ONE), f32x4.add(z, three));
  const s = f32x4.mul(f32x4.sub(z, three), t);
  let p = v128.load32_splat(TAIL);
  p = madd(p, s, v128.load32_splat(TAIL, 4));
  p = madd(p, s, v128.load32_splat(TAIL, 8));
  p = madd(p, s, v128.load32_splat(TAIL, 12));
  p = madd(p, s, v128.load32_splat(TAIL, 16));
  p = madd(p, s, v128.load32_splat(TAIL, 20));
  p = madd(p, s, v128.load32_splat(TAIL, 24));
  p = madd(p, s, v128.load32_splat(TAIL, 28));
  p = madd(p, s, v128.load32_splat(TAIL, 32));
  return f32x4.mul(e, f32x4.mul(p, t));
}

/**
 * ln x of one positive, normal number, to within 0.51 units in the last place: x = 2ⁿ·f with √½ < f < √2, and in f64
 * ln f = 2·atanh(s) = 2·(s + s³/3 + …), s = (f − 1) / (f + 1). |s| < 0.172, so terms from s¹³ on are below 2⁻³³·s.
 * NaN and +∞ stay.
 */
export function log1(x: f32): f32 {
  if (!(x < Infinity)) return x;
  // Exponent of x/√½, so that the mantissa is centered on 1.
  const n = (reinterpret<i32>(x) - 0x3f3504f3) >> 23;
  const f = <f64>reinterpret<f32>(reinterpret<i32>(x) - (n << 23));
  const s = (f - 1) / (f + 1);
  const q = s * s;
  const series = 1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0)))));
  return <f32>(<f64>n * 0.6931471805599453 + 2 * s * series);
}
