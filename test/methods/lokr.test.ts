import { describe, expect, test } from "vitest";
import { getPeftModel, PeftModel } from "../../src/adapt/peft-model.ts";
import { divisors, lokr } from "../../src/methods/lokr.ts";
import { batch, edited, saved, scramble, targets } from "../adapt/tiny-adapter.ts";
import { tinyLlama } from "../train/tiny.ts";

describe("LoKr", () => {
  test.each([
    [127, -1, [1, 127]],
    [128, -1, [8, 16]],
    [768, -1, [24, 32]],
    [128, 4, [4, 32]],
    [12, 6, [6, 2]], // a factor that divides comes first, whatever its size
    [12, 5, [3, 4]],
    [56, 5, [4, 14]],
    [2304, 10, [9, 256]],
  ] as const)("%d with factor %d is split into %j", (size, factor, pair) => {
    expect(divisors(size, factor)).toEqual(pair);
  });

  test("keys of the file decide which matrices are low-rank, not its config", async () => {
    const peft = getPeftModel(await tinyLlama(), lokr({ r: 1, decomposeBoth: true, ...targets }));
    scramble(peft);
    const files = edited(await saved(peft), { decompose_both: false });
    const again = await PeftModel.fromPretrained(await tinyLlama(), files, { isTrainable: true });
    expect([...again.namedTrainable().keys()].some((key) => key.endsWith("lokr_w1_a"))).toBe(true);
    expect(again.forward(batch).data).toEqual(peft.forward(batch).data);
  });
});
