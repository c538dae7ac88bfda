import { expect, test } from "vitest";
import { getPeftModel, PeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../../src/auto/auto-classes.ts";
import { memoryTarget } from "../../../src/checkpoint/source.ts";
import { lora } from "../../../src/methods/lora.ts";
import { saveModel } from "../../../src/nn/tensors/save-model.ts";
import { createEngine } from "../../../src/wasm/engine.ts";
import { tinyConfig } from "../../train/tiny.ts";

test("an adapter that brings the base's embedding along fits a base that is only measured, as it does the real one", async () => {
  const model = await AutoModelForCausalLM.fromConfig(tinyConfig, { seed: 1 });
  const [folder, saved] = [memoryTarget(), memoryTarget()];
  await saveModel(model, folder);
  const config = lora({ r: 2, targetModules: ["embed_tokens", "q_proj"] });
  await getPeftModel(model, config, { onWarning: () => {} }).savePretrained(saved);
  for (const measuring of [true, false]) {
    using engine = await createEngine({ measuring });
    const base = await AutoModelForCausalLM.fromPretrained(folder.files, { engine });
    const loaded = await PeftModel.fromPretrained(base, saved.files, { isTrainable: true, onWarning: () => {} });
    expect(loaded.namedTrainable().size).toBe(6);
  }
});
