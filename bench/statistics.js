/** What is said about a list of measurements. */

export function median(values) {
  return quantile(sorted(values), 0.5);
}

/** How far the middle half of the values is spread: the interquartile range over the median. 0 for a single value. */
export function spreadOf(values) {
  const ordered = sorted(values);
  return (quantile(ordered, 0.75) - quantile(ordered, 0.25)) / Math.abs(quantile(ordered, 0.5));
}

/** Median and spread: what a row of the results is made of. */
export function summary(values) {
  return { value: median(values), spread: spreadOf(values) };
}

/** The exponent of the power law that fits points [x, y] best: the slope of log y over log x by least squares. */
export function logLogSlope(points) {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)]);
  const mean = (at) => logs.reduce((sum, point) => sum + point[at], 0) / logs.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const along = logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / along;
}

function sorted(values) {
  if (values.length === 0) throw new RangeError("nothing was measured");
  return Float64Array.from(values).sort();
}

/** Between two neighbors in proportion. */
function quantile(ordered, share) {
  const at = share * (ordered.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, ordered.length - 1);
  return ordered[below] + (at - below) * (ordered[above] - ordered[below]);
}
