/**
 * The sum of squares of a gradient, for clipping by the global norm.
 *
 *   sum_squares_f32   Σ x[i]²,  start ≤ i < end
 *
 * Squares and sums are f64: no overflow for any finite f32, and a relative error far below that of f32.
 * @split never: a sum has one order
 */
export function sum_squares_f32(x: usize, start: i32, end: i32): f64 {
  let p = x + (<usize>start << 2);
  let left = end - start;
  let low = f64x2.splat(0), high = f64x2.splat(0);
  for (; left > 3; left -= 4, p += 16) {
    const a = f64x2.promote_low_f32x4(v128.load64_zero(p));
    const b = f64x2.promote_low_f32x4(v128.load64_zero(p, 8));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  const pair = f64x2.add(low, high);
  let sum = f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1);
  for (; left > 0; left--, p += 4) sum += <f64>load<f32>(p) * <f64>load<f32>(p);
  return sum;
}
