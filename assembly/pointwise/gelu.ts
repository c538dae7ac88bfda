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
import { exp4, ONE } from "../simd/exp";
import { madd } from "../simd/lanes";
import { map, map3 } from "../simd/map";
import { normalTail4, sigmoid4 } from "../simd/math";
import { gated, gateGradient } from "./gate";
import { AddSlope } from "./slope";

/** 2·√(2/π), the coefficient of x³, three times it, 1/√(2π), −½. In memory, as the constants of simd/exp.ts. */
const TABLE: usize = memory.data<f32>([1.5957691216057308, 0.044715, 0.13414499163627625, 0.3989422804014327, -0.5]);
const TWICE_ROOT_2_PI: usize = TABLE, CUBIC: usize = TABLE + 4, CUBIC_3: usize = TABLE + 8;
const ROOT_1_2PI: usize = TABLE + 12, MINUS_HALF: usize = TABLE + 16;

/** @split items */
export function gelu_tanh_f32(y: usize, x: usize, start: i32, end: i32): void {
  gelu_gate_f32(y, x, 0, start, end);
}

/** @split items */
export function gelu_tanh_f32_dx(dx: usize, dy: usize, x: usize, start: i32, end: i32): void {
  gelu_gate_f32_d(dx, 0, dy, x, 0, start, end);
}

/** @split items */
export function gelu_gate_f32(y: usize, gate: usize, up: usize, start: i32, end: i32): void {
  gated<GeluTanh>(y, gate, up, start, end);
}

/** @split items */
export function gelu_gate_f32_d(
  dgate: usize, dup: usize, dy: usize, gate: usize, up: usize, start: i32, end: i32,
): void {
  gateGradient<GeluTanh>(dgate, dup, dy, gate, up, start, end);
}

@unmanaged
class GeluTanh {
  /** sigmoid(2u). */
  // @ts-ignore: decorator
  @inline
  share(x: v128, once: bool): v128 {
    const inner = madd(v128.load32_splat(CUBIC), f32x4.mul(x, x), v128.load32_splat(ONE));
    return sigmoid4(f32x4.mul(v128.load32_splat(TWICE_ROOT_2_PI), f32x4.mul(x, inner)), once);
  }

  // @ts-ignore: decorator
  @inline
  gradient(d: v128, up: v128, x: v128, s: v128, dgate: v128): v128 {
    return madd(d, f32x4.mul(up, this.slopeAt(x, s)), dgate);
  }

  /** s + x·s·(1 − s)·2u′. */
  // @ts-ignore: decorator
  @inline
  slopeAt(x: v128, s: v128): v128 {
    const one = v128.load32_splat(ONE);
    const inner = madd(v128.load32_splat(CUBIC_3), f32x4.mul(x, x), one);
    return madd(f32x4.mul(f32x4.mul(x, s), f32x4.sub(one, s)), f32x4.mul(v128.load32_splat(TWICE_ROOT_2_PI), inner), s);
  }
}

/** @split items */
export function gelu_erf_f32(y: usize, x: usize, start: i32, end: i32): void {
  map<GeluErf>(y, x, start, end);
}

/** @split items */
export function gelu_erf_f32_dx(dx: usize, dy: usize, x: usize, start: i32, end: i32): void {
  map3<AddSlope<GeluErf>>(dx, dx, dy, x, start, end);
}

@unmanaged
class GeluErf {
  // @ts-ignore: decorator
  @inline
  of(x: v128, _k: v128, _l: v128, once: bool): v128 {
    return f32x4.mul(x, this.normal(x, this.bell(x, once), once));
  }

  // @ts-ignore: decorator
  @inline
  slope(x: v128, _k: v128, once: bool): v128 {
    const e = this.bell(x, once);
    return madd(f32x4.mul(x, v128.load32_splat(ROOT_1_2PI)), e, this.normal(x, e, once));
  }

  /** exp(−x²/2). */
  // @ts-ignore: decorator
  @inline
  bell(x: v128, once: bool): v128 {
    return exp4(f32x4.mul(f32x4.mul(x, x), v128.load32_splat(MINUS_HALF)), once);
  }

  /** Φ(x), given e = bell(x). */
  // @ts-ignore: decorator
  @inline
  normal(x: v128, e: v128, once: bool): v128 {
    const tail = normalTail4(f32x4.abs(x), e, once);
    return v128.bitselect(tail, f32x4.sub(v128.load32_splat(ONE), tail), f32x4.lt(x, f32x4.splat(0)));
  }
}
