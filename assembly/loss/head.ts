/**
 * The pieces of cross-entropy over a vocabulary that is walked in chunks, with the running maximum of online softmax
 * (Milakov and Gimelshein 2018). For one row with logits l, after some chunks: m = max l, S = Σ exp(l − m).
 *
 *   head_chunk       takes in one chunk: l ← exp(l − m′), m ← m′, S ← S·rescale + Σ exp(l − m′), rescale = exp(m − m′)
 *   scale_rows       y[i, :] *= c[i]                       what was gathered so far follows m by its rescale
 *   head_loss        lse = m + ln S                        loss = lse − l[label]
 *   head_dx          dx = dloss·(acc/S − w)                acc = Σ exp(l − m)·W, w = the label's row of W
 *   softmax_dlogits  l ← dloss·(exp(l − lse) − [id = label])
 *
 *   logits [R, count], ldl elements from row to row, of ids firstId .. firstId + count
 *   max, sum, rescale, picked, loss, lse, dloss [R]; the caller starts with max = −∞ and sum = 0
 *   picked receives l[label] when the chunk has the label   labels [R] i32   acc, w, dx [R, cols]; dx may be acc or w
 *   start, end: range of rows
 *
 * A NaN among a row's logits makes its loss NaN.
 */
import { exp1, exp4 } from "../simd/exp";
import { Scaled } from "../simd/formulas";
import { hmax, hsum } from "../simd/lanes";
import { map, map2 } from "../simd/map";
import { log1 } from "../simd/math";

/** @split items of count */
export function head_chunk_f32(
  logits: usize, max: usize, sum: usize, rescale: usize, picked: usize, labels: usize,
  firstId: i32, count: i32, ldl: i32, start: i32, end: i32,
): void {
  for (let i = start; i < end; i++) {
    const row = logits + (<usize>(i * ldl) << 2), at = <usize>i << 2;
    const label = load<i32>(labels + at) - firstId;
    if (label >= 0 && label < count) store<f32>(picked + at, load<f32>(row + (<usize>label << 2)));
    const before = load<f32>(max + at);
    const now = largest(row, count, before);
    const factor = exp1(before - now);
    store<f32>(sum + at, load<f32>(sum + at) * factor + expRow(row, count, now));
    store<f32>(rescale + at, factor);
    store<f32>(max + at, now);
  }
}

/** The largest of n floats at p and `most`. */
// @ts-ignore: decorator
@inline
function largest(p: usize, n: i32, most: f32): f32 {
  let m = f32x4.splat(most);
  for (; n > 3; n -= 4, p += 16) m = f32x4.pmax(m, v128.load(p));
  most = hmax(m);
  for (; n > 0; n--, p += 4) most = max<f32>(most, load<f32>(p));
  return most;
}

/** l ← exp(l − m) for n floats at p; returns their sum, in four partial sums. */
// @ts-ignore: decorator
@inline
function expRow(p: usize, n: i32, m: f32): f32 {
  const shift = f32x4.splat(m);
  let sums = f32x4.splat(0);
  if (WIDE) {
    for (; n > 7; n -= 8, p += 32) {
      const first = exp4(f32x4.sub(v128.load(p), shift)), second = exp4(f32x4.sub(v128.load(p, 16), shift));
      v128.store(p, first), v128.store(p, second, 16);
      sums = f32x4.add(f32x4.add(sums, first), second);
    }
  }
  for (; n > 3; n -= 4, p += 16) {
    const e = exp4(f32x4.sub(v128.load(p), shift));
    v128.store(p, e);
    sums = f32x4.add(sums, e);
  }
  let sum = hsum(sums);
  for (; n > 0; n--, p += 4) {
    const e = exp1(load<f32>(p) - m);
    store<f32>(p, e);
    sum += e;
  }
  return sum;
}

/** @split items of cols */
export function scale_rows_f32(y: usize, c: usize, cols: i32, start: i32, end: i32): void {
  for (let i = start; i < end; i++) {
    const row = y + (<usize>(i * cols) << 2);
    map<Scaled>(row, row, 0, cols, v128.load32_splat(c + (<usize>i << 2)));
  }
}

/** @split items */
export function head_loss_f32(
  loss: usize, lse: usize, max: usize, sum: usize, picked: usize, start: i32, end: i32,
): void {
  for (let at = <usize>start << 2; at < <usize>end << 2; at += 4) {
    const total = load<f32>(max + at) + log1(load<f32>(sum + at));
    store<f32>(lse + at, total);
    store<f32>(loss + at, total - load<f32>(picked + at));
  }
}

/** @split items of cols */
export function head_dx_f32(
  dx: usize, acc: usize, sum: usize, w: usize, dloss: usize, cols: i32, start: i32, end: i32,
): void {
  for (let i = start; i < end; i++) {
    const s = v128.load32_splat(dloss + (<usize>i << 2));
    const share = f32x4.splat(1 / load<f32>(sum + (<usize>i << 2)));
    const at = <usize>(i * cols) << 2;
    map2<Gradient>(dx + at, acc + at, w + at, 0, cols, s, share);
  }
}

@unmanaged
class Gradient {
  // @ts-ignore: decorator
  @inline
  of(acc: v128, w: v128, scale: v128, share: v128, _once: bool): v128 {
    return f32x4.mul(scale, f32x4.sub(f32x4.mul(share, acc), w));
  }
}

/** @split items of count */
export function softmax_dlogits_f32(
  logits: usize, lse: usize, labels: usize, dloss: usize, firstId: i32, count: i32, ldl: i32, start: i32, end: i32,
): void {
  for (let i = start; i < end; i++) {
    const scale = load<f32>(dloss + (<usize>i << 2)), s = f32x4.splat(scale);
    const row = logits + (<usize>(i * ldl) << 2), shift = v128.load32_splat(lse + (<usize>i << 2));
    map<Softmax>(row, row, 0, count, shift, s);
    const label = load<i32>(labels + (<usize>i << 2)) - firstId;
    if (label < 0 || label >= count) continue;
    const own = row + (<usize>label << 2);
    store<f32>(own, load<f32>(own) - scale);
  }
}

@unmanaged
class Softmax {
  // @ts-ignore: decorator
  @inline
  of(l: v128, lse: v128, scale: v128, once: bool): v128 {
    return f32x4.mul(scale, exp4(f32x4.sub(l, lse), once));
  }
}
