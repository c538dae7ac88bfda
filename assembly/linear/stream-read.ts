/**
 * Reads memory and does next to nothing else: the rate at which weights can come in. Decoding is measured against it.
 *
 *   x [rows, width]   32-bit words, width a multiple of 16   out [rows]: XOR of each row   start..end: rows
 * @split items of width
 */
export function stream_read(out: usize, x: usize, width: i32, start: i32, end: i32): void {
  const row = <usize>width << 2;
  for (let i = start; i < end; i++) store<i32>(out + (<usize>i << 2), xorOf(x + <usize>i * row, row));
}

function xorOf(p: usize, bytes: usize): i32 {
  const end = p + bytes;
  let x0 = i32x4.splat(0), x1 = x0, x2 = x0, x3 = x0;
  for (; p < end; p += 64) {
    x0 = v128.xor(x0, v128.load(p)), x1 = v128.xor(x1, v128.load(p, 16));
    x2 = v128.xor(x2, v128.load(p, 32)), x3 = v128.xor(x3, v128.load(p, 48));
  }
  const all = v128.xor(v128.xor(x0, x1), v128.xor(x2, x3));
  const low = i32x4.extract_lane(all, 0) ^ i32x4.extract_lane(all, 1);
  return low ^ i32x4.extract_lane(all, 2) ^ i32x4.extract_lane(all, 3);
}
