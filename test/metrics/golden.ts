/** Scores of scikit-learn, SciPy and seqeval: test/golden/metrics. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";

export interface Case<T> {
  readonly labels: T[];
  readonly predicted: T[];
  readonly scores: Record<string, number>;
}
export const golden: {
  classes: (Case<number> & { classes: number })[];
  multiLabel: Case<number[]>[];
  regression: Case<number>[];
  spans: Case<string[]>[];
} = JSON.parse(readFileSync(new URL("../golden/metrics/scores.json", import.meta.url), "utf8"));

export function expectScores(found: Record<string, number>, wanted: Record<string, number>) {
  expect(Object.keys(found).sort()).toEqual(Object.keys(wanted).sort());
  for (const [name, value] of Object.entries(wanted)) expect(found[name], name).toBeCloseTo(value, 12);
}
