/**
 * Reads memory and does next to nothing else: the rate at which weights can come in. Decoding is measured against it.
 *
 *   from [64·lines bytes]   start..end: lines of 64 bytes
 */

/** XOR of the 32-bit words of the lines. */
export function stream_read(from: usize, start: i32, end: i32): i32 {
  let p = from + (<usize>start << 6);
  const stop = from + (<usize>end << 6);
  let x0 = i32x4.splat(0), x1 = x0, x2 = x0, x3 = x0;
  for (; p < stop; p += 64) {
    x0 = v128.xor(x0, v128.load(p)), x1 = v128.xor(x1, v128.load(p, 16));
    x2 = v128.xor(x2, v128.load(p, 32)), x3 = v128.xor(x3, v128.load(p, 48));
  }
  const all = v128.xor(v128.xor(x0, x1), v128.xor(x2, x3));
  const low = i32x4.extract_lane(all, 0) ^ i32x4.extract_lane(all, 1);
  return low ^ i32x4.extract_lane(all, 2) ^ i32x4.extract_lane(all, 3);
}
