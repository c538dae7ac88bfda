/**
 * Rotary positions (Su et al. 2021) in the order of Hugging Face's Llama: value c of a head is paired with c + half,
 * half = rotaryDim / 2, and the pair is turned by the angle of its row's position, in place.
 *
 *   direction +1    a' = a·cos − b·sin     b' = b·cos + a·sin
 *   direction −1    the same with −sin: the inverse, which is the gradient
 *
 *   x [T, heads·headDim], ldx elements from row to row; values of a head from rotaryDim on stay as they are
 *   positions [T] i32; cos, sin [maxPosition, half]
 *   start, end: range of rows
 * @split items of headDim * ldx
 */
export function rotary_f32(
  x: usize, positions: usize, cos: usize, sin: usize, heads: i32, headDim: i32, rotaryDim: i32, ldx: i32,
  direction: f32, start: i32, end: i32,
): void {
  const half = <usize>(rotaryDim >> 1) << 2;
  for (let i = start; i < end; i++) {
    const angle = <usize>load<i32>(positions + (<usize>i << 2)) * half;
    let head = x + (<usize>(i * ldx) << 2);
    for (let h = 0; h < heads; h++, head += <usize>headDim << 2) turn(head, half, cos + angle, sin + angle, direction);
  }
}

function turn(x: usize, half: usize, cos: usize, sin: usize, direction: f32): void {
  const sign = f32x4.splat(direction);
  let left = half;
  if (WIDE) {
    for (; left >= 32; left -= 32, x += 32, cos += 32, sin += 32) {
      const y = x + half;
      const a = v128.load(x), b = v128.load(y), c = v128.load(cos), s = f32x4.mul(sign, v128.load(sin));
      const a2 = v128.load(x, 16), b2 = v128.load(y, 16), c2 = v128.load(cos, 16);
      const s2 = f32x4.mul(sign, v128.load(sin, 16));
      v128.store(x, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)));
      v128.store(x, f32x4.sub(f32x4.mul(a2, c2), f32x4.mul(b2, s2)), 16);
      v128.store(y, f32x4.add(f32x4.mul(b, c), f32x4.mul(a, s)));
      v128.store(y, f32x4.add(f32x4.mul(b2, c2), f32x4.mul(a2, s2)), 16);
    }
  }
  for (; left >= 16; left -= 16, x += 16, cos += 16, sin += 16) {
    const a = v128.load(x), b = v128.load(x + half), c = v128.load(cos), s = f32x4.mul(sign, v128.load(sin));
    v128.store(x, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)));
    v128.store(x + half, f32x4.add(f32x4.mul(b, c), f32x4.mul(a, s)));
  }
  for (; left > 0; left -= 4, x += 4, cos += 4, sin += 4) {
    const a = load<f32>(x), b = load<f32>(x + half), c = load<f32>(cos), s = direction * load<f32>(sin);
    store<f32>(x, a * c - b * s);
    store<f32>(x + half, b * c + a * s);
  }
}
