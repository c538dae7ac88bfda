/** Weights that are not finite, or do not fit the dtype that is asked for, are refused where they are read. */
import { expect, test } from "vitest";
import { getPeftModel, PeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../../src/auto/auto-classes.ts";
import { FormatError, StateError } from "../../../src/core/errors.ts";
import { lora } from "../../../src/methods/lora.ts";
import { concatenate } from "../../../src/nn/pass/sequences.ts";
import { saveModel } from "../../../src/nn/tensors/save-model.ts";
import type { Param } from "../../../src/tensor/tensor.ts";
import { tinyConfigs } from "../../models/tiny.ts";

const [llama] = Object.values(tinyConfigs.llama!);
const NAME = "model.layers.1.mlp.up_proj.weight";
const text = concatenate([[1, 2, 3]]);

/** A saved model, one of whose weights is `value`. */
async function saved(value: number): Promise<Map<string, Uint8Array>> {
  using model = await AutoModelForCausalLM.fromConfig(llama!);
  (model.namedWeights().get(NAME) as Param).values()[5] = value;
  const files = new Map<string, Uint8Array>();
  await saveModel(model, files);
  return files;
}

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  "%f is refused, or allowed",
  async (value) => {
    const files = await saved(value);
    for (const options of [{}, { trainable: true }, { weights: "int8" as const }, { weights: "bf16" as const }]) {
      const loading = AutoModelForCausalLM.fromPretrained(files, options);
      await expect(loading).rejects.toThrow(FormatError);
      await expect(loading).rejects.toThrow(new RegExp(`"${NAME}" in .*: element 5 is ${value}, expected finite`));
    }
    using model = await AutoModelForCausalLM.fromPretrained(files, { allowNonFinite: true });
    expect(() => model.forward(text)).toThrow(StateError);
    expect(() => model.forward(text)).toThrow("forward: row 0 of the outputs has NaN");
  },
);

test("a number beyond float16 is refused where it would become infinity, and kept in bfloat16", async () => {
  const files = await saved(70_000);
  await expect(AutoModelForCausalLM.fromPretrained(files, { weights: "f16" })).rejects.toThrow(
    `"${NAME}": 70000 is beyond the largest float16, 65504`,
  );
  using model = await AutoModelForCausalLM.fromPretrained(files, { weights: "bf16" });
  expect(model.forward(text).data.length).toBeGreaterThan(0);
});

test("an adapter with NaN is refused, or allowed", async () => {
  using base = await AutoModelForCausalLM.fromConfig(llama!);
  const trained = getPeftModel(base, lora({ r: 2 }));
  [...trained.namedTrainable().values()][0]!.values()[1] = Number.NaN;
  const files = new Map<string, Uint8Array>();
  await trained.savePretrained(files);
  using other = await AutoModelForCausalLM.fromConfig(llama!);
  await expect(PeftModel.fromPretrained(other, files)).rejects.toThrow(/lora_A.weight" in .*: element 1 is NaN/);
  const model = await PeftModel.fromPretrained(other, files, { allowNonFinite: true });
  expect(() => model.forward(text)).toThrow("forward: row 0 of the outputs has NaN");
});
