import { describe, expect, test } from "vitest";
import { describeAdapter } from "../../src/adapt/describe.ts";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { describeModel } from "../../src/auto/auto-model.ts";
import { lora } from "../../src/methods/lora.ts";
import { base, q, silent } from "./golden-adapter.ts";

describe("counting", () => {
  test("is printed in PEFT's words", async () => {
    const model = getPeftModel(await base(), q, silent);
    expect(model.getNbTrainableParameters().trainable).toBe(2 * (4 * 32 + 32 * 4));
    expect(model.describeTrainable()).toMatch(
      /^trainable params: 512 \|\| all params: 23776 \|\| trainable%: 2\.153432032301\d+$/,
    );
    expect(model.describeTrainable({ spelling: "grouped" })).toBe(
      "trainable params: 512 || all params: 23,776 || trainable%: 2.1534",
    );
  });
  test("takes a tied weight once, a copied module as new, a trained bias as the base's own", async () => {
    const count = async (name: string, options: Parameters<typeof lora>[0]) =>
      getPeftModel(await base(name), lora(options), silent).getNbTrainableParameters();
    const tied = await count("llama-tied", { r: 1, targetModules: ["q_proj"] });
    expect((await count("llama", { r: 1, targetModules: ["q_proj"] })).all - tied.all).toBe(97 * 32);
    const copied = await count("llama", { r: 1, targetModules: ["q_proj"], modulesToSave: ["lm_head"] });
    expect(copied.trainable - tied.trainable).toBe(97 * 32);
    expect(copied.all - tied.all).toBe(2 * 97 * 32);
    const [without, with_] = await Promise.all(
      ["none", "lora_only"].map((bias) =>
        count("llama-bias", { r: 1, targetModules: ["q_proj"], bias: bias as "none" }),
      ),
    );
    expect(with_!.trainable - without!.trainable).toBe(2 * 32);
    expect(with_!.all).toBe(without!.all);
  });
  test("describing needs no weights and lists what would be trained", async () => {
    const plain = await base();
    const config = {
      peft_type: "LORA",
      r: 4,
      target_modules: ["q_proj"],
      modules_to_save: ["lm_head"],
      use_dora: true,
      init_lora_weights: "pissa",
    };
    const described = await describeAdapter(await describeModel(plain.config), config, () => {});
    const made = getPeftModel(
      plain,
      lora({ r: 4, targetModules: ["q_proj"], modulesToSave: ["lm_head"], useDora: true }),
      silent,
    );
    expect(described.tensors.map(({ name, shape }) => [name, shape])).toEqual(
      Array.from(made.namedTrainable(), ([name, { shape }]) => [name, shape]),
    );
    expect(described.trainable).toBe(made.getNbTrainableParameters().trainable);
  });
});
