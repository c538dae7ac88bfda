/**
 * Vectors of fewer than four floats, so that the last columns of a row go through the very instructions of the others:
 * a result then has the same bits wherever a range of columns is cut. `count` is 1, 2, 3, or 4 and more for a whole
 * vector; nothing beyond it is read or written.
 */

/** The first `count` floats at p; further lanes are 0. */
// @ts-ignore: decorator
@inline
export function loadPart(p: usize, count: i32): v128 {
  if (count >= 4) return v128.load(p);
  let v = v128.load_zero<u32>(p);
  if (count > 1) v = v128.load_lane<u32>(p + 4, v, 1);
  if (count > 2) v = v128.load_lane<u32>(p + 8, v, 2);
  return v;
}

/** Stores the first `count` lanes of v at p. */
// @ts-ignore: decorator
@inline
export function storePart(p: usize, v: v128, count: i32): void {
  if (count >= 4) {
    v128.store(p, v);
    return;
  }
  v128.store_lane<u32>(p, v, 0);
  if (count > 1) v128.store_lane<u32>(p + 4, v, 1);
  if (count > 2) v128.store_lane<u32>(p + 8, v, 2);
}
