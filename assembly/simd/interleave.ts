/** Every 16 numbers of n at c, the eight at even places before the others, in their order again. n is a multiple of 16. */
export function interleave(c: usize, n: i32): void {
  for (const end = c + (<usize>n << 2); c < end; c += 64) {
    const even = v128.load(c), even2 = v128.load(c, 16), odd = v128.load(c, 32), odd2 = v128.load(c, 48);
    v128.store(c, v128.shuffle<f32>(even, odd, 0, 4, 1, 5)), v128.store(c, v128.shuffle<f32>(even, odd, 2, 6, 3, 7), 16);
    v128.store(c, v128.shuffle<f32>(even2, odd2, 0, 4, 1, 5), 32), v128.store(c, v128.shuffle<f32>(even2, odd2, 2, 6, 3, 7), 48);
  }
}
