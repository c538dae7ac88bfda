import { expect, test } from "vitest";
import { lowestRate, methodRate } from "../../../src/adapt/method/method-rate.ts";
import { lora } from "../../../src/methods/lora.ts";
import { promptTuning } from "../../../src/methods/prompt_tuning.ts";
import { vera } from "../../../src/methods/vera.ts";

test("a method without a rate of its own takes that of the width", () => {
  expect(methodRate(lora, 384)).toEqual({ value: 2e-3, reason: "for a model of width 384" });
  expect(methodRate(vera, 384).value).toBe(methodRate(vera, 4096).value);
});

test("adapters of several methods take the lowest of their rates", () => {
  expect(lowestRate([promptTuning, lora], 384)).toEqual(methodRate(lora, 384));
  expect(lowestRate([], 384)).toEqual(methodRate(lora, 384));
});
