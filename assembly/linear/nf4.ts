/**
 * Weights in four bits: NF4 with doubly quantised scales, as QLoRA has them (Dettmers et al. 2023, sections 3 and 4).
 *
 *   w[e] = LEVELS[code[e]]·absmax[e / 64]        absmax[b] = map[q[b]]·absmax2[b / 256] + offset
 *
 *   dequantize_nf4   y[start..end] = w[start..end]                       f32
 *   quantize_nf4     codes and absmax (f32) of x; start..end: blocks     the host quantises absmax itself
 *   embedding_nf4    y[i, :] = w[ids[i]·width ..]                        rows start..end
 *   matvec_nf4       the product of matvec.ts for b stored [n, k], k a multiple of 64
 *
 * A tensor is one block of memory that begins with a header (below). Elements are those of the flattened tensor; two to a
 * byte, the even one in the high half. What other layouts and more rows need is dequantised piece by piece.
 */
import { hsum, madd } from "../simd/lanes";

/** The header: four words, the levels as four planes of 16 bytes (byte b of every level), the map of 256 f32. */
const CODES: usize = 0;
const ABSMAX: usize = 4;
const ABSMAX2: usize = 8;
const OFFSET: usize = 12;
const PLANES: usize = 16;
const MAP: usize = 128;

const BLOCK: i32 = 64;

// @ts-ignore: decorator
@inline
function absmax(header: usize, block: i32): f32 {
  const q = <usize>load<u8>(load<usize>(header, ABSMAX) + <usize>block);
  const outer = load<f32>(load<usize>(header, ABSMAX2) + (<usize>(block >> 8) << 2));
  return load<f32>(header + (q << 2), MAP) * outer + load<f32>(header, OFFSET);
}

/** Codes of 16 elements, one a byte, from the 8 bytes at p. */
// @ts-ignore: decorator
@inline
function codes16(p: usize): v128 {
  const bytes = v128.load64_zero(p);
  const high = i8x16.shr_u(bytes, 4), low = v128.and(bytes, i8x16.splat(15));
  return i8x16.shuffle(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

/** Levels of four of 16 codes, `quarter` 0..3: the four planes' bytes side by side. */
// @ts-ignore: decorator
@inline
function join(b0: v128, b1: v128, b2: v128, b3: v128, quarter: i32): v128 {
  if (quarter < 2) {
    const low = i8x16.shuffle(b0, b1, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const high = i8x16.shuffle(b2, b3, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    return quarter == 0 ? lowPairs(low, high) : highPairs(low, high);
  }
  const low = i8x16.shuffle(b0, b1, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  const high = i8x16.shuffle(b2, b3, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  return quarter == 2 ? lowPairs(low, high) : highPairs(low, high);
}

// @ts-ignore: decorator
@inline
function lowPairs(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

// @ts-ignore: decorator
@inline
function highPairs(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

/** One element. */
function element(header: usize, e: i32): f32 {
  const byte = load<u8>(load<usize>(header, CODES) + <usize>(e >> 1));
  const code = <usize>(e & 1 ? byte & 15 : byte >> 4);
  const planes = header + PLANES + code;
  const bits = <u32>load<u8>(planes) | (<u32>load<u8>(planes, 16) << 8) | (<u32>load<u8>(planes, 32) << 16) |
    (<u32>load<u8>(planes, 48) << 24);
  return reinterpret<f32>(bits) * absmax(header, e / BLOCK);
}

/** y[0..] = w[first..end]. */
function run(y: usize, header: usize, first: i32, end: i32): void {
  for (; first < end && first & 15; first++, y += 4) store<f32>(y, element(header, first));
  const p0 = v128.load(header, PLANES), p1 = v128.load(header, PLANES + 16);
  const p2 = v128.load(header, PLANES + 32), p3 = v128.load(header, PLANES + 48);
  const codes = load<usize>(header, CODES);
  for (; first + 16 <= end; first += 16, y += 64) {
    const scale = f32x4.splat(absmax(header, first / BLOCK));
    const c = codes16(codes + <usize>(first >> 1));
    const b0 = v128.swizzle(p0, c), b1 = v128.swizzle(p1, c), b2 = v128.swizzle(p2, c), b3 = v128.swizzle(p3, c);
    v128.store(y, f32x4.mul(scale, join(b0, b1, b2, b3, 0)));
    v128.store(y, f32x4.mul(scale, join(b0, b1, b2, b3, 1)), 16);
    v128.store(y, f32x4.mul(scale, join(b0, b1, b2, b3, 2)), 32);
    v128.store(y, f32x4.mul(scale, join(b0, b1, b2, b3, 3)), 48);
  }
  for (; first < end; first++, y += 4) store<f32>(y, element(header, first));
}

export function dequantize_nf4(y: usize, w: usize, start: i32, end: i32): void {
  run(y + (<usize>start << 2), w, start, end);
}

export function embedding_nf4(y: usize, w: usize, ids: usize, width: i32, start: i32, end: i32): void {
  for (let i = start; i < end; i++) {
    const first = load<i32>(ids + (<usize>i << 2)) * width;
    run(y + (<usize>(i * width) << 2), w, first, first + width);
  }
}

/** Codes of x for given absmax; both are written from block `start` on. `x` has n numbers; the last block may be short. */
export function quantize_nf4(codes: usize, absmax: usize, x: usize, n: i32, start: i32, end: i32): void {
  for (let block = start; block < end; block++) {
    const first = block * BLOCK, count = min(n - first, BLOCK);
    const at = x + (<usize>first << 2);
    let most: f32 = 0;
    for (let i = 0; i < count; i++) most = max<f32>(most, abs<f32>(load<f32>(at + (<usize>i << 2))));
    store<f32>(absmax + (<usize>block << 2), most);
    const inverse: f32 = most > 0 ? <f32>1 / most : 0;
    for (let i = 0; i < count; i += 2) {
      const high = nearest(load<f32>(at + (<usize>i << 2)) * inverse);
      const low = i + 1 < count ? nearest(load<f32>(at + (<usize>i << 2), 4) * inverse) : 0;
      store<u8>(codes + <usize>((first + i) >> 1), high << 4 | low);
    }
  }
}

/** The level nearest to x in −1..1: halfway marks as bitsandbytes has them. */
function nearest(x: f32): i32 {
  if (x > 0.03979014977812767) {
    if (x > 0.3893125355243683) {
      if (x > 0.6427869200706482) return x > 0.8614784181118011 ? 15 : 14;
      return x > 0.5016634166240692 ? 13 : 12;
    }
    if (x > 0.2035212516784668) return x > 0.2920137718319893 ? 11 : 10;
    return x > 0.1202552504837513 ? 9 : 8;
  }
  if (x > -0.33967943489551544) {
    if (x > -0.13791173323988914) return x > -0.045525018125772476 ? 7 : 6;
    return x > -0.23460740596055984 ? 5 : 4;
  }
  if (x > -0.6106329262256622) return x > -0.4599952697753906 ? 3 : 2;
  return x > -0.8480964004993439 ? 1 : 0;
}

/**
 * c[i, j] (+)= bias[j] + Σ_p a[i, p]·w[first + j·k + p] for columns colStart..colEnd; rows one after the other. The sum of each
 * block of 64 is scaled as one.
 */
export function matvec_nf4(
  c: usize, a: usize, w: usize, first: i32, m: i32, n: i32, k: i32, ldc: i32, accumulate: i32, bias: usize,
  colStart: i32, colEnd: i32,
): void {
  const p0 = v128.load(w, PLANES), p1 = v128.load(w, PLANES + 16);
  const p2 = v128.load(w, PLANES + 32), p3 = v128.load(w, PLANES + 48);
  const codes = load<usize>(w, CODES);
  for (let i = 0; i < m; i++, a += <usize>k << 2, c += <usize>ldc << 2) {
    for (let j = colStart; j < colEnd; j++) {
      const at = <usize>j << 2;
      let sums = f32x4.splat(0), x = a;
      for (let e = first + j * k, end = e + k; e < end; e += BLOCK) {
        let s0 = f32x4.splat(0), s1 = s0;
        for (let from = codes + <usize>(e >> 1), to = from + (BLOCK >> 1); from < to; from += 8, x += 64) {
          const q = codes16(from);
          const b0 = v128.swizzle(p0, q), b1 = v128.swizzle(p1, q), b2 = v128.swizzle(p2, q), b3 = v128.swizzle(p3, q);
          s0 = madd(v128.load(x), join(b0, b1, b2, b3, 0), s0);
          s1 = madd(v128.load(x, 16), join(b0, b1, b2, b3, 1), s1);
          s0 = madd(v128.load(x, 32), join(b0, b1, b2, b3, 2), s0);
          s1 = madd(v128.load(x, 48), join(b0, b1, b2, b3, 3), s1);
        }
        sums = madd(f32x4.splat(absmax(w, e / BLOCK)), f32x4.add(s0, s1), sums);
      }
      const base: f32 = accumulate ? load<f32>(c + at) : bias ? load<f32>(bias + at) : 0;
      store<f32>(c + at, base + hsum(sums));
    }
  }
}
