import { describe, expect, test } from "vitest";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { modelFromConfig } from "../../src/auto/auto-model.ts";
import { ia3 } from "../../src/methods/ia3.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { batch } from "../adapt/tiny-adapter.ts";
import { expectClose } from "../golden-files.ts";
import { tinyLlama } from "../train/tiny.ts";

describe("IA3", () => {
  test("two active adapters multiply", async () => {
    const peft = getPeftModel(await tinyLlama(), ia3());
    peft.addAdapter("second", ia3());
    peft.setAdapter(["default", "second"]);
    peft.setTrainable(["default", "second"], true);
    for (const [key, param] of peft.namedTrainable()) param.values().fill(key.startsWith("second/") ? 0.5 : 3);
    const both = peft.forward(batch).data;
    peft.setAdapter("default");
    for (const param of peft.namedTrainable().values()) param.values().fill(1.5);
    expectClose("logits", both, peft.forward(batch).data, 1e-5, 1e-5);
  });

  test("feed-forward layers that are no targets are told", () => {
    const given = { targetModules: ["k_proj"], feedforwardModules: ["k_proj", "down_proj"] };
    expect(() => ia3(given)).toThrow('"feedforwardModules" must be a subset of "targetModules", found ["down_proj"]');
  });

  test("a model that PEFT has no table for wants them named", async () => {
    const config = { model_type: "distilbert", dim: 16, n_layers: 1, n_heads: 2, hidden_dim: 24, vocab_size: 32 };
    const model = await modelFromConfig(config, "FEATURE_EXTRACTION", { engine: await createEngine() });
    expect(() => getPeftModel(model, ia3())).toThrow(/no default targetModules of IA3 for "distilbert"/);
    expect(() => getPeftModel(model, ia3({ targetModules: ["q_lin"] }))).toThrow(/no default feedforwardModules/);
    getPeftModel(model, ia3({ targetModules: ["q_lin"], feedforwardModules: [] }));
  });
});
