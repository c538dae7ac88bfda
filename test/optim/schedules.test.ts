import { expect, test } from "vitest";
import { type SchedulerType, schedule } from "../../src/optim/schedules.ts";

// Made by transformers 4.57.6: lr_lambdas[0](step) of get_{constant,linear,cosine}_schedule_with_warmup.
const published: [SchedulerType, number, number, number[]][] = [
  ["constant", 0, 5, [1, 1, 1, 1, 1, 1, 1]],
  ["constant", 3, 10, [0, 0.3333333333333333, 0.6666666666666666, 1, 1, 1, 1, 1, 1, 1, 1, 1]],
  ["linear", 0, 5, [1, 0.8, 0.6, 0.4, 0.2, 0, 0]],
  [
    "linear",
    3,
    10,
    [
      0, 0.3333333333333333, 0.6666666666666666, 1, 0.8571428571428571, 0.7142857142857143, 0.5714285714285714,
      0.42857142857142855, 0.2857142857142857, 0.14285714285714285, 0, 0,
    ],
  ],
  ["linear", 4, 4, [0, 0.25, 0.5, 0.75, 0, 0]],
  ["cosine", 0, 5, [1, 0.9045084971874737, 0.6545084971874737, 0.34549150281252633, 0.09549150281252633, 0]],
  [
    "cosine",
    3,
    10,
    [
      0, 0.3333333333333333, 0.6666666666666666, 1, 0.9504844339512095, 0.8117449009293668, 0.6112604669781572,
      0.38873953302184283, 0.18825509907063326, 0.04951556604879048, 0,
    ],
  ],
  ["cosine", 4, 4, [0, 0.25, 0.5, 0.75, 1, 0]],
];

for (const [type, warmupSteps, steps, factors] of published) {
  test(`${type} over ${steps} steps with ${warmupSteps} of warm-up is that of transformers`, () => {
    const factor = schedule(type, { warmupSteps, steps });
    for (const [step, want] of factors.entries()) expect(factor(step)).toBeCloseTo(want, 14);
  });
}

test("an unknown schedule is refused, naming the nearest", () => {
  expect(() => schedule("cosin" as SchedulerType, { warmupSteps: 0, steps: 1 })).toThrow(
    /"cosin" is unknown.*Did you mean "cosine"/,
  );
});
