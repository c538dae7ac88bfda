/**
 * Units that multiply their input by what a sigmoid lets through, s = F.share(x), and by a second input if there is one:
 *
 *   y = x·s·up
 *   dx += dy·up·slope      dup += dy·x·s
 *
 *   up = 0: no second input, which counts as 1; then dup is 0
 *
 * Two vectors at a time in the wide build: see simd/map.ts. F.gradient(dy, up, x, s, dx) is dx after.
 */
import { madd } from "../simd/lanes";

const ONES: usize = memory.data<f32>([1, 1, 1, 1, 1, 1, 1, 1]);

// @ts-ignore: decorator
@inline
export function gated<F>(y: usize, x: usize, up: usize, start: i32, end: i32): void {
  const f = changetype<F>(0);
  let i: usize = <usize>start << 2;
  const stop: usize = <usize>end << 2;
  const along: usize = up ? -1 : 0;
  if (!up) up = ONES;
  if (WIDE) {
    for (const whole = i + ((stop - i) & ~31); i < whole; i += 32) {
      const a = v128.load(x + i), b = v128.load(x + i, 16), ups = up + (i & along);
      const first = f32x4.mul(f32x4.mul(a, f.share(a, false)), v128.load(ups));
      const second = f32x4.mul(f32x4.mul(b, f.share(b, false)), v128.load(ups, 16));
      v128.store(y + i, first), v128.store(y + i, second, 16);
    }
  } else {
    for (const whole = i + ((stop - i) & ~15); i < whole; i += 16) {
      const a = v128.load(x + i);
      v128.store(y + i, f32x4.mul(f32x4.mul(a, f.share(a, false)), v128.load(up + (i & along))));
    }
  }
  for (; i < stop; i += 4) {
    const a = v128.load32_splat(x + i);
    const v = f32x4.mul(f32x4.mul(a, f.share(a, true)), v128.load32_splat(up + (i & along)));
    v128.store_lane<u32>(y + i, v, 0);
  }
}

// @ts-ignore: decorator
@inline
export function gateGradient<F>(
  dx: usize, dup: usize, dy: usize, x: usize, up: usize, start: i32, end: i32,
): void {
  const f = changetype<F>(0);
  let i: usize = <usize>start << 2;
  const stop: usize = <usize>end << 2;
  const along: usize = up ? -1 : 0;
  if (!up) up = ONES;
  if (WIDE) {
    for (const whole = i + ((stop - i) & ~31); i < whole; i += 32) {
      const a = v128.load(x + i), b = v128.load(x + i, 16), d = v128.load(dy + i), e = v128.load(dy + i, 16);
      const s = f.share(a, false), t = f.share(b, false), ups = up + (i & along);
      const first = f.gradient(d, v128.load(ups), a, s, v128.load(dx + i));
      const second = f.gradient(e, v128.load(ups, 16), b, t, v128.load(dx + i, 16));
      v128.store(dx + i, first), v128.store(dx + i, second, 16);
      if (dup) {
        const third = madd(d, f32x4.mul(a, s), v128.load(dup + i));
        const fourth = madd(e, f32x4.mul(b, t), v128.load(dup + i, 16));
        v128.store(dup + i, third), v128.store(dup + i, fourth, 16);
      }
    }
  } else {
    for (const whole = i + ((stop - i) & ~15); i < whole; i += 16) {
      const a = v128.load(x + i), d = v128.load(dy + i), s = f.share(a, false);
      v128.store(dx + i, f.gradient(d, v128.load(up + (i & along)), a, s, v128.load(dx + i)));
      if (dup) v128.store(dup + i, madd(d, f32x4.mul(a, s), v128.load(dup + i)));
    }
  }
  for (; i < stop; i += 4) {
    const a = v128.load32_splat(x + i), d = v128.load32_splat(dy + i), s = f.share(a, true);
    const v = f.gradient(d, v128.load32_splat(up + (i & along)), a, s, v128.load32_splat(dx + i));
    v128.store_lane<u32>(dx + i, v, 0);
    if (dup) v128.store_lane<u32>(dup + i, madd(d, f32x4.mul(a, s), v128.load32_splat(dup + i)), 0);
  }
}
