/** NF4 as its paper defines it (Dettmers et al. 2023): a level of the table times the scale of the block of 64. */

export const levels = [
  ...[-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334],
  ...[-0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224],
  ...[0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1],
];

/** Code of each number, and the largest magnitude of each block: the nearest level of x / absmax. */
export function quantise(x: ArrayLike<number>): { codes: number[]; absmax: number[] } {
  const absmax = Array.from({ length: Math.ceil(x.length / 64) }, (_, b) =>
    Array.from(x)
      .slice(64 * b, 64 * b + 64)
      .reduce((most, v) => Math.max(most, Math.abs(v)), 0),
  );
  const codes = Array.from(x, (v, i) => {
    const most = absmax[Math.floor(i / 64)]!;
    const distances = levels.map((level) => Math.abs(level - (most === 0 ? 0 : v / most)));
    return distances.indexOf(Math.min(...distances));
  });
  return { codes, absmax };
}
