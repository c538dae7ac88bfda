/**
 * Weights in four bits as they are stored: see simd/nf4-read.ts. Their products are in matmul.ts, matvec.ts and nf4-matvec.ts.
 *
 *   embedding_nf4   y[i, :] = w[ids[i]·width ..]        rows start..end
 *   quantize_nf4    codes and absmax (f32) of x [n]     blocks start..end; the last may be short
 *
 * The host quantizes absmax itself.
 */
import { BLOCK, widen } from "../simd/nf4-read";
import { loadPart } from "../simd/part";

/** @split items of width */
export function embedding_nf4(y: usize, w: usize, ids: usize, width: i32, start: i32, end: i32): void {
  for (let i = start; i < end; i++) {
    const first = load<i32>(ids + (<usize>i << 2)) * width;
    widen(y + (<usize>(i * width) << 2), w, first, first + width);
  }
}

/** @split items */
export function quantize_nf4(codes: usize, absmax: usize, x: usize, n: i32, start: i32, end: i32): void {
  for (let block = start; block < end; block++) {
    const first = block * BLOCK, count = min(n - first, BLOCK);
    const at = x + (<usize>first << 2), to = codes + <usize>(first >> 1);
    const most = largest(at, count);
    store<f32>(absmax + (<usize>block << 2), most);
    const scale = f32x4.splat(most > 0 ? <f32>1 / most : 0);
    if (count == BLOCK) wholeBlock(to, at, scale);
    else shortBlock(to, at, count, scale);
  }
}

function largest(x: usize, count: i32): f32 {
  let most = f32x4.splat(0);
  for (; count > 0; count -= 4, x += 16) most = f32x4.max(most, f32x4.abs(loadPart(x, count)));
  most = f32x4.max(most, v128.shuffle<f32>(most, most, 2, 3, 0, 1));
  return max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1));
}

/** Two codes to a byte, the first in the high half. */
function wholeBlock(codes: usize, x: usize, scale: v128): void {
  for (const end = x + (BLOCK << 2); x < end; x += 64, codes += 8) {
    const low = i16x8.narrow_i32x4_s(nearest(v128.load(x), scale), nearest(v128.load(x, 16), scale));
    const high = i16x8.narrow_i32x4_s(nearest(v128.load(x, 32), scale), nearest(v128.load(x, 48), scale));
    const bytes = i8x16.narrow_i16x8_s(low, high);
    const pairs = v128.and(v128.or(i16x8.shl(bytes, 4), i16x8.shr_u(bytes, 8)), i16x8.splat(0xff));
    v128.store64_lane(codes, i8x16.narrow_i16x8_u(pairs, pairs), 0);
  }
}

function shortBlock(codes: usize, x: usize, count: i32, scale: v128): void {
  for (; count > 0; count -= 2, x += 8, codes++) {
    const two = nearest(loadPart(x, min(count, 2)), scale);
    store<u8>(codes, i32x4.extract_lane(two, 0) << 4 | (count > 1 ? i32x4.extract_lane(two, 1) : 0));
  }
}

/** The number of the level nearest to scale·x: how many of the marks between levels are below, as bitsandbytes has them. */
function nearest(x: v128, scale: v128): v128 {
  const v = f32x4.mul(x, scale);
  let code = f32x4.gt(v, f32x4.splat(-0.8480964004993439));
  code = i32x4.add(code, f32x4.gt(v, f32x4.splat(-0.6106329262256622)));
  code = i32x4.add(code, f32x4.gt(v, f32x4.splat(-0.4599952697753906)));
  code = i32x4.add(code, f32x4.gt(v, f32x4.splat(-0.33967943489551544)));
  code = i32x4.add(code, f32x4.gt(v, f32x4.splat(-0.23460740596055984)));
  code = i32x4.add(code, f32x4.gt(v, f32x4.splat(-0.13791173323988914)));
  code = i32x4.add(code, f32x4.gt(v, f32x4.splat(-0.045525018125772476)));
  code = i32x4.add(code, f32x4.gt(v, f32x4.splat(0.03979014977812767)));
  code = i32x4.add(code, f32x4.gt(v, f32x4.splat(0.1202552504837513)));
  code = i32x4.add(code, f32x4.gt(v, f32x4.splat(0.2035212516784668)));
  code = i32x4.add(code, f32x4.gt(v, f32x4.splat(0.2920137718319893)));
  code = i32x4.add(code, f32x4.gt(v, f32x4.splat(0.3893125355243683)));
  code = i32x4.add(code, f32x4.gt(v, f32x4.splat(0.5016634166240692)));
  code = i32x4.add(code, f32x4.gt(v, f32x4.splat(0.6427869200706482)));
  code = i32x4.add(code, f32x4.gt(v, f32x4.splat(0.8614784181118011)));
  return i32x4.neg(code);
}
