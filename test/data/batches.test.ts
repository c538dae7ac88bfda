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

test("in the file's order batches by tokens keep to the budget, and could not have taken one more", () => {
  const batches = schedule({ batchSize: null, tokenBudget: 64, shuffle: false });
  const tokens = (batch: number[]) => batch.reduce((sum, i) => sum + lengths[i]!, 0);
  expect(batches.flat()).toEqual(everyIndex);
  batches.forEach((batch, b) => {
    expect(tokens(batch)).toBeLessThanOrEqual(64);
    const next = batches[b + 1]?.[0];
    if (next !== undefined) expect(tokens(batch) + lengths[next]!).toBeGreaterThan(64);
  });
});

test("shuffled examples whose lengths spread 1:8 are packed close to the budget, and no two epochs alike", () => {
  const spread = Array.from({ length: 1000 }, (_, i) => 64 + ((i * 197) % 449));
  const all = spread.reduce((sum, n) => sum + n, 0);
  const tokens = (batch: number[]) => batch.reduce((sum, i) => sum + spread[i]!, 0);
  const packed = (epoch: number, tokenBudget: number) =>
    schedule({ lengths: spread, batchSize: null, tokenBudget, epoch });
  for (const [budget, share] of [
    [1024, 0.95],
    [2048, 0.97],
  ] as const) {
    const [batches, others] = [packed(0, budget), packed(1, budget)];
    expect(Math.max(...batches.map(tokens))).toBeLessThanOrEqual(budget);
    expect(all / (batches.length * budget)).toBeGreaterThan(share);
    expect(all / (others.length * budget)).toBeGreaterThan(share);
    expect(batches.flat().sort((a, b) => a - b)).toEqual(spread.map((_, i) => i));
    expect(packed(0, budget)).toEqual(batches);
    // Who is beside whom is left to chance: few pairs of neighbors meet again.
    const pairs = new Set(batches.flatMap((batch) => batch.flatMap((a) => batch.map((b) => `${a} ${b}`))));
    const again = others.flatMap((batch) => batch.flatMap((a) => batch.map((b) => a !== b && pairs.has(`${a} ${b}`))));
    expect(again.filter(Boolean).length / again.length).toBeLessThan(0.05);
  }
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
