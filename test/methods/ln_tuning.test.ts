import { describe, expect, test } from "vitest";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { FormatError } from "../../src/core/errors.ts";
import { lnTuning } from "../../src/methods/ln_tuning.ts";
import { tinyLlama } from "../train/tiny.ts";

describe("LN tuning", () => {
  test("a copy that is not a number is not merged with safeMerge", async () => {
    const peft = getPeftModel(await tinyLlama(), lnTuning());
    const [param] = peft.namedTrainable().values();
    param!.values()[3] = Number.NaN;
    expect(() => peft.mergeAndUnload({ safeMerge: true })).toThrow(FormatError);
    expect(peft.activeAdapters).toEqual(["default"]);
  });
});
