import { expect, test } from "vitest";
import { ShapeError } from "../../src/core/errors.ts";
import { type BatchScheduleOptions, batchSchedule } from "../../src/data/batches.ts";

const lengths = Array.from({ length: 103 }, (_, i) => 1 + ((i * 37) % 50));
const schedule = (changes: Partial<BatchScheduleOptions>) =>
  batchSchedule({ lengths, batchSize: 8, shuffle: true, seed: 42, epoch: 0, ...changes });
const everyIndex = lengths.map((_, i) => i);

test("every example occurs once in an epoch", () => {
  for (const changes of [
    {},
    { shuffle: false },
    { batchSize: null, tokenBudget: 64 },
    { batchSize: 1000 },
    { batchSize: 1 },
  ]) {
    expect(
      schedule(changes)
        .flat()
        .sort((a, b) => a - b),
    ).toEqual(everyIndex);
  }
});

test("batches by count are full, except the last", () => {
  expect(schedule({}).map((batch) => batch.length)).toEqual([...Array(12).fill(8), 7]);
});

test("batches by tokens keep to the budget, and could not have taken one more", () => {
  const batches = schedule({ batchSize: null, tokenBudget: 64 });
  const tokens = (batch: number[]) => batch.reduce((sum, i) => sum + lengths[i]!, 0);
  batches.forEach((batch, b) => {
    expect(tokens(batch)).toBeLessThanOrEqual(64);
    const next = batches[b + 1]?.[0];
    if (next !== undefined) expect(tokens(batch) + lengths[next]!).toBeGreaterThan(64);
  });
});

test("an epoch depends on seed and number alone, and differs from others", () => {
  const fifth = schedule({ epoch: 5 });
  expect(schedule({ epoch: 5 })).toEqual(fifth);
  for (const other of [{ epoch: 4 }, { epoch: 5, seed: 43 }]) expect(schedule(other)).not.toEqual(fifth);
});

test("the order is part of what a resumed run relies on", () => {
  expect(batchSchedule({ lengths: Array(6).fill(1), batchSize: 2, shuffle: true, seed: 1, epoch: 0 })).toEqual([
    [3, 1],
    [2, 4],
    [0, 5],
  ]);
});

test("without shuffling the file's order is kept in every epoch", () => {
  expect(schedule({ shuffle: false, epoch: 3 }).flat()).toEqual(everyIndex);
});

test("no examples make no batches", () => {
  expect(schedule({ lengths: [] })).toEqual([]);
});

test("sizes that cannot work are refused", () => {
  expect(() => schedule({ batchSize: null, tokenBudget: 40 })).toThrow(ShapeError);
  expect(() => schedule({ batchSize: null, tokenBudget: 40 })).toThrow(
    /has \d+ tokens, more than the token budget of 40/,
  );
  for (const batchSize of [0, -1, 1.5, Number.NaN]) expect(() => schedule({ batchSize })).toThrow(/batch size is/);
  expect(() => schedule({ tokenBudget: 64 })).toThrow(/either a batch size/);
  expect(() => schedule({ batchSize: null })).toThrow(/either a batch size/);
});
