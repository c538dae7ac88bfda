/**
 * Loops that apply a formula to every element of a range, and the only place that knows how many vectors they do at a time: one, or
 * two in the wide build, where V8 merges two loads, two equal computations and two stores that are 16 bytes apart. All is loaded
 * before anything is stored, since V8 moves nothing across a store.
 *
 * A formula is an unmanaged class without fields, whose inlined method `of` takes a vector of each input, and k and l (map4: and m
 * and n), which are the same for all elements. What is left at the end of a range goes through the same formula one by one, so
 * bits do not depend on where ranges are cut; then `once` is true, and what is long is called where it is inlined in the loop.
 *
 *   y, a, b, c, d    addresses of arrays; y may be any of the others   start, end: range of elements
 */

/** y[i] = F(a[i]). */
// @ts-ignore: decorator
@inline
export function map<F>(
  y: usize, a: usize, start: i32, end: i32,
  k: v128 = f32x4.splat(0), l: v128 = f32x4.splat(0),
): void {
  const f = changetype<F>(0);
  let i: usize = <usize>start << 2;
  const stop: usize = <usize>end << 2;
  if (WIDE) {
    for (const whole = i + ((stop - i) & ~31); i < whole; i += 32) {
      const first = f.of(v128.load(a + i), k, l, false);
      const second = f.of(v128.load(a + i, 16), k, l, false);
      v128.store(y + i, first), v128.store(y + i, second, 16);
    }
  } else {
    for (const whole = i + ((stop - i) & ~15); i < whole; i += 16) {
      v128.store(y + i, f.of(v128.load(a + i), k, l, false));
    }
  }
  for (; i < stop; i += 4) v128.store_lane<u32>(y + i, f.of(v128.load32_splat(a + i), k, l, true), 0);
}

/** y[i] = F(a[i], b[i]). */
// @ts-ignore: decorator
@inline
export function map2<F>(
  y: usize, a: usize, b: usize, start: i32, end: i32,
  k: v128 = f32x4.splat(0), l: v128 = f32x4.splat(0),
): void {
  const f = changetype<F>(0);
  let i: usize = <usize>start << 2;
  const stop: usize = <usize>end << 2;
  if (WIDE) {
    for (const whole = i + ((stop - i) & ~31); i < whole; i += 32) {
      const first = f.of(v128.load(a + i), v128.load(b + i), k, l, false);
      const second = f.of(v128.load(a + i, 16), v128.load(b + i, 16), k, l, false);
      v128.store(y + i, first), v128.store(y + i, second, 16);
    }
  } else {
    for (const whole = i + ((stop - i) & ~15); i < whole; i += 16) {
      v128.store(y + i, f.of(v128.load(a + i), v128.load(b + i), k, l, false));
    }
  }
  for (; i < stop; i += 4) {
    v128.store_lane<u32>(y + i, f.of(v128.load32_splat(a + i), v128.load32_splat(b + i), k, l, true), 0);
  }
}

/** y[i] = F(a[i], b[i], c[i]). */
// @ts-ignore: decorator
@inline
export function map3<F>(
  y: usize, a: usize, b: usize, c: usize, start: i32, end: i32,
  k: v128 = f32x4.splat(0), l: v128 = f32x4.splat(0),
): void {
  const f = changetype<F>(0);
  let i: usize = <usize>start << 2;
  const stop: usize = <usize>end << 2;
  if (WIDE) {
    for (const whole = i + ((stop - i) & ~31); i < whole; i += 32) {
      const first = f.of(v128.load(a + i), v128.load(b + i), v128.load(c + i), k, l, false);
      const second = f.of(v128.load(a + i, 16), v128.load(b + i, 16), v128.load(c + i, 16), k, l, false);
      v128.store(y + i, first), v128.store(y + i, second, 16);
    }
  } else {
    for (const whole = i + ((stop - i) & ~15); i < whole; i += 16) {
      v128.store(y + i, f.of(v128.load(a + i), v128.load(b + i), v128.load(c + i), k, l, false));
    }
  }
  for (; i < stop; i += 4) {
    const v = f.of(v128.load32_splat(a + i), v128.load32_splat(b + i), v128.load32_splat(c + i), k, l, true);
    v128.store_lane<u32>(y + i, v, 0);
  }
}

/** y[i] = F(a[i], b[i], c[i], d[i]). */
// @ts-ignore: decorator
@inline
export function map4<F>(
  y: usize, a: usize, b: usize, c: usize, d: usize, start: i32, end: i32,
  k: v128 = f32x4.splat(0), l: v128 = f32x4.splat(0), m: v128 = f32x4.splat(0), n: v128 = f32x4.splat(0),
): void {
  const f = changetype<F>(0);
  let i: usize = <usize>start << 2;
  const stop: usize = <usize>end << 2;
  if (WIDE) {
    for (const whole = i + ((stop - i) & ~31); i < whole; i += 32) {
      const first = f.of(v128.load(a + i), v128.load(b + i), v128.load(c + i), v128.load(d + i), k, l, m, n, false);
      const second = f.of(
        v128.load(a + i, 16), v128.load(b + i, 16), v128.load(c + i, 16), v128.load(d + i, 16), k, l, m, n, false,
      );
      v128.store(y + i, first), v128.store(y + i, second, 16);
    }
  } else {
    for (const whole = i + ((stop - i) & ~15); i < whole; i += 16) {
      v128.store(y + i, f.of(v128.load(a + i), v128.load(b + i), v128.load(c + i), v128.load(d + i), k, l, m, n, false));
    }
  }
  for (; i < stop; i += 4) {
    const p = v128.load32_splat(a + i), q = v128.load32_splat(b + i), r = v128.load32_splat(c + i);
    v128.store_lane<u32>(y + i, f.of(p, q, r, v128.load32_splat(d + i), k, l, m, n, true), 0);
  }
}
