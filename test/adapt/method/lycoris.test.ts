import { describe, expect, test } from "vitest";
import { dropOutputs } from "../../../src/adapt/method/lycoris.ts";
import { getPeftModel } from "../../../src/adapt/peft-model.ts";
import { loha } from "../../../src/methods/loha.ts";
import { lokr } from "../../../src/methods/lokr.ts";
import { lift } from "../../../src/ops/linear/product.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { Gym } from "../../ops/gradients.ts";
import { tinyLlama } from "../../train/tiny.ts";
import { batch } from "../tiny-adapter.ts";

describe("dropout of outputs", () => {
  const columns = 40;
  /** A row of ones through dropOutputs. */
  async function dropped(rankDropout: number, moduleDropout: number, scaled: boolean, step = 1, training = true) {
    using gym = await Gym.open("baseline");
    const ones = gym.param("ones", [2, columns]);
    ones.values().fill(1);
    return Tape.once(gym.engine, { training, seed: [5, step] }, (tape) =>
      tape.download(dropOutputs(lift(tape, ones), { rankDropout, moduleDropout }, scaled)),
    );
  }
  const steps = Array.from({ length: 30 }, (_, step) => step);

  test("zeroes the same columns in every row, as often as asked, and others at every step", async () => {
    const masks = await Promise.all(steps.map((step) => dropped(0.3, 0, false, step)));
    for (const mask of masks) expect(mask.subarray(0, columns)).toEqual(mask.subarray(columns));
    expect(new Set(masks.map(String)).size).toBe(steps.length);
    const kept = masks.flatMap((mask) => [...mask.subarray(0, columns)]);
    expect(new Set(kept)).toEqual(new Set([0, 1]));
    // 1200 draws: a standard deviation of 0.013.
    expect(Math.abs(kept.reduce((sum, x) => sum + x, 0) / kept.length - 0.7)).toBeLessThan(0.06);
    expect(await dropped(0.3, 0, false, 4)).toEqual(masks[4]);
  });

  test("scaled, leaves the mean over the columns as it was", async () => {
    for (const step of steps.slice(0, 5)) {
      const mask = await dropped(0.6, 0, true, step);
      expect(mask.reduce((sum, x) => sum + x, 0) / mask.length).toBeCloseTo(1, 5);
    }
  });

  test("of the module zeroes all or nothing, with no rescaling", async () => {
    const masks = await Promise.all(steps.map((step) => dropped(0, 0.5, true, step)));
    for (const mask of masks) expect(new Set(mask).size).toBe(1);
    const kept = masks.filter((mask) => mask[0] === 1).length;
    expect(masks.filter((mask) => mask[0] === 0).length).toBe(steps.length - kept);
    expect(Math.abs(kept - 15)).toBeLessThan(11); // four standard deviations
  });

  test("never makes a NaN of a mask without a one, and does nothing outside training", async () => {
    for (const step of steps) expect((await dropped(0.99, 0, true, step)).every(Number.isFinite)).toBe(true);
    expect(new Set(await dropped(0.5, 0.5, true, 1, false))).toEqual(new Set([1]));
  });

  test.each([
    loha({ r: 3, rankDropout: 0.5, moduleDropout: 0.2, initWeights: false }),
    lokr({ r: 2, rankDropout: 0.5, initWeights: false }),
  ])("acts in training only: %#", async (config) => {
    const peft = getPeftModel(await tinyLlama(), config);
    const losses = (training: boolean, step: number) =>
      Tape.once(peft.engine, { training, recording: training, seed: [1, step] }, (tape) =>
        tape.download(peft.loss(tape, batch)),
      );
    expect(losses(true, 1)).toEqual(losses(true, 1));
    expect(losses(true, 1)).not.toEqual(losses(true, 2));
    expect(losses(false, 1)).toEqual(losses(false, 2));
    expect(losses(true, 1)).not.toEqual(losses(false, 1));
  });
});
