/** `cols` values of each row of x, ldx apart, put into (or, with `add`, added to) a copy of y, whose rows are ldy apart. */
export function intoRows(
  y: ArrayLike<number>,
  x: ArrayLike<number>,
  { rows, cols, ldy, ldx, add }: { rows: number; cols: number; ldy: number; ldx: number; add: boolean },
): number[] {
  const out = Array.from(y);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) out[i * ldy + j] = (add ? out[i * ldy + j]! : 0) + x[i * ldx + j]!;
  }
  return out;
}
