/** What every encoder must keep to, with every head: see tiny-encoders.ts for the configs, tasks-golden.test.ts for the numbers. */

import { describe, expect, test } from "vitest";
import { hubPlace } from "../../../src/adapt/method/hub-place.ts";
import {
  definitionFor,
  describeModel,
  headsByTask,
  loadPretrained,
  modelFromConfig,
  taskOf,
} from "../../../src/auto/auto-model.ts";
import { memoryTarget } from "../../../src/checkpoint/source.ts";
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "../../../src/core/half.ts";
import { Philox } from "../../../src/core/random/philox.ts";
import { sizeOf } from "../../../src/core/shape.ts";
import type { Task } from "../../../src/core/task.ts";
import type { RawConfig } from "../../../src/nn/config.ts";
import { pixelInput } from "../../../src/nn/pass/pixels.ts";
import { concatenate, concatenateInputs, concatenateLabelled, type Labelled } from "../../../src/nn/pass/sequences.ts";
import type { CausalLM } from "../../../src/nn/tasks/causal-lm.ts";
import type { FeatureExtractor } from "../../../src/nn/tasks/feature-extractor.ts";
import type { Model } from "../../../src/nn/tasks/model.ts";
import { saveModel } from "../../../src/nn/tensors/save-model.ts";
import { embedding } from "../../../src/ops/embed/embedding.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { readElements } from "../../../src/tensor/elements.ts";
import { createEngine } from "../../../src/wasm/engine.ts";
import type { Ptr } from "../../../src/wasm/memory.ts";
import { expectClose } from "../../golden-files.ts";
import { expectSlopeAlong } from "../../models/slope.ts";
import { encoderConfigs } from "../../models/tiny-encoders.ts";
import { builds, measure } from "../../ops/gradients.ts";

const lengths = [1, 7, 4, 12];
const bare: Task = "FEATURE_EXTRACTION";
const configs = Object.values(encoderConfigs).flatMap((byTitle) => Object.values(byTitle));

/** Heads of a decoder that look at every row: its first row sees nothing but itself. */
async function tasksOf(config: RawConfig): Promise<Task[]> {
  const all = [...headsByTask(await definitionFor(config, "config")).keys()];
  const ofDecoders: Task[] = [bare, "TOKEN_CLS", "CAUSAL_LM"];
  return all.filter((task) => (config.is_decoder ? ofDecoders.includes(task) : task !== "CAUSAL_LM"));
}

const cases = await Promise.all(
  Object.entries(encoderConfigs).flatMap(([type, byTitle]) =>
    Object.entries(byTitle).map(async ([title, config]) => ({
      type,
      name: `${type} (${title})`,
      config,
      tasks: await tasksOf(config),
    })),
  ),
);
const withTasks = cases.flatMap(({ name, config, tasks }) => tasks.map((task) => ({ name, config, task })));
const heads = withTasks.filter(({ task }) => task !== bare);
/** Differences mean nothing across the bend of a ReLU. */
const smooth = heads.filter(({ config }) => config.hidden_act !== "relu" && config.activation !== "relu");
const texts = cases.filter(({ type }) => type !== "vit");

/** Norm weights and biases away from one and zero, so that a model which forgets them is found out. */
async function randomModel<T extends Task>(config: RawConfig, task: T, build: "baseline" | "relaxed" = "baseline") {
  const engine = await createEngine({ build });
  const model = await modelFromConfig(config, task, { engine, seed: 5 });
  const random = new Philox(11);
  for (const { ptr, shape } of model.namedWeights().values()) {
    if (shape.length > 1) continue;
    const values = engine.memory.f32(ptr, sizeOf(shape));
    for (let i = 0; i < values.length; i++) values[i]! += 0.3 * random.normal();
  }
  return model;
}

/** Texts of several lengths with both token types, or images, with labels for the task. */
function examplesOf(config: RawConfig, task: Task): Labelled[] {
  const random = new Philox(3);
  const below = (n: number, count: number) => Array.from({ length: count }, () => random.below(n));
  const classes = Object.keys(config.id2label as object).length;
  return lengths.map((length) => {
    if (config.model_type === "vit") {
      const [h, w] = [config.image_size].flat().length === 2 ? (config.image_size as number[]) : [12, 12];
      const pixels = Float32Array.from({ length: ((config.num_channels as number) ?? 3) * h! * w! }, () =>
        random.normal(),
      );
      return { inputIds: [], labels: below(classes, 1), inputs: [pixelInput(pixels)] };
    }
    const inputIds = below(51, length).map((id) => id + 2); // no padding
    const labels =
      task === "CAUSAL_LM"
        ? inputIds
        : task === "TOKEN_CLS"
          ? below(classes, length)
          : task === "QUESTION_ANS"
            ? below(length, 2)
            : below(classes, 1);
    const typed = config.model_type === "bert";
    return { inputIds, labels, ...(typed && { tokenTypes: below(2, length) }) };
  });
}

const outputsOf = (model: Model, examples: readonly Labelled[]) =>
  Tape.once(model.engine, {}, (tape) => tape.download(model.outputs(tape, concatenateInputs(examples))));

async function saved(model: Model, dtype: "f32" | "f16" | "bf16" = "f32"): Promise<Map<string, Uint8Array>> {
  const target = memoryTarget();
  await saveModel(model, target, { dtype });
  return target.files;
}

async function loaded<T extends Task>(files: Map<string, Uint8Array>, task: T) {
  const warnings: string[] = [];
  const engine = await createEngine({ build: "baseline" });
  const model = await loadPretrained(files, task, { engine, onWarning: (message) => warnings.push(message) });
  return { model, warnings };
}

for (const build of builds) {
  test.each(withTasks)(`$name, $task (${build}): a batch is each of its sequences alone`, async ({ config, task }) => {
    using model = await randomModel(config, task, build);
    const examples = examplesOf(config, task);
    const together = outputsOf(model, examples);
    expect(together.every(Number.isFinite)).toBe(true);
    const alone = examples.flatMap((example) => Array.from(outputsOf(model, [example])));
    expectClose("outputs", together, alone, 2e-5, 2e-5);
  });
}

/** Parameters on which the loss does not depend: they add the same to all scores of a softmax. */
function hasNoEffect(name: string, task: Task): boolean {
  if (/\.(key|k_lin)\.bias$/.test(name)) return true;
  return (
    task === "QUESTION_ANS" && /qa_outputs\.bias$|layer\.1\.(output\.LayerNorm|output_layer_norm)\.bias$/.test(name)
  );
}

test.each(smooth)(
  "$name, $task: the gradient of every parameter is that of differences along it",
  async ({ config, task }) => {
    using model = await randomModel(config, task);
    const examples = examplesOf(config, task);
    for (const example of examples.slice(1)) expect(model.problemWith(example)).toBe(null);
    const batch = concatenateLabelled(examples);
    const count = examples.reduce((sum, example) => sum + model.countLabels(example), 0);
    const loss = () =>
      Tape.once(model.engine, {}, (tape) => tape.download(model.loss(tape, batch))).reduce((a, b) => a + b, 0) / count;
    const params = model.trainAll();
    const { planned, peak } = measure(model.engine, { recording: true }, (tape) =>
      tape.backward(model.loss(tape, batch), 1 / count),
    );
    expect(peak, "bytes of the run against its plan").toBe(planned);
    for (const param of params) {
      if (hasNoEffect(param.name, task)) expect(Math.hypot(...param.gradient()), param.name).toBeLessThan(1e-6);
      else expectSlopeAlong(param, loss);
    }
  },
);

test.each(withTasks)("$name, $task: saved and loaded again it gives the same bits", async ({ config, task }) => {
  using model = await randomModel(config, task);
  const examples = examplesOf(config, task);
  const files = await saved(model);
  const { model: again, warnings } = await loaded(files, task);
  expect(warnings).toEqual([]);
  expect([...again.namedWeights()].map(([name, { shape }]) => [name, shape])).toEqual(
    [...model.namedWeights()].map(([name, { shape }]) => [name, shape]),
  );
  expect(again.architecture).toBe(model.architecture);
  expect(outputsOf(again, examples)).toEqual(outputsOf(model, examples));
  expect((await saved(again)).get("model.safetensors")).toEqual(files.get("model.safetensors"));
  again.dispose();
});

test.each(cases)("$name: loaded from f16 and bf16 it computes with the rounded weights", async ({ config }) => {
  for (const dtype of ["f16", "bf16"] as const) {
    using model = await randomModel(config, bare);
    const { model: again } = await loaded(await saved(model, dtype), bare);
    const round =
      dtype === "f16" ? (v: Float32Array) => f16ToF32(f32ToF16(v)) : (v: Float32Array) => bf16ToF32(f32ToBf16(v));
    for (const { ptr, shape } of model.namedWeights().values()) {
      const values = model.engine.memory.f32(ptr, sizeOf(shape));
      values.set(round(values));
    }
    const examples = examplesOf(config, bare);
    expectClose("hidden", outputsOf(again, examples), outputsOf(model, examples), 2e-5, 2e-5);
    again.dispose();
  }
});

test.each(heads)(
  "$name, $task: a bare checkpoint gets a fresh head, and gives its layers back",
  async ({ config, task }) => {
    using model = await randomModel(config, bare);
    const { model: headed, warnings } = await loaded(await saved(model), task);
    const own = [...headed.namedWeights().keys()].filter((name) =>
      /^(classifier|pre_classifier|qa_outputs|cls)\./.test(name),
    );
    expect(warnings).toHaveLength(1);
    expect(warnings[0]!.match(/"[^"]+"/g)).toEqual(own.map((name) => `"${name}"`));
    const { model: back } = await loaded(await saved(headed), bare);
    const examples = examplesOf(config, bare);
    expect(outputsOf(back, examples)).toEqual(outputsOf(model, examples));
    headed.dispose();
    back.dispose();
  },
);

test.each(cases)(
  "$name: its layers can be listed without memory, and disposing gives every byte back",
  async ({ config, tasks }) => {
    using engine = await createEngine();
    for (const task of tasks) {
      const model = await modelFromConfig(config, task, { engine });
      const { modules } = (await describeModel(config, "config.json", task)).weights;
      const shapes = (of: Model["modules"]) => Array.from(of, ([name, { kind, weight }]) => [name, kind, weight.shape]);
      expect(shapes(modules)).toEqual(shapes(model.modules));
      outputsOf(model, examplesOf(config, task));
      model.dispose();
    }
    engine.dispose();
    expect(engine.memory.usedBytes).toBe(0);
  },
);

test.each(cases)("$name: pooling takes the mean, the first row, or the published pooler", async ({ type, config }) => {
  using model: FeatureExtractor = await randomModel(config, "FEATURE_EXTRACTION");
  const batch = concatenateInputs(examplesOf(config, bare));
  const width = 24;
  const hidden = outputsOf(model, examplesOf(config, bare));
  const rows = type === "vit" ? lengths.map(() => hidden.length / width / lengths.length) : lengths;
  const starts = rows.map((_, s) => rows.slice(0, s).reduce((a, b) => a + b, 0));
  const at = (row: number) => Array.from(hidden.subarray(row * width, (row + 1) * width));
  const means = starts.flatMap((start, s) =>
    at(start).map((_, i) => {
      let sum = 0;
      for (let row = start; row < start + rows[s]!; row++) sum += at(row)[i]!;
      return sum / rows[s]!;
    }),
  );
  expectClose("mean", model.embed(batch), means, 1e-6, 1e-6);
  expect(Array.from(model.embed(batch, "cls"))).toEqual(starts.flatMap(at));
  const dense = model.modules.get("pooler.dense");
  if (dense?.kind !== "linear") {
    expect(type).toBe("distilbert");
    expect(() => model.embed(batch, "pooler")).toThrow('DistilBertModel has no pooler: use "mean" or "cls"');
    return;
  }
  const [weight, bias] = [dense.weight, dense.bias!].map((each) => readElements(model.engine.memory, each));
  const f = config.pooler_act === "relu" ? (x: number) => Math.max(x, 0) : Math.tanh;
  const pooled = starts.flatMap((start) =>
    Array.from(bias!, (b, o) => f(at(start).reduce((sum, x, i) => sum + x * weight![o * width + i]!, b))),
  );
  expectClose("pooler", model.embed(batch, "pooler"), pooled, 1e-5, 1e-5);
});

test.each(texts)("$name: tokens as a prompt before a sequence are those tokens in it", async ({ config }) => {
  using model = await randomModel(config, bare);
  const prompt = [7, 30, 2];
  const words = [...model.modules].find(([name]) => name.endsWith("word_embeddings"))![1];
  const plain = outputsOf(model, [{ inputIds: [...prompt, 9, 11], labels: [] }]);
  model.virtual = {
    promptLength: () => prompt.length,
    prefixLength: () => 0,
    begin(tape) {
      const ids = { tape, ptr: tape.upload(Int32Array.from(prompt)), count: prompt.length };
      const rows = embedding(ids, words.weight);
      return { prompt: () => rows, prefix: () => null };
    },
  };
  expect(model.contextLength).toBe(32 - prompt.length);
  expect(outputsOf(model, [{ inputIds: [9, 11], labels: [] }])).toEqual(plain);
});

test("positions of RoBERTa count on from padding's, and padding inside a sequence stays there", async () => {
  const config = encoderConfigs.roberta!.plain!;
  using model = await randomModel(config, bare);
  expect(model.contextLength).toBe(32);
  const { weight } = model.modules.get("embeddings.position_embeddings")!;
  const row = (at: number) => model.engine.memory.f32((weight.ptr + at * 24 * 4) as Ptr, 24);
  const run = () => outputsOf(model, [{ inputIds: [5, 1, 6], labels: [] }]);
  const before = run();
  const changes = [0, 1, 2, 3, 4].map((at) => {
    const kept = row(at).slice();
    row(at).fill(0);
    const changed = run().some((x, i) => x !== before[i]);
    row(at).set(kept);
    return changed;
  });
  expect(changes).toEqual([false, true, true, true, false]);
});

const decoders = cases.filter(({ config }) => config.is_decoder);

test.each(decoders)(
  "$name: as a language model no token sees what comes after it, and a cache changes nothing",
  async ({ config }) => {
    using model: CausalLM = await randomModel(config, "CAUSAL_LM");
    const ids = [5, 40, 3, 22, 9, 31, 8, 12];
    const [whole, changed] = [ids, [...ids.slice(0, 5), 6, 7, 10]].map((row) => model.forward(concatenate([row])).data);
    expect(whole!.subarray(0, 5 * 53)).toEqual(changed!.subarray(0, 5 * 53));
    expect(whole!.subarray(5 * 53)).not.toEqual(changed!.subarray(5 * 53));
    using cache = model.cache(ids.length);
    const pieces = [ids.slice(0, 3), ids.slice(3, 7), ids.slice(7)];
    const cached = pieces.flatMap((piece) =>
      Tape.once(model.engine, {}, (tape) =>
        Array.from(tape.download(model.logits(tape, concatenate([piece]), undefined, { cache }))),
      ),
    );
    expectClose("logits", cached, whole!, 2e-5, 2e-5);
  },
);

test("a tied language model stores the bias of its output and not the table again", async () => {
  const [, tied, untied] = Object.values(encoderConfigs.bert!) as [RawConfig, RawConfig, RawConfig];
  const namesOf = async (config: RawConfig) => {
    using model = await randomModel(config, "CAUSAL_LM");
    expect(model.headName).toBe("cls.predictions.decoder");
    return [...model.namedWeights().keys()].filter((name) => name.startsWith("cls.")).sort();
  };
  const transform = ["LayerNorm.bias", "LayerNorm.weight", "dense.bias", "dense.weight"];
  const own = ["cls.predictions.bias", ...transform.map((name) => `cls.predictions.transform.${name}`)];
  expect(await namesOf(tied)).toEqual(own);
  expect(await namesOf(untied)).toEqual([...own, "cls.predictions.decoder.weight"].sort());
});

test.each(["SEQ_CLS", "TOKEN_CLS", "IMAGE_CLS"] as const)(
  "%s has an output for each label of the config, by name",
  async (task) => {
    const config = encoderConfigs[task === "IMAGE_CLS" ? "vit" : "bert"]!;
    const [first] = Object.values(config) as [RawConfig];
    using model = await randomModel(first, task);
    expect(model.labelNames).toEqual(Object.values(first.id2label as object));
    expect(model.numLabels).toBe(model.labelNames!.length);
    using unnamed = await randomModel({ ...first, id2label: null, num_labels: 5 }, task);
    expect([unnamed.labelNames, unnamed.numLabels]).toEqual([
      ["LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3", "LABEL_4"],
      5,
    ]);
  },
);

test.each([
  ["bert", "bert.encoder.layer.0.attention.output", "bert.encoder.layer.0.output", true],
  [
    "distilbert",
    "distilbert.transformer.layer.0.attention_adapters",
    "distilbert.transformer.layer.0.output_adapters",
    true,
  ],
  ["vit", "vit.encoder.layer.0.attention_adapters", "vit.encoder.layer.0.output_adapters", false],
])("residual connections of %s are where AdapterHub has them", async (type, attention, feed, after) => {
  const [config] = Object.values(encoderConfigs[type]!) as [RawConfig];
  const task = type === "vit" ? "IMAGE_CLS" : "SEQ_CLS";
  const { sites } = (await describeModel(config, "config.json", task)).weights;
  const residuals = sites.filter((site) => site.kind === "residual").slice(0, 2);
  expect(residuals.map(hubPlace)).toEqual([attention, feed]);
  expect(residuals.map(({ norm }) => norm !== null)).toEqual([after, after]);
  const around = sites.filter((site) => site.kind === "attention");
  expect(around.map(({ layer }) => layer)).toEqual([0, 1]);
});

describe("what does not fit is named", () => {
  const [bert] = Object.values(encoderConfigs.bert!) as [RawConfig];
  const [vit] = Object.values(encoderConfigs.vit!) as [RawConfig];

  test("images of another size, and texts, are refused by ViT", async () => {
    using model = await randomModel(vit, "IMAGE_CLS");
    const image = (side: number) => ({
      inputIds: [],
      labels: [0],
      inputs: [pixelInput(new Float32Array(3 * side * side))],
    });
    const problem = "an image of 16 x 16, but the model's position embeddings are for 12 x 12 in 3 channels: resize it";
    expect(model.problemWith(image(16))).toBe(problem);
    expect(model.problemWith(image(12))).toBe(null);
    expect(() => outputsOf(model, [image(16)])).toThrow(problem);
    expect(() => outputsOf(model, [{ inputIds: [1], labels: [0] }])).toThrow("no pixels: this model needs images");
  });

  test("token types beyond the config's", async () => {
    using model = await randomModel(encoderConfigs.roberta!.plain!, bare);
    const run = () => outputsOf(model, [{ inputIds: [3, 4], labels: [], tokenTypes: [0, 1] }]);
    expect(run).toThrow('token types: id 1 at position 1 must be from 0 to 0, "type_vocab_size" of config');
  });

  test("a sequence longer than the positions", async () => {
    for (const config of configs.filter(({ model_type }) => model_type !== "vit")) {
      using model = await randomModel(config, bare);
      const run = (length: number) => outputsOf(model, [{ inputIds: Array<number>(length).fill(3), labels: [] }]);
      expect(run(32)).toHaveLength(32 * 24);
      expect(() => run(33)).toThrow("a sequence of 33 tokens is longer than the model's context of 32");
    }
  });

  test.each([
    [{ position_embedding_type: "relative_key" }, '"position_embedding_type" is "relative_key"'],
    [{ hidden_act: "quick_gelu" }, '"hidden_act" is "quick_gelu", this version knows gelu,'],
    [{ add_cross_attention: true }, '"add_cross_attention" is true'],
    [{ num_hidden_layers: "2" }, '"num_hidden_layers" is "2", expected a whole number'],
  ])("config %j", async (change, message) => {
    await expect(describeModel({ ...bert, ...change })).rejects.toThrow(message);
  });

  test("a language model that sees what it should predict", async () => {
    await expect(describeModel(bert, "config.json", "CAUSAL_LM")).rejects.toThrow('"is_decoder" is not true');
  });

  test("image sizes that are no pair", async () => {
    await expect(describeModel({ ...vit, image_size: [1, 2, 3] })).rejects.toThrow(
      '"image_size" is [1,2,3], expected a whole number or [height, width]',
    );
  });
});

test("an architecture that is not known here is loaded as a bare encoder", async () => {
  const config = { model_type: "bert", architectures: ["BertForMaskedLM"] };
  expect(taskOf(await definitionFor(config, "config"), config)).toBe(bare);
});
