/**
 * Metrics of classification: with true positives tp, false positives fp and false negatives fn of a class,
 *
 *   accuracy = correct / all      F1 = 2·tp / (2·tp + fp + fn)
 *
 * as scikit-learn computes them. F1 of a class that never occurs and is never predicted is 0.
 */

/** Counts for F1. */
export interface Tally {
  readonly tp: number;
  readonly fp: number;
  readonly fn: number;
}

/** F1, 0 if there is nothing to count. */
export function f1Of({ tp, fp, fn }: Tally): number {
  return tp === 0 ? 0 : (2 * tp) / (2 * tp + fp + fn);
}

/**
 * Accuracy, F1 as the unweighted mean over the classes that occur or are predicted, and for two classes F1 of class 1.
 * Both arrays [examples].
 */
export function classScores(
  predicted: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): Record<string, number> {
  const tallies = Array.from({ length: classes }, () => ({ tp: 0, fp: 0, fn: 0 }));
  let right = 0;
  for (let i = 0; i < labels.length; i++) {
    const [found, wanted] = [predicted[i]!, labels[i]!];
    if (found === wanted) {
      right++;
      tallies[wanted]!.tp++;
    } else {
      tallies[found]!.fp++;
      tallies[wanted]!.fn++;
    }
  }
  const seen = tallies.filter(({ tp, fp, fn }) => tp + fp + fn > 0);
  const f1Macro = seen.reduce((sum, tally) => sum + f1Of(tally), 0) / Math.max(1, seen.length);
  const accuracy = right / Math.max(1, labels.length);
  return { accuracy, f1_macro: f1Macro, ...(classes === 2 && { f1: f1Of(tallies[1]!) }) };
}

/**
 * Multi-label classification: F1 over all decisions (micro), and the fraction of examples with every label correct.
 * Each row of both arrays is [classes] of 0 and 1.
 */
export function multiLabelScores(
  predicted: readonly ArrayLike<number>[],
  labels: readonly ArrayLike<number>[],
): Record<string, number> {
  const tally = { tp: 0, fp: 0, fn: 0 };
  let exact = 0;
  labels.forEach((wanted, i) => {
    let wrong = 0;
    for (let c = 0; c < wanted.length; c++) {
      const [found, is] = [predicted[i]![c] === 1, wanted[c] === 1];
      if (found && is) tally.tp++;
      if (found && !is) tally.fp++;
      if (!found && is) tally.fn++;
      if (found !== is) wrong++;
    }
    if (wrong === 0) exact++;
  });
  return { f1_micro: f1Of(tally), exact_match: exact / Math.max(1, labels.length) };
}
