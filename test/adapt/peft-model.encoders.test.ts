/** Adapters on encoders and on classifiers: what is adapted by default, what never is, and batches of several adapters up to the head. */
import { expect, test } from "vitest";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { modelFromConfig } from "../../src/auto/auto-model.ts";
import { Philox } from "../../src/core/random/philox.ts";
import type { Task } from "../../src/core/task.ts";
import { lora } from "../../src/methods/lora.ts";
import type { RawConfig } from "../../src/nn/config.ts";
import { pixelInput } from "../../src/nn/pass/pixels.ts";
import { concatenateInputs, type Labelled } from "../../src/nn/pass/sequences.ts";
import { Tape } from "../../src/tape/tape.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { expectClose } from "../golden-files.ts";
import { tinyConfigs } from "../models/tiny.ts";
import { encoderConfigs } from "../models/tiny-encoders.ts";

const firstOf = (type: string): RawConfig => Object.values({ ...tinyConfigs, ...encoderConfigs }[type]!)[0]!;

async function modelOf<T extends Task>(type: string, task: T) {
  return modelFromConfig(firstOf(type), task, { engine: await createEngine({ build: "baseline" }), seed: 5 });
}

test.each([
  ["vit", "IMAGE_CLS", ["query", "value"]],
  ["distilbert", "SEQ_CLS", ["q_lin", "v_lin"]],
] as const)("PEFT has no targets for %s: the error names some, which then work", async (type, task, targetModules) => {
  using model = await modelOf(type, task);
  expect(() => getPeftModel(model, lora())).toThrow(
    `PEFT has no default targetModules of LORA for "${type}": specify them, such as targetModules: ${JSON.stringify(targetModules)}`,
  );
  using adapted = getPeftModel(model, lora({ targetModules: [...targetModules] }));
  const adaptedLayers = [...adapted.namedTrainable().keys()].filter((key) => key.includes("lora_A"));
  expect(adaptedLayers).toHaveLength(4);
});

test("all-linear is every matmul but the head of a classifier, and not ViT's convolution", async () => {
  for (const [type, task, layers] of [
    ["vit", "IMAGE_CLS", 2 * 6 + 1], // PEFT knows heads of SEQ_CLS only
    ["roberta", "SEQ_CLS", 2 * 6],
    ["bert", "SEQ_CLS", 2 * 6 + 1], // the pooler too
  ] as const) {
    using model = await modelOf(type, task);
    using adapted = getPeftModel(model, lora({ targetModules: "all-linear" }));
    const keys = [...adapted.namedTrainable().keys()].filter((key) => key.includes("lora_A"));
    expect(keys, type).toHaveLength(layers);
    expect(keys.filter((key) => key.includes("projection"))).toEqual([]);
  }
  using model = await modelOf("vit", "IMAGE_CLS");
  expect(() => getPeftModel(model, lora({ targetModules: ["projection"] }))).toThrow(
    '"vit.embeddings.patch_embeddings.projection" (convolution)',
  );
});

test("a saved copy of ViT's convolution and class token is trained in their place, bias included", async () => {
  using model = await modelOf("vit", "IMAGE_CLS");
  const options = { targetModules: ["query"], modulesToSave: ["projection", "cls_token", "classifier"] };
  using adapted = getPeftModel(model, lora(options));
  const image = Float32Array.from({ length: 3 * 12 * 12 }, (_, i) => Math.sin(i));
  const batch = concatenateInputs([{ inputIds: [], inputs: [pixelInput(image)] }]);
  const logits = () => Tape.once(model.engine, {}, (tape) => tape.download(adapted.outputs(tape, batch)));
  for (const ending of ["projection.weight", "projection.bias", "cls_token", "classifier.bias"]) {
    const [name, param] = [...adapted.namedTrainable()].find(([key]) => key.endsWith(ending)) ?? expect.fail(ending);
    const before = logits();
    for (const i of param.values().keys()) param.values()[i]! += 0.1 * Math.cos(i);
    expect(logits(), name).not.toEqual(before);
  }
  const trained = logits();
  adapted.mergeAndUnload();
  const merged = Tape.once(model.engine, {}, (tape) => tape.download(model.outputs(tape, batch)));
  expectClose("merged", merged, trained, 1e-5, 1e-5);
});

test.each(["bert", "roberta", "distilbert", "llama"])(
  "%s classifies each text with its own adapter and head",
  async (type) => {
    using model = await modelOf(type, "SEQ_CLS");
    const some: Record<string, string[]> = { distilbert: ["q_lin", "pre_classifier"], llama: ["q_proj", "down_proj"] };
    const targetModules = some[type] ?? ["query", "dense"];
    using adapted = getPeftModel(model, lora({ targetModules, r: 2 }), { adapterName: "one" });
    adapted.addAdapter("two", lora({ targetModules, r: 2 }));
    for (const name of ["one", "two"]) {
      adapted.setAdapter(name);
      const random = new Philox(name === "one" ? 1 : 2);
      for (const param of adapted.namedTrainable().values())
        for (const i of param.values().keys()) param.values()[i]! += 0.3 * random.normal();
    }
    const texts: Omit<Labelled, "labels">[] = [{ inputIds: [5, 6, 7] }, { inputIds: [8] }, { inputIds: [9, 10, 4, 3] }];
    const names = ["two", "__base__", "one"];
    const run = (examples: typeof texts, adapterNames: string[]) =>
      Tape.once(model.engine, {}, (tape) =>
        tape.download(adapted.outputs(tape, concatenateInputs(examples), { adapterNames })),
      );
    const together = run(texts, names);
    const alone = texts.flatMap((text, i) => Array.from(run([text], [names[i]!])));
    expectClose("logits", together, alone, 2e-5, 2e-5);
    expect(Math.max(...run(texts, ["one", "one", "one"]).map((x, i) => Math.abs(x - together[i]!)))).toBeGreaterThan(
      0.01,
    );
  },
);
