/** Ratios of times that were measured in pairs. */
import { median } from "./statistics.js";

/**
 * Of pairs [old, new]: the median of new / old, and the interval that holds the true median in 95 % of all runs, from the order of the
 * ratios alone (the sign test), so that a few slow turns do not widen it. Fewer than six pairs cannot say more than their extremes.
 */
export function ratioOf(pairs) {
  const ratios = pairs.map(([before, after]) => after / before).sort((a, b) => a - b);
  const outside = outsideOf(ratios.length);
  return {
    ...{ ratio: median(ratios), low: ratios[outside], high: ratios[ratios.length - 1 - outside] },
    ...{ old: median(pairs.map(([before]) => before)), pairs: pairs.length },
  };
}

/** How many of the least and of the largest of `count` lie outside the interval: the most with P(X <= outside) <= 0.025 for X of B(count, 1/2). */
function outsideOf(count) {
  let outside = 0;
  for (let chance = 0.5 ** count, tail = 0; tail + chance <= 0.025; outside++) {
    tail += chance;
    chance *= (count - outside) / (outside + 1);
  }
  return Math.max(0, outside - 1);
}
