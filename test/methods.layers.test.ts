/** IA3, LN tuning, trainable tokens and AdaLoRA beyond what all methods have in common (test/methods.test.ts). */
import { describe, expect, test } from "vitest";
import { getPeftModel } from "../src/adapt/peft-model.ts";
import { adalora } from "../src/methods/adalora.ts";
import { ia3 } from "../src/methods/ia3.ts";
import { lnTuning } from "../src/methods/ln_tuning.ts";
import { trainableTokens } from "../src/methods/trainable_tokens.ts";
import { batch, scramble } from "./adapt/tiny-adapter.ts";
import { expectClose } from "./golden-files.ts";
import { tinyLlama } from "./train/tiny.ts";

describe("counts are those of the formula", () => {
  // Llama with 2 layers, width 16, feed-forward 24, vocabulary 32, 2 of 4 heads for keys and values.
  const cases = [
    ["IA3", ia3(), 2 * (8 + 8 + 24)],
    ["LN tuning", lnTuning(), 2 * (16 + 16) + 16],
    ["trainable tokens", trainableTokens({ tokenIndices: [5, 9, 30] }), 3 * 16],
    ["AdaLoRA", adalora({ initR: 4, totalStep: 10 }), 2 * (4 * (16 + 16 + 1) + 4 * (16 + 8 + 1))],
  ] as const;
  test.each(cases)("%s", async (_, config, count) => {
    expect(getPeftModel(await tinyLlama(), config).getNbTrainableParameters().trainable).toBe(count);
  });
});

describe("one batch, several adapters", () => {
  test.each([
    ["IA3", ia3()],
    ["AdaLoRA", adalora({ initR: 3, totalStep: 9, initLoraWeights: false, loraAlpha: 1 })],
  ])("%s acts on its own sequences, and on no others", async (_, config) => {
    const base = await tinyLlama();
    const plain = base.forward(batch).data;
    const peft = getPeftModel(base, config);
    scramble(peft);
    const adapted = peft.forward(batch).data;
    const row = (s: number) => batch.starts[s]! * base.vocabSize;
    const mixed = peft.forward(batch, { adapterNames: ["__base__", "default", "__base__"] }).data;
    expectClose("base", mixed.subarray(0, row(1)), plain.subarray(0, row(1)), 1e-5, 1e-5);
    expectClose("adapted", mixed.subarray(row(1), row(2)), adapted.subarray(row(1), row(2)), 1e-5, 1e-5);
    expectClose("base again", mixed.subarray(row(2)), plain.subarray(row(2)), 1e-5, 1e-5);
  });
});
