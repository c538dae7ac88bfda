import { expect, test } from "vitest";
import type { Settings } from "../../src/train/arguments.ts";
import { StepSchedule } from "../../src/train/step-schedule.ts";

const settings = {
  maxSteps: null,
  numTrainEpochs: 2,
  perDeviceTrainBatchSize: 2,
  tokensPerBatch: null,
  gradientAccumulationSteps: 2,
  shuffle: false,
  seed: 1,
};
const course = (changes: Partial<typeof settings> | { maxSteps: number } = {}) =>
  new StepSchedule(new Array(7).fill(5), { ...settings, ...changes } as Settings);

test("an epoch is every example once, what is left over in a smaller step", () => {
  expect(course().epoch(0)).toEqual([
    [
      [0, 1],
      [2, 3],
    ],
    [[4, 5], [6]],
  ]);
  expect(
    course({ gradientAccumulationSteps: 3 })
      .epoch(0)
      .map((step) => step.length),
  ).toEqual([3, 1]);
});

test("steps are those of all epochs, a part of an epoch rounded up, or as many as are asked for", () => {
  expect(course().steps).toBe(4);
  expect(course({ numTrainEpochs: 1.5 }).steps).toBe(3);
  expect(course({ numTrainEpochs: 0.1 }).steps).toBe(1);
  expect(course({ maxSteps: 7 }).steps).toBe(7);
});

test("places lead through each epoch and on to the next", () => {
  const run = course();
  const places = [{ epoch: 0, position: 0 }];
  for (let step = 0; step < 3; step++) places.push(run.after(places.at(-1)!));
  expect(places.map(({ epoch, position }) => [epoch, position])).toEqual([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ]);
});

test("the micro-batches of a run are those of its steps in order, also beyond the epochs", () => {
  const run = course({ maxSteps: 3 });
  expect([...run.microBatches()]).toEqual([...run.epoch(0).flat(), ...run.epoch(1)[0]!]);
});

test("any epoch can be found again, in any order, by another course of the same settings", () => {
  const [one, other] = [course({ shuffle: true }), course({ shuffle: true })];
  const later = one.epoch(3);
  expect(one.epoch(0)).not.toEqual(later);
  expect(other.epoch(3)).toEqual(later);
  expect(course({ shuffle: true, seed: 2 }).epoch(3)).not.toEqual(later);
});

test("many epochs are counted without going through them, and fractions end inside one", () => {
  expect(course({ numTrainEpochs: 99_999.5 }).steps).toBe(199_999);
  expect(course({ numTrainEpochs: 0.5 }).steps).toBe(1);
  expect(course({ numTrainEpochs: 2.25 }).steps).toBe(5);
  const budget = { perDeviceTrainBatchSize: 1, tokensPerBatch: 10 } as unknown as Partial<typeof settings>;
  expect(course({ ...budget, numTrainEpochs: 2.25 }).steps).toBe(5);
});
