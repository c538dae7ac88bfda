/** Smooth functions of four lanes, built on exp4, and a logarithm. */
import { exp4 } from "./exp";
import { madd } from "./lanes";

/** 1 / (1 + exp(−x)). */
// @ts-ignore: decorator
@inline
export function sigmoid4(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(x))));
}

/**
 * tanh x. Up to 0.625 the odd polynomial of Cephes' tanhf, beyond it 1 − 2 / (exp(2|x|) + 1), which cancels nothing
 * there. About two units in the last place; NaN stays NaN.
 */
// @ts-ignore: decorator
@inline
export function tanh4(x: v128): v128 {
  const one = f32x4.splat(1), z = f32x4.mul(x, x), size = f32x4.abs(x);
  let p = f32x4.splat(-5.70498872745e-3);
  p = madd(p, z, f32x4.splat(2.06390887954e-2));
  p = madd(p, z, f32x4.splat(-5.37397155531e-2));
  p = madd(p, z, f32x4.splat(1.33314422036e-1));
  p = madd(p, z, f32x4.splat(-3.33332819422e-1));
  const near = madd(f32x4.mul(p, z), x, x);
  const far = f32x4.sub(one, f32x4.div(f32x4.splat(2), f32x4.add(exp4(f32x4.add(size, size)), one)));
  const sign = v128.and(x, f32x4.splat(-0.0));
  return v128.bitselect(near, v128.or(far, sign), f32x4.le(size, f32x4.splat(0.625)));
}

/**
 * Upper tail of the standard normal distribution, erfc(z/√2) / 2, for z ≥ 0, given e = exp(−z²/2). About two units in
 * the last place beside the error of e; 0 where e underflows.
 *
 * The tail over e is P(s) / (z + 3) with s = (z − 3) / (z + 3), P the degree-8 minimax polynomial for relative error on
 * 0 ≤ z ≤ 13.5 (4.2e-8, by the Remez algorithm).
 */
// @ts-ignore: decorator
@inline
export function normalTail4(z: v128, e: v128): v128 {
  const three = f32x4.splat(3);
  z = f32x4.min(z, f32x4.splat(13.5));
  const t = f32x4.div(f32x4.splat(1), f32x4.add(z, three));
  const s = f32x4.mul(f32x4.sub(z, three), t);
  let p = f32x4.splat(-2.70633066e-4);
  p = madd(p, s, f32x4.splat(-9.09029549e-4));
  p = madd(p, s, f32x4.splat(1.07712009e-3));
  p = madd(p, s, f32x4.splat(6.92789725e-3));
  p = madd(p, s, f32x4.splat(-1.04796621e-2));
  p = madd(p, s, f32x4.splat(-4.72569046e-2));
  p = madd(p, s, f32x4.splat(2.30019286e-1));
  p = madd(p, s, f32x4.splat(-5.09332243e-1));
  p = madd(p, s, f32x4.splat(7.2908367e-1));
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
