import { describe, expect, test } from "vitest";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { UnsupportedError } from "../../src/core/errors.ts";
import { bitfit } from "../../src/methods/bitfit.ts";
import { tinyLlama } from "../train/tiny.ts";

describe("BitFit", () => {
  test("a model without biases is refused", async () => {
    const base = await tinyLlama();
    expect(() => getPeftModel(base, bitfit())).toThrow(UnsupportedError);
  });
});
