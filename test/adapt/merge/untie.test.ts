/** Merging into layers that share one table: gpt2 and llama-tied have their output projection in the embedding. */
import { expect, test } from "vitest";
import { getPeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../../src/auto/auto-classes.ts";
import { lora } from "../../../src/methods/lora.ts";
import { trainableTokens } from "../../../src/methods/trainable_tokens.ts";
import { saveModel } from "../../../src/nn/tensors/save-model.ts";
import { expectClose } from "../../golden-files.ts";
import { base, batch, scramble, weightBytes } from "../golden-adapter.ts";

const loraOn = (...targetModules: string[]) => lora({ r: 2, loraAlpha: 6, targetModules });
const q = ["q_proj"];

/** What is adapted, and whether the tied layers become two. */
const cases = {
  "LoRA on the head": [loraOn("lm_head"), true],
  "LoRA on the embedding": [loraOn("embed_tokens"), true],
  "LoRA on both": [loraOn("embed_tokens", "lm_head"), true],
  "a copy of the head": [lora({ targetModules: q, modulesToSave: ["lm_head"] }), true],
  "a copy of the embedding": [lora({ targetModules: q, modulesToSave: ["embed_tokens"] }), true],
  "copies of both": [lora({ targetModules: q, modulesToSave: ["embed_tokens", "lm_head"] }), true],
  "LoRA on the embedding and a copy of the head": [
    lora({ targetModules: ["embed_tokens"], modulesToSave: ["lm_head"] }),
    true,
  ],
  "trained tokens": [trainableTokens({ tokenIndices: [5, 6, 30] }), false],
  "LoRA and trained tokens": [lora({ targetModules: q, trainableTokenIndices: [5, 30] }), false],
} as const;

for (const [what, [config, unties]] of Object.entries(cases)) {
  test(`${what}: the merged model and the folder written from it say what base and adapter say`, async () => {
    const plain = await base("llama-tied");
    const warnings: string[] = [];
    const model = getPeftModel(plain, config, { onWarning: (message) => warnings.push(message) });
    scramble(model, "default");
    const applied = model.forward(batch).data;
    const merged = model.mergeAndUnload();
    expectClose("merged", merged.forward(batch).data, applied, 1e-4, 1e-4);
    const folder = new Map<string, Uint8Array>();
    await saveModel(merged, folder);
    using opened = await AutoModelForCausalLM.fromPretrained(folder);
    expectClose("opened", opened.forward(batch).data, merged.forward(batch).data, 1e-5, 1e-5);
    expect(opened.namedWeights().has("lm_head.weight")).toBe(unties);
    expect(opened.config.tie_word_embeddings).toBe(!unties);
    expect(warnings.some((text) => /"lm_head" was tied to .* has a separate weight after merging/.test(text))).toBe(
      unties,
    );
  });

  test(`${what}: merged for a while, the outputs are the adapter's; unmerged, every byte is as before`, async () => {
    const plain = await base("llama-tied");
    const before = weightBytes(plain);
    const model = getPeftModel(plain, config, { onWarning: () => {} });
    scramble(model, "default");
    const applied = model.forward(batch).data;
    model.mergeAdapter();
    expectClose("merged", model.forward(batch).data, applied, 1e-4, 1e-4);
    model.unmergeAdapter();
    expect(model.forward(batch).data).toEqual(applied);
    expect(weightBytes(model.unload())).toEqual(before);
  });
}
