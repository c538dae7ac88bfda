/**
 * Activations that read one number and take their gradient from their result. Those that take it from x are in
 * gelu.ts and silu-gate.ts.
 *
 *   relu        y = max(x, 0)                       dx += dy where y > 0
 *   leaky_relu  y = x where x > 0, else slope·x     dx += dy where y > 0, else slope·dy      slope > 0
 *   tanh        y = tanh x                          dx += dy·(1 − y²)
 *   sigmoid     y = 1 / (1 + exp(−x))               dx += dy·y·(1 − y)
 *
 * start, end: element range. y may be x.
 */
import { ONE } from "../simd/exp";
import { map, map3 } from "../simd/map";
import { sigmoid4, tanh4 } from "../simd/math";
import { AddSlope } from "./slope";

/** @split items */
export function relu_f32(y: usize, x: usize, start: i32, end: i32): void {
  map<Relu>(y, x, start, end);
}

/** @split items */
export function relu_f32_dx(dx: usize, dy: usize, y: usize, start: i32, end: i32): void {
  leaky_relu_f32_dx(dx, dy, y, 0, start, end);
}

@unmanaged
class Relu {
  // @ts-ignore: decorator
  @inline
  of(x: v128, _k: v128, _l: v128, _once: bool): v128 {
    return f32x4.max(x, f32x4.splat(0));
  }
}

/** @split items */
export function leaky_relu_f32(y: usize, x: usize, slope: f32, start: i32, end: i32): void {
  map<LeakyRelu>(y, x, start, end, f32x4.splat(slope));
}

/** @split items */
export function leaky_relu_f32_dx(dx: usize, dy: usize, y: usize, slope: f32, start: i32, end: i32): void {
  map3<AddSlope<LeakyRelu>>(dx, dx, dy, y, start, end, f32x4.splat(slope));
}

@unmanaged
class LeakyRelu {
  // @ts-ignore: decorator
  @inline
  of(x: v128, slope: v128, _l: v128, _once: bool): v128 {
    return v128.bitselect(x, f32x4.mul(slope, x), f32x4.gt(x, f32x4.splat(0)));
  }

  // @ts-ignore: decorator
  @inline
  slope(y: v128, slope: v128, _once: bool): v128 {
    return v128.bitselect(v128.load32_splat(ONE), slope, f32x4.gt(y, f32x4.splat(0)));
  }
}

/** @split items */
export function tanh_f32(y: usize, x: usize, start: i32, end: i32): void {
  map<Tanh>(y, x, start, end);
}

/** @split items */
export function tanh_f32_dx(dx: usize, dy: usize, y: usize, start: i32, end: i32): void {
  map3<AddSlope<Tanh>>(dx, dx, dy, y, start, end);
}

@unmanaged
class Tanh {
  // @ts-ignore: decorator
  @inline
  of(x: v128, _k: v128, _l: v128, once: bool): v128 {
    return tanh4(x, once);
  }

  // @ts-ignore: decorator
  @inline
  slope(y: v128, _k: v128, _once: bool): v128 {
    return f32x4.sub(v128.load32_splat(ONE), f32x4.mul(y, y));
  }
}

/** @split items */
export function sigmoid_f32(y: usize, x: usize, start: i32, end: i32): void {
  map<Sigmoid>(y, x, start, end);
}

/** @split items */
export function sigmoid_f32_dx(dx: usize, dy: usize, y: usize, start: i32, end: i32): void {
  map3<AddSlope<Sigmoid>>(dx, dx, dy, y, start, end);
}

@unmanaged
class Sigmoid {
  // @ts-ignore: decorator
  @inline
  of(x: v128, _k: v128, _l: v128, once: bool): v128 {
    return sigmoid4(x, once);
  }

  // @ts-ignore: decorator
  @inline
  slope(y: v128, _k: v128, _once: bool): v128 {
    return f32x4.mul(y, f32x4.sub(v128.load32_splat(ONE), y));
  }
}
