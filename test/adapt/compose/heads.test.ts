import { describe, expect, test } from "vitest";
import { batchSplit, fuse, parallel, stack } from "../../../src/adapt/compose/composition.ts";
import type { PeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForSequenceClassification } from "../../../src/auto/auto-classes.ts";
import { createEngine } from "../../../src/wasm/engine.ts";
import { batch, config, logits, near, threeAdapters } from "./adapters.ts";

describe("heads", () => {
  async function classifiers(): Promise<PeftModel> {
    const engine = await createEngine({ build: "baseline" });
    return threeAdapters("pfeiffer", await AutoModelForSequenceClassification.fromConfig(config, { engine, seed: 1 }));
  }

  test("an adapter's head goes with it: into its part of a batch, and into a file of its own", async () => {
    const peft = await classifiers();
    const want = [...logits(peft, "a").subarray(0, 6), ...logits(peft, "b").subarray(6)];
    near("batchSplit", logits(peft, batchSplit(["a", "b"], [2, 1])), want);
    near("parallel", logits(peft, parallel("a", "b")), [...logits(peft, "a"), ...logits(peft, "b")]);
    const routed = peft.forward(batch, { adapterNames: ["a", "a", "b"] }).data;
    near("routed", routed, want);
    const files = new Map<string, Uint8Array>();
    await peft.savePretrained(files, { selectedAdapters: ["b"] });
    expect([...files.keys()]).toContain("b/model_head.safetensors");
    expect(JSON.parse(new TextDecoder().decode(files.get("b/head_config.json")!))).toMatchObject({
      config: null,
      model_class: "LlamaForSequenceClassification",
      num_labels: 3,
    });
  });

  test("of adapters that act one after the other the last one's head counts, and is trained alone", async () => {
    const peft = await classifiers();
    peft.setTrainable(["a", "b"], true);
    peft.setAdapter(stack("a", "b"));
    const heads = [...peft.namedTrainable().keys()].filter((key) => key.includes("score"));
    expect(heads).toEqual(["b/score.weight"]);
    peft.addAdapterFusion(["a", "b"]);
    peft.setTrainable("a,b", true);
    peft.setAdapter(fuse("a", "b"));
    expect([...peft.namedTrainable().keys()].filter((key) => key.includes("score"))).toEqual(["a,b/score.weight"]);
  });
});
