/** A load of an adapter that fails, wherever it does, leaves nothing in memory. */
import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Method } from "../src/adapt/method/define-method.ts";
import { getPeftModel, PeftModel } from "../src/adapt/peft-model.ts";
import { AutoModelForCausalLM, AutoModelForSequenceClassification } from "../src/auto/auto-classes.ts";
import { fuse, stack } from "../src/composition.ts";
import type { Source } from "../src/core/host.ts";
import { bottleneck } from "../src/methods/bottleneck.ts";
import { createEngine } from "../src/wasm/engine.ts";
import { expectNothingKept } from "./failing-loads.ts";
import type { Variant } from "./methods/variant.ts";
import { encoderConfigs } from "./models/tiny-encoders.ts";

const config = {
  ...{ model_type: "llama", vocab_size: 50, hidden_size: 24, intermediate_size: 36, num_hidden_layers: 2 },
  ...{ num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 32, initializer_range: 0.25 },
};
const quiet = { onWarning: () => {} };
const folder = new URL("../src/methods/", import.meta.url);
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".generated.ts"))
  .map((file) => file.slice(0, -3));

describe.each(names)("%s", async (name) => {
  const exported: Record<string, unknown> = await import(new URL(`${name}.ts`, folder).href);
  const made = Object.values(exported).find((value) => typeof (value as Method).peftType === "string") as Method;
  const { variants } = (await import(new URL(`methods/${name}.ts`, import.meta.url).href)) as { variants: Variant[] };

  test.each(variants.slice(0, 3))("$title", async ({ options }) => {
    using engine = await createEngine({ build: "baseline" });
    const base = await AutoModelForCausalLM.fromConfig(
      { ...config, attention_bias: true, mlp_bias: true },
      { engine, seed: 1 },
    );
    const files = new Map<string, Uint8Array>();
    const peft = getPeftModel(base, made(options), quiet);
    await peft.savePretrained(files);
    peft.dispose();
    const load = (source: Source) => PeftModel.fromPretrained(base, source, { ...quiet, isTrainable: true });
    await expectNothingKept(engine, files, load);
    const beside = new PeftModel(base, quiet);
    await expectNothingKept(engine, files, async (source) => {
      await beside.loadAdapter(source, "a", { isTrainable: true });
      return { dispose: () => beside.deleteAdapter("a") };
    });
  });
});

test("a folder of several adapters with a fusion and heads", async () => {
  using engine = await createEngine({ build: "baseline" });
  const [bert] = Object.values(encoderConfigs.bert!);
  const base = await AutoModelForSequenceClassification.fromConfig(bert!, { engine, seed: 1 });
  for (const composition of [fuse("default", "b"), stack("default", "b")]) {
    const files = new Map<string, Uint8Array>();
    const peft = getPeftModel(base, bottleneck({ form: "seq_bn" }), quiet);
    peft.addAdapter("b", bottleneck({ form: "seq_bn" }));
    if (composition.type === "Fuse") peft.addAdapterFusion(composition);
    peft.setAdapter(composition);
    await peft.savePretrained(files);
    expect(files.has("adapter_setup.json")).toBe(true);
    peft.dispose();
    const load = (source: Source) => PeftModel.fromPretrained(base, source, { ...quiet, isTrainable: true });
    await expectNothingKept(engine, files, load);
  }
});
