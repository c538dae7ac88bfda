/** What every encoder-decoder must keep to, and the heads that T5 has besides. Against transformers: tasks-golden.test.ts. */
import { describe, expect, test } from "vitest";
import {
  AutoModelForCausalLM,
  AutoModelForSeq2SeqLM,
  AutoModelForSequenceClassification,
} from "../../src/auto/auto-classes.ts";
import { describeModel, loadPretrained, modelFromConfig } from "../../src/auto/auto-model.ts";
import { memoryTarget } from "../../src/checkpoint/source.ts";
import { FormatError } from "../../src/core/errors.ts";
import { Philox } from "../../src/core/random/philox.ts";
import { sizeOf } from "../../src/core/shape.ts";
import type { Task } from "../../src/core/task.ts";
import type { RawConfig } from "../../src/nn/config.ts";
import { concatenate, concatenateLabelled, type Labelled } from "../../src/nn/pass/sequences.ts";
import type { Model } from "../../src/nn/tasks/model.ts";
import type { Seq2SeqLM } from "../../src/nn/tasks/seq2seq-lm.ts";
import { saveModel } from "../../src/nn/tensors/save-model.ts";
import { Tape } from "../../src/tape/tape.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { expectClose } from "../golden-files.ts";
import { builds, measure } from "../ops/gradients.ts";
import { expectSlopeAlong } from "./slope.ts";
import { tinyEncoderDecoders } from "./tiny.ts";

type Build = "baseline" | "relaxed";

/** Lengths of sources and targets: some longer than the largest distance, sources shorter and longer than their targets. */
const sizes = [
  [1, 3],
  [7, 2],
  [4, 12],
  [13, 1],
] as const;

const random = new Philox(3);
const words = (count: number) => Array.from({ length: count }, () => 2 + random.below(51));
const pairs: Labelled[] = sizes.map(([source, target]) => ({ inputIds: [...words(source), 1], labels: words(target) }));

/**
 * Norm weights and biases away from one and zero, so that a model which forgets them is found out. Embeddings of about unit
 * size, as T5's are: norms of small rows bend so much that differences would be off.
 */
function shaken<M extends Model>(model: M): M {
  const noise = new Philox(11);
  for (const { name, ptr, shape } of model.namedWeights().values()) {
    const values = model.engine.memory.f32(ptr, sizeOf(shape));
    if (name.endsWith("shared.weight")) values.set(values.map((v) => 5 * v));
    if (shape.length === 1) values.set(values.map((v) => v + 0.3 * noise.normal()));
  }
  return model;
}

async function randomModel(config: RawConfig, build: Build): Promise<Seq2SeqLM> {
  return shaken(await AutoModelForSeq2SeqLM.fromConfig(config, { engine: await createEngine({ build }), seed: 5 }));
}

/** Checks the gradient of every parameter but `without`, and the plan of the step. */
function expectGradients(model: Model, examples: readonly Labelled[], without: readonly string[] = []): void {
  const batch = concatenateLabelled(examples);
  const count = examples.reduce((sum, example) => sum + model.countLabels(example), 0);
  const loss = () =>
    Tape.once(model.engine, {}, (tape) => tape.download(model.loss(tape, batch))).reduce((a, b) => a + b, 0) / count;
  const params = model.trainAll();
  const { planned, peak } = measure(model.engine, { recording: true }, (tape) =>
    tape.backward(model.loss(tape, batch), 1 / count),
  );
  expect(peak, "bytes of the run against its plan").toBe(planned);
  for (const param of params) if (!without.includes(param.name)) expectSlopeAlong(param, loss);
}

const cases = Object.entries(tinyEncoderDecoders).flatMap(([type, configs]) =>
  Object.entries(configs).map(([title, config]) => ({ name: `${type} (${title})`, config })),
);

for (const build of builds) {
  describe.each(cases)(`$name, ${build}`, ({ config }) => {
    const vocabulary = config.vocab_size as number;

    test("a batch of many is each of them alone", async () => {
      using model = await randomModel(config, build);
      const together = model.forward(concatenateLabelled(pairs)).data;
      expect(together).toHaveLength(18 * vocabulary);
      const alone = pairs.flatMap((pair) => Array.from(model.forward(concatenateLabelled([pair])).data));
      expectClose("logits", together, alone, 2e-5, 2e-5);
    });

    test("a target sees what came before it and all of its source", async () => {
      using model = await randomModel(config, build);
      const { inputIds, labels } = pairs[2]!;
      const changed = (ids: Labelled["labels"] | Labelled["inputIds"], at: number) =>
        Array.from(ids, (id, t) => (t === at ? 2 + ((id + 1) % 50) : id));
      const rows = (pair: Labelled) => model.forward(concatenateLabelled([pair])).data;
      const plain = rows({ inputIds, labels });
      const later = rows({ inputIds, labels: changed(labels, 5) });
      expect(later.subarray(0, 6 * vocabulary)).toEqual(plain.subarray(0, 6 * vocabulary));
      expect(later.subarray(6 * vocabulary)).not.toEqual(plain.subarray(6 * vocabulary));
      const other = rows({ inputIds: changed(inputIds, 3), labels });
      expect(other.subarray(0, vocabulary)).not.toEqual(plain.subarray(0, vocabulary));
    });

    test("a cache changes nothing, for several sources and in pieces of several sizes", async () => {
      using model = await randomModel(config, build);
      const chosen = [pairs[0]!, pairs[2]!];
      const batch = concatenateLabelled(chosen);
      const { ids, starts } = model.shiftRight(batch);
      const whole = model.forward(batch).data;
      using memory = model.encode(batch);
      using cache = model.cache(12, 2);
      for (const [from, to] of [
        [
          [0, 0],
          [1, 5],
        ],
        [
          [1, 5],
          [2, 6],
        ],
        [
          [2, 6],
          [3, 12],
        ],
      ] as const) {
        const pieces = concatenate(chosen.map((_, s) => ids.subarray(starts[s]! + from[s]!, starts[s]! + to[s]!)));
        const logits = Tape.once(model.engine, {}, (tape) =>
          tape.download(model.lastLogits(tape, pieces, memory, { cache })),
        );
        const want = chosen.flatMap((_, s) => {
          const row = starts[s]! + to[s]! - 1;
          return Array.from(whole.subarray(row * vocabulary, (row + 1) * vocabulary));
        });
        expectClose(`logits up to ${to}`, logits, want, 2e-5, 2e-5);
      }
    });

    test("the gradient reaches every parameter and is that of differences along it", async () => {
      using model = await randomModel(config, build);
      expectGradients(model, pairs);
    });

    test("saved and loaded again it gives the same bits, config and names included", async () => {
      using model = await randomModel(config, build);
      const { files } = await saved(model);
      using loaded = await AutoModelForSeq2SeqLM.fromPretrained(files);
      expect([...loaded.namedWeights().keys()]).toEqual([...model.namedWeights().keys()]);
      expect(loaded.config).toMatchObject(config);
      expect((await saved(loaded)).files.get("model.safetensors")).toEqual(files.get("model.safetensors"));
      using same = await AutoModelForSeq2SeqLM.fromPretrained(files, { engine: await createEngine({ build }) });
      const batch = concatenateLabelled(pairs);
      expect(same.forward(batch).data).toEqual(model.forward(batch).data);
    });
  });
}

async function saved(model: Model): Promise<ReturnType<typeof memoryTarget>> {
  const target = memoryTarget();
  await saveModel(model, target);
  return target;
}

const heads: readonly { task: Task; labels: (pair: Labelled) => number[]; without?: string[] }[] = [
  { task: "SEQ_CLS", labels: ({ inputIds }) => [inputIds.length % 3] },
  { task: "TOKEN_CLS", labels: ({ inputIds }) => Array.from(inputIds, (id) => id % 3) },
  // The same for all places, so softmax over places does not see it.
  { task: "QUESTION_ANS", labels: ({ inputIds }) => [0, inputIds.length - 1], without: ["qa_outputs.bias"] },
];
const plain = tinyEncoderDecoders.t5!["gelu, tied, a decoder of three layers"]!;

describe.each(heads)("T5 for $task", ({ task, labels, without = [] }) => {
  const examples = pairs.map((pair) => ({ inputIds: pair.inputIds, labels: labels(pair) }));
  const open = async () => shaken(await modelFromConfig(plain, task, { seed: 5 }));

  test("a batch of many is each of them alone, with a gradient for every parameter", async () => {
    using model = await open();
    const logits = (some: readonly Labelled[]) =>
      Tape.once(model.engine, {}, (tape) => tape.download(model.outputs(tape, concatenateLabelled(some))));
    const alone = examples.flatMap((example) => Array.from(logits([example])));
    expectClose("logits", logits(examples), alone, 2e-5, 2e-5);
    expectGradients(model, examples, without);
  });

  test("it starts from a language model's weights with a fresh head", async () => {
    using model = await AutoModelForSeq2SeqLM.fromConfig(plain);
    const { files } = await saved(model);
    const warnings: string[] = [];
    using loaded = await loadPretrained(files, task, { onWarning: (message) => warnings.push(message) });
    expect(warnings).toHaveLength(1);
    const own = [...loaded.namedWeights().keys()].map((name) => name.replace(/^transformer\./, ""));
    const fresh = own.filter((name) => !model.namedWeights().has(name));
    for (const name of fresh) expect(warnings[0]).toContain(`"${name}"`);
    expect(fresh.every((name) => /^(classification_head|classifier|qa_outputs)\./.test(name))).toBe(true);
  });
});

test("a text without an end token cannot be classified", async () => {
  using model = await AutoModelForSequenceClassification.fromConfig(plain);
  const run = () =>
    Tape.once(model.engine, {}, (tape) =>
      model.outputs(
        tape,
        concatenate([
          [5, 1],
          [5, 6],
        ]),
      ),
    );
  expect(run).toThrow("sequence 1 has no end token (id 1)");
});

test("T5 has no limit of length", async () => {
  using model = await AutoModelForSeq2SeqLM.fromConfig(plain);
  expect(model.contextLength).toBe(Number.POSITIVE_INFINITY);
  expect(model.forward(concatenateLabelled([{ inputIds: words(300), labels: [5] }])).data.every(Number.isFinite)).toBe(
    true,
  );
});

test("where a label is ignored the decoder is given the padding token", async () => {
  using model = await AutoModelForSeq2SeqLM.fromConfig({ ...plain, pad_token_id: 2, decoder_start_token_id: 3 });
  const { ids } = model.shiftRight(concatenateLabelled([{ inputIds: [5], labels: [7, -100, 8, 9] }]));
  expect([...ids]).toEqual([3, 7, 2, 8]);
});

describe.each(Object.keys(tinyEncoderDecoders))("%s", (type) => {
  const [config] = Object.values(tinyEncoderDecoders[type]!) as [RawConfig];

  test("a class that does not have it names those that do", async () => {
    await expect(AutoModelForCausalLM.fromConfig(config)).rejects.toThrow(
      `"model_type" is "${type}", which AutoModelForCausalLM does not load; use AutoModelForSeq2SeqLM, `,
    );
  });

  test("its layers can be listed without memory, and are those of a real one", async () => {
    using model = await AutoModelForSeq2SeqLM.fromConfig(config);
    const { modules, sites } = (await describeModel(config)).weights;
    expect([...modules.keys()]).toEqual([...model.modules.keys()]);
    expect(sites.map(({ name }) => name)).toEqual(model.sites.map(({ name }) => name));
  });

  test("default targets name layers that exist", async () => {
    using model = await AutoModelForSeq2SeqLM.fromConfig(config);
    const { linear, budgeted = [], rescaled, norms = [] } = model.targets;
    for (const target of [...linear, ...budgeted, ...rescaled!.outputs, ...rescaled!.inputs, ...norms]) {
      expect(
        [...model.modules.keys()].some((name) => name.endsWith(`.${target}`)),
        target,
      ).toBe(true);
    }
  });

  test("AdapterHub's adapters lie at the sub-layers", async () => {
    using model = await AutoModelForSeq2SeqLM.fromConfig(config);
    const residuals = model.sites.filter((site) => site.kind === "residual");
    const named = (part: string) => residuals.filter(({ subLayer }) => subLayer === part).map(({ name }) => name);
    expect(named("cross-attention").slice(0, 2)).toEqual(["decoder.block.0.layer.1", "decoder.block.1.layer.1"]);
    expect(named("feed-forward")).toEqual(
      expect.arrayContaining(["encoder.block.0.layer.1", "decoder.block.0.layer.2"]),
    );
    expect(named("attention")).toEqual(expect.arrayContaining(["encoder.block.1.layer.0", "decoder.block.1.layer.0"]));
  });

  test("an ill-typed key of the config is named", async () => {
    const numbers = Object.keys(config).filter((key) => typeof config[key] === "number");
    for (const key of numbers.filter((each) => each !== "initializer_range")) {
      const error = await describeModel({ ...config, [key]: "12" }).catch((e: unknown) => e);
      expect(error, key).toBeInstanceOf(FormatError);
      expect((error as Error).message).toContain(`config.json: "${key}" is "12", expected`);
    }
  });

  test("an unknown feed-forward is named", async () => {
    await expect(describeModel({ ...config, feed_forward_proj: "gated-mish" })).rejects.toThrow(
      '"feed_forward_proj" is "gated-mish", this version knows gelu',
    );
  });
});
