/** LoHa, LoKr, VeRA and OFT beyond what all methods have in common (test/methods.test.ts). */
import { describe, expect, test } from "vitest";
import type { MethodConfig } from "../src/adapt/method/define-method.ts";
import { getPeftModel } from "../src/adapt/peft-model.ts";
import { loha } from "../src/methods/loha.ts";
import { lokr } from "../src/methods/lokr.ts";
import { lora } from "../src/methods/lora.ts";
import { oft } from "../src/methods/oft.ts";
import { vera } from "../src/methods/vera.ts";
import { batch, scramble, targets } from "./adapt/tiny-adapter.ts";
import { expectClose } from "./golden-files.ts";
import { tinyLlama } from "./train/tiny.ts";

const methods: [string, MethodConfig][] = [
  ["LoHa", loha({ r: 3, alpha: 5, ...targets })],
  ["LoKr", lokr({ r: 2, alpha: 5, ...targets })],
  ["VeRA", vera({ r: 10, ...targets })],
  ["OFT", oft({ oftBlockSize: 4, ...targets })],
];

describe("counts are those of the formula", () => {
  // Llama with 2 layers; q_proj [16, 16], v_proj [8, 16], down_proj [16, 24].
  const cases = [
    [loha({ r: 3, ...targets }), 2 * 2 * 3 * (16 + 16 + (8 + 16) + (16 + 24))],
    // 16 = 4·4, 8 = 2·4, 24 = 4·6; a rank below half of the larger side splits the second matrix.
    [lokr({ r: 1, ...targets }), 2 * (16 + (4 + 4) + (8 + (4 + 4)) + (16 + (4 + 6)))],
    [lokr({ r: 8, ...targets }), 2 * (16 + 16 + (8 + 16) + (16 + 24))],
    [vera({ r: 10, ...targets }), 2 * (3 * 10 + 16 + 8 + 16)],
    [oft({ oftBlockSize: 4, ...targets }), 2 * 6 * (4 + 4 + 6)],
    [oft({ oftBlockSize: 0, r: 2, ...targets }), 2 * 2 * (28 + 28 + 66)],
    [oft({ oftBlockSize: 8, blockShare: true, ...targets }), 2 * 3 * 28],
  ] as const;
  test.each(cases)("%#", async (config, count) => {
    expect(getPeftModel(await tinyLlama(), config).getNbTrainableParameters().trainable).toBe(count);
  });
});

test.each(methods)("%s acts on its own sequences of a batch, and on no others", async (_, config) => {
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

test.each(methods)("%s beside a LoRA: applying both is merging both", async (_, config) => {
  const peft = getPeftModel(await tinyLlama(), config);
  peft.addAdapter("second", lora({ r: 2, ...targets }));
  for (const names of [
    ["default", "second"],
    ["second", "default"],
  ]) {
    peft.setAdapter(names);
    peft.setTrainable(names, true);
    scramble(peft);
    const applied = peft.forward(batch).data;
    peft.mergeAdapter();
    expectClose(names.join(), peft.forward(batch).data, applied, 2e-4, 2e-4);
    peft.unmergeAdapter();
  }
});

test.each(methods.slice(0, 3))(
  "%s becomes a LoRA of full rank with the same output; OFT does not",
  async (_, config) => {
    const peft = getPeftModel(await tinyLlama(), config);
    scramble(peft);
    const before = peft.forward(batch).data;
    await peft.convertToLora("default", "low", { rank: 16 });
    peft.setAdapter("low");
    expectClose("logits", peft.forward(batch).data, before, 2e-4, 2e-4);
    const rotated = getPeftModel(await tinyLlama(), oft({ oftBlockSize: 4 }));
    await expect(rotated.convertToLora("default", "low", { rank: 2 })).rejects.toThrow("oft does not add to weights");
  },
);
