/**
 * Metrics of regression: mse = Σ (p − y)² / n, and for single values Pearson's r = cov(p, y) / (σp·σy), which is NaN if
 * all predictions or all labels are equal.
 */

/** Each row of both arrays is [values]. */
export function regressionScores(
  predicted: readonly ArrayLike<number>[],
  labels: readonly ArrayLike<number>[],
): Record<string, number> {
  const [found, wanted] = [flat(predicted), flat(labels)];
  const n = Math.max(1, wanted.length);
  const mse = wanted.reduce((sum, y, i) => sum + (found[i]! - y) ** 2, 0) / n;
  return labels.some((row) => row.length !== 1) ? { mse } : { mse, pearson: pearson(found, wanted) };
}

function pearson(p: readonly number[], y: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const [meanP, meanY] = [mean(p), mean(y)];
  let [cov, varP, varY] = [0, 0, 0];
  p.forEach((value, i) => {
    const [dp, dy] = [value - meanP, y[i]! - meanY];
    cov += dp * dy;
    varP += dp * dp;
    varY += dy * dy;
  });
  return cov / Math.sqrt(varP * varY);
}

function flat(rows: readonly ArrayLike<number>[]): number[] {
  return rows.flatMap((row) => Array.from(row));
}
