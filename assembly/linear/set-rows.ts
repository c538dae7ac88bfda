/** Columns start..end of the m rows of c become the bias, or zero without one. */
export function setRows(c: usize, ldc: i32, m: i32, bias: usize, start: i32, end: i32): void {
  const skip = <usize>start << 2;
  for (let i = 0; i < m; i++, c += <usize>ldc << 2) {
    if (bias) memory.copy(c + skip, bias + skip, (end - start) << 2);
    else memory.fill(c + skip, 0, (end - start) << 2);
  }
}
