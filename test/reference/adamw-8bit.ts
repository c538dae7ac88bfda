/** The 256 levels of dynamic tree quantization in rising order, in f64: the middles of equal parts of each decade, 0 and 1. */
export function levels(signed: boolean): number[] {
  const found = [0, 1];
  for (let decade = 0; decade < 7; decade++) {
    const parts = 2 ** (signed ? decade : decade + 1);
    for (let i = 0; i < parts; i++) {
      const level = (0.1 + (0.9 * (i + 0.5)) / parts) * 10 ** (decade - 6);
      found.push(level);
      if (signed) found.push(-level);
    }
  }
  return found.sort((a, b) => a - b);
}

/** Numbers from codes and the largest magnitude of each block. */
export function decoded(
  codes: ArrayLike<number>,
  scales: ArrayLike<number>,
  among: readonly number[],
  width: number,
): number[] {
  return Array.from(codes, (code, i) => among[code]! * scales[Math.floor(i / width)]!);
}

/** The largest magnitude of each block. */
export function largest(values: readonly number[], width: number): number[] {
  return Array.from({ length: Math.ceil(values.length / width) }, (_, block) =>
    Math.max(...values.slice(block * width, (block + 1) * width).map(Math.abs)),
  );
}
