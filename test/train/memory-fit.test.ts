import { describe, expect, test } from "vitest";
import { type MemorySettings, whatFits } from "../../src/train/memory-fit.ts";

describe("settings that fit", () => {
  /** A made-up run: what each setting saves is known. */
  const needs = ({
    batchSize = 8,
    maxLength = 100,
    gradientCheckpointing = false,
    weights = "stored",
  }: MemorySettings) =>
    ({ stored: 1000, bf16: 500, int8: 250, nf4: 125 })[weights as string]! +
    (batchSize * maxLength) / (gradientCheckpointing ? 4 : 1);
  const now: MemorySettings = { batchSize: 8, maxLength: 100, gradientCheckpointing: false, weights: "stored" };
  const found = async (allowed: number, from = now) =>
    (await whatFits(from, needs, allowed)).map(({ settings }) => settings);

  test("are all that are enough alone, the largest number of each", async () => {
    expect(await found(1450)).toEqual([
      { batchSize: 4 },
      { maxLength: 56 },
      { gradientCheckpointing: true },
      { weights: "bf16" },
      { weights: "int8" },
      { weights: "nf4" },
    ]);
    expect(await found(1100)).toEqual([{ batchSize: 1 }, { weights: "int8" }, { weights: "nf4" }]);
  });

  test("are changed together where none is enough alone, no further than needed", async () => {
    expect(await found(500)).toEqual([{ gradientCheckpointing: true, weights: "int8" }]);
    expect(await found(300)).toEqual([{ gradientCheckpointing: true, batchSize: 2, weights: "int8" }]);
    expect(await found(135)).toEqual([{ gradientCheckpointing: true, batchSize: 1, weights: "nf4", maxLength: 40 }]);
  });

  test("are found without planning what is far too large again and again", async () => {
    const planned: number[] = [];
    const counted = (changes: MemorySettings) => {
      planned.push((changes.batchSize ?? 100_000) * (changes.maxLength ?? 100));
      return needs({ batchSize: 100_000, ...changes });
    };
    const fitting = await whatFits({ ...now, batchSize: 100_000 }, counted, 21_000);
    expect(fitting.map(({ settings }) => settings)).toEqual([{ batchSize: 200 }]);
    expect(planned.length).toBeLessThan(40);
    expect(planned.filter((rows) => rows > 1e6)).toEqual([]);
  });

  test("are none where even that is not enough, and only those that may change", async () => {
    expect(await found(100)).toEqual([]);
    expect(await found(1450, { batchSize: 8 })).toEqual([{ batchSize: 4 }]);
    expect(await found(900, { batchSize: 8 })).toEqual([]);
  });
});
