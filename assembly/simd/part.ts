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

/** `loadPart` of 1 to 3 floats as a call, for the end of a row: inlined it is longer than many a loop. */
export function loadRest(p: usize, count: i32): v128 {
  const next = count > 1 ? loadRest(p + 4, count - 1) : f32x4.splat(0);
  return v128.load_lane<u32>(p, v128.shuffle<f32>(next, next, 0, 0, 1, 2), 0);
}

/** Four floats, or one in all lanes: what is left at the end of a range goes one by one through what is done to four. */
// @ts-ignore: decorator
@inline
export function loadFourOrOne(p: usize, four: bool): v128 {
  return four ? v128.load(p) : v128.load32_splat(p);
}

// @ts-ignore: decorator
@inline
export function storeFourOrOne(p: usize, v: v128, four: bool): void {
  if (four) v128.store(p, v);
  else v128.store_lane<u32>(p, v, 0);
}
