/**
 * Inlined lane helpers. `p`, `q` are byte addresses of f32 data, `n` counts elements; no alignment is needed.
 * Everything here is a few instructions: a kernel that calls it pays for nothing else.
 */

/** a·b + c. Rounds twice in the baseline build; once or twice in the relaxed build, as the machine likes. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** Sum of the four lanes. */
// @ts-ignore: decorator
@inline
export function hsum(v: v128): f32 {
  const pair = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1);
}

/** Largest of the four lanes. */
// @ts-ignore: decorator
@inline
export function hmax(v: v128): f32 {
  const pair = f32x4.pmax(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return max<f32>(f32x4.extract_lane(pair, 0), f32x4.extract_lane(pair, 1));
}

/** Σ p[i]·q[i] for i < n. Eight partial sums: rounds differently from a scalar loop. */
// @ts-ignore: decorator
@inline
export function dot(p: usize, q: usize, n: i32): f32 {
  const end = p + (<usize>n << 2);
  const end8 = p + (<usize>(n & ~7) << 2);
  let sum0 = f32x4.splat(0);
  let sum1 = f32x4.splat(0);
  for (; p < end8; p += 32, q += 32) {
    sum0 = madd(v128.load(p), v128.load(q), sum0);
    sum1 = madd(v128.load(p, 16), v128.load(q, 16), sum1);
  }
  let sum = hsum(f32x4.add(sum0, sum1));
  for (; p < end; p += 4, q += 4) sum += load<f32>(p) * load<f32>(q);
  return sum;
}

/** p[i] += alpha·q[i] for i < n. */
// @ts-ignore: decorator
@inline
export function axpy(p: usize, alpha: f32, q: usize, n: i32): void {
  const end = p + (<usize>n << 2);
  const end4 = p + (<usize>(n & ~3) << 2);
  const a = f32x4.splat(alpha);
  for (; p < end4; p += 16, q += 16) v128.store(p, madd(a, v128.load(q), v128.load(p)));
  for (; p < end; p += 4, q += 4) store<f32>(p, load<f32>(p) + alpha * load<f32>(q));
}
