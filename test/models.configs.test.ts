/** Every key that changes numbers against transformers: tiny models that differ from a base in one key or two. */
import { expect, test } from "vitest";
import { loadPretrained, modelFromConfig } from "../src/auto/auto-model.ts";
import { memoryTarget } from "../src/checkpoint/source.ts";
import { pixelInput } from "../src/nn/pass/pixels.ts";
import { concatenateInputs, concatenateLabelled, type Labelled } from "../src/nn/pass/sequences.ts";
import { FeatureExtractor } from "../src/nn/tasks/feature-extractor.ts";
import type { Model } from "../src/nn/tasks/model.ts";
import { saveModel } from "../src/nn/tensors/save-model.ts";
import { Tape } from "../src/tape/tape.ts";
import { createEngine } from "../src/wasm/engine.ts";
import { bases, type ConfigCase, configCases, fill, numbers } from "./golden-configs.ts";
import { expectClose, readTensors } from "./golden-files.ts";

const expected = await readTensors("model-configs", "logits.safetensors");

/** The last rows of each sequence, which is what the goldens keep. */
function lastRows(model: Model, { task, type, sequences }: ConfigCase): number[] {
  return sequences.flatMap((ids) => {
    const labels = task === "SEQ_2_SEQ_LM" ? ids.toReversed() : [];
    const image = { inputs: [pixelInput(numbers("pixels", pixelsOf(model)))] };
    const example: Labelled = { inputIds: type === "vit" ? [] : ids, labels, ...(type === "vit" && image) };
    const batch = labels.length > 0 ? concatenateLabelled([example]) : concatenateInputs([example]);
    const hidden = Tape.once(model.engine, {}, (tape) => {
      const rows = model.outputs(tape, batch);
      const width = rows.shape[1]!;
      return Array.from(tape.download(rows)).slice(-4 * width);
    });
    return hidden.concat(pooled(model, type) ? Array.from((model as FeatureExtractor).embed(batch, "pooler")) : []);
  });
}

const pooled = (model: Model, type: string) =>
  model instanceof FeatureExtractor && type !== "distilbert" && type !== "t5" && type !== "mt5";

function pixelsOf({ config, modelType }: Model): number {
  if (modelType !== "vit") return 0;
  const size = config.image_size as number | number[];
  const [height, width] = Array.isArray(size) ? size : [size, size];
  return (config.num_channels as number) * height! * width!;
}

const titled = configCases.map((golden, i) => {
  const long = golden.sequences.length > 1 ? ", a batch" : golden.sequences[0]!.length > 10 ? ", long" : "";
  return { golden, index: String(i), title: `${golden.type} ${golden.task} ${JSON.stringify(golden.changes)}${long}` };
});

test.each(titled)("$title", async ({ golden, index }) => {
  const config = { model_type: golden.type, ...bases[golden.type], ...golden.changes };
  using engine = await createEngine({ build: "baseline" });
  using model = await modelFromConfig(config, golden.task, { engine });
  fill(model);
  expectClose("outputs", lastRows(model, golden), expected.get(index)!.values, 2e-5, 2e-4);
});

test("a copy of an architecture loads under its own name, with a notice, and is saved as what it is", async () => {
  using engine = await createEngine({ build: "baseline" });
  const config = { model_type: "camembert", ...bases.camembert, architectures: ["CamembertForSequenceClassification"] };
  using made = await modelFromConfig(config, null, { engine });
  expect([made.modelType, made.architecture]).toEqual(["camembert", "CamembertForSequenceClassification"]);
  const target = memoryTarget();
  await saveModel(made, target, { dtype: "f32" });
  const warnings: string[] = [];
  using loaded = await loadPretrained(Object.fromEntries(target.files), null, {
    engine,
    onWarning: (text) => warnings.push(text),
  });
  expect(loaded.task).toBe("SEQ_CLS");
  expect(warnings).toEqual([expect.stringContaining('"model_type" is "camembert", which is computed as "roberta"')]);
});

test("the classes of a batch are pooled where each row alone has them", async () => {
  const golden = configCases.find(({ task, sequences }) => task === "SEQ_CLS" && sequences.length > 1)!;
  using engine = await createEngine({ build: "baseline" });
  using model = await modelFromConfig(
    { model_type: golden.type, ...bases[golden.type], ...golden.changes },
    "SEQ_CLS",
    {
      engine,
    },
  );
  fill(model);
  const batch = concatenateInputs(golden.sequences.map((inputIds) => ({ inputIds })));
  const logits = Tape.once(engine, {}, (tape) => tape.download(model.outputs(tape, batch)));
  expectClose("logits", logits, lastRows(model, golden), 1e-6, 1e-6);
  expect(golden.sequences.some((ids) => ids.at(-1) === golden.changes.pad_token_id)).toBe(true);
});
