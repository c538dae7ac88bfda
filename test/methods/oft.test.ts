import { describe, expect, test } from "vitest";
import { getPeftModel, PeftModel } from "../../src/adapt/peft-model.ts";
import { FormatError } from "../../src/core/errors.ts";
import { nearestDivisor, oft } from "../../src/methods/oft.ts";
import type { Param } from "../../src/tensor/tensor.ts";
import { batch, edited, saved, scramble, targets } from "../adapt/tiny-adapter.ts";
import { expectClose } from "../golden-files.ts";
import { tinyLlama } from "../train/tiny.ts";

describe("OFT", () => {
  test.each([
    [16, 6, 4],
    [24, 6, 6],
    [12, 5, 4], // 4 and 6 are as near
    [53, 32, 53],
    [37, 16, 1],
    [768, 1000, 768],
  ])("%d: the divisor nearest to %d is %d", (width, asked, near) => {
    expect(nearestDivisor(width, asked)).toBe(near);
  });

  test("says once for each width which block size it takes instead", async () => {
    const warnings: string[] = [];
    const config = oft({ oftBlockSize: 7, ...targets });
    const peft = getPeftModel(await tinyLlama(), config, { onWarning: (warning) => warnings.push(warning) });
    expect(warnings.map((warning) => warning.replace(/the width of .*: /, ""))).toEqual([
      "oftBlockSize 7 does not divide 16, 8 is used there",
      "oftBlockSize 7 does not divide 24, 6 is used there",
    ]);
    expect((peft.peftConfig.get("default")!.values as { oftBlockSize?: number }).oftBlockSize).toBe(7);
  });

  test("takes a number of blocks or their size, not both and not neither", () => {
    for (const options of [{ r: 4 }, { oftBlockSize: 0 }]) {
      expect(() => oft(options)).toThrow(FormatError);
      expect(() => oft(options)).toThrow("one of them must be 0");
    }
  });

  test("an exact rotation and its series turn opposite ways", async () => {
    const options = { oftBlockSize: 4, numCayleyNeumannTerms: 40, targetModules: ["q_proj"] };
    const peft = getPeftModel(await tinyLlama(), oft(options));
    scramble(peft);
    const files = await saved(peft);
    for (const [key, param] of peft.namedTrainable()) {
      expect(key).toContain("oft_R");
      param.values().set(param.values().map((x) => -x));
    }
    const exact = await PeftModel.fromPretrained(await tinyLlama(), edited(files, { use_cayley_neumann: false }));
    expectClose("logits", exact.forward(batch).data, peft.forward(batch).data, 2e-4, 2e-4);
  });

  test("coft keeps every block within its share of eps, and leaves smaller ones alone", async () => {
    const peft = getPeftModel(
      await tinyLlama(),
      oft({ oftBlockSize: 4, coft: true, eps: 0.1, targetModules: ["q_proj"] }),
    );
    const [first, second] = [...peft.namedTrainable().values()] as [Param, Param];
    first.values().fill(1);
    second.values().fill(0.001);
    peft.forward(batch).data;
    for (let block = 0; block < 4; block++) {
      const norm = Math.SQRT2 * Math.hypot(...first.values().subarray(block * 6, block * 6 + 6));
      expect(norm).toBeCloseTo(0.1 / Math.sqrt(4), 6);
    }
    expect(new Set(second.values())).toEqual(new Set([Math.fround(0.001)]));
  });
});
