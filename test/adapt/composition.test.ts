/** Compositions of bottleneck adapters and their fusion: what must hold of any numbers. */
import { describe, expect, test } from "vitest";
import {
  average,
  batchSplit,
  type CompositionNode,
  fuse,
  parallel,
  split,
  stack,
} from "../../src/adapt/compose/composition.ts";
import { PeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM, AutoModelForSequenceClassification } from "../../src/auto/auto-classes.ts";
import { FormatError, ShapeError, StateError, UnsupportedError } from "../../src/core/errors.ts";
import { Philox } from "../../src/core/philox.ts";
import { bottleneck } from "../../src/methods/bottleneck.ts";
import { lora } from "../../src/methods/lora.ts";
import { concatenateLabelled, type Labelled } from "../../src/nn/pass/sequences.ts";
import type { Model } from "../../src/nn/tasks/model.ts";
import { Tape } from "../../src/tape/tape.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { expectClose } from "../golden-files.ts";

const config = {
  model_type: "llama",
  vocab_size: 40,
  hidden_size: 16,
  intermediate_size: 20,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 32,
  initializer_range: 0.25,
  pad_token_id: 0,
  num_labels: 3,
};
const forms = ["pfeiffer", "houlsby", "parallel", "scaled-parallel"] as const;
const texts = [
  [3, 9, 27, 31, 12],
  [11, 21, 13],
  [5, 6, 7, 8],
];
const examples: Labelled[] = texts.map((inputIds) => ({ inputIds, labels: inputIds }));
const batch = concatenateLabelled(examples);

/** Moves every tensor to where training might have led. */
function scramble(peft: PeftModel, name: string, seed: number): void {
  const random = new Philox(seed);
  peft.setTrainable(name, true);
  peft.setAdapter(name);
  for (const param of peft.namedTrainable().values())
    param.values().set(param.values().map((x) => x + 0.2 * random.normal()));
  peft.setTrainable(name, false);
}

async function base(): Promise<Model> {
  return AutoModelForCausalLM.fromConfig(config, { engine: await createEngine({ build: "baseline" }), seed: 1 });
}

/** A model with adapters a, b and c of one form, all different. */
async function threeAdapters(form: (typeof forms)[number], model?: Model): Promise<PeftModel> {
  const peft = new PeftModel(model ?? (await base()), { onWarning: () => {} });
  for (const [i, name] of ["a", "b", "c"].entries()) {
    peft.addAdapter(name, bottleneck({ form, reductionFactor: 4 }));
    scramble(peft, name, 10 + i);
  }
  return peft;
}

function logits(peft: PeftModel, setup: string | string[] | CompositionNode, of = batch): Float32Array {
  peft.setAdapter(setup);
  return peft.forward(of);
}

const alone = (ids: readonly number[]) => concatenateLabelled([{ inputIds: ids, labels: ids }]);
const near = (what: string, got: Float32Array, want: ArrayLike<number>) => expectClose(what, got, want, 2e-5, 1e-4);

describe.each(forms)("%s", (form) => {
  test("the parts of a divided batch have what their adapters give alone", async () => {
    const peft = await threeAdapters(form);
    const want = [
      ...logits(peft, "a", alone(texts[0]!)),
      ...logits(peft, "b", alone(texts[1]!)),
      ...logits(peft, stack("b", "c"), alone(texts[2]!)),
    ];
    near("batchSplit", logits(peft, batchSplit(["a", "b", stack("b", "c")], [1, 1, 1])), want);
    expect(() => logits(peft, batchSplit(["a", "b"], [1, 1]))).toThrow(ShapeError);
  });

  test("in parallel every adapter has the whole batch to itself", async () => {
    const peft = await threeAdapters(form);
    const want = [...logits(peft, "a"), ...logits(peft, "c")];
    near("parallel", logits(peft, parallel("a", "c")), want);
    near(
      "disabled",
      peft.disableAdapter(() => peft.forward(batch)),
      peft.disableAdapter(() => logits(peft, "a")),
    );
  });

  test("each sequence of a batch may name its own adapter, or the base", async () => {
    const peft = await threeAdapters(form);
    const plain = peft.disableAdapter(() => peft.forward(alone(texts[1]!)));
    const want = [...logits(peft, "a", alone(texts[0]!)), ...plain, ...logits(peft, "b", alone(texts[2]!))];
    peft.setAdapter("c");
    const before = peft.forward(batch);
    near("routed", peft.forward(batch, { adapterNames: ["a", "__base__", "b"] }), want);
    expect(peft.forward(batch)).toEqual(before);
  });

  test("the average of an adapter with itself is the adapter; a weight counts as often as it says", async () => {
    const peft = await threeAdapters(form);
    near("average of one", logits(peft, average(["a", "a"], [1, 3])), logits(peft, "a"));
    near("weights", logits(peft, average(["a", "b"], [2, 1])), logits(peft, average(["a", "a", "b"])));
    expect(logits(peft, average(["a", "b"], [2, 1]))).not.toEqual(logits(peft, "a"));
  });

  test("a split gives the first tokens to one adapter and the rest to the next", async () => {
    const peft = await threeAdapters(form);
    const whole = logits(peft, "a");
    near("one long part", logits(peft, split(["a", "b"], [5, 1])), whole);
    const cut = logits(peft, split(["a", "b"], [2, 3]));
    // Nothing sees later tokens: the first two of each sequence are a's, the third is not.
    const { vocabSize } = peft;
    for (const start of batch.starts.subarray(0, -1)) {
      const rows = (values: Float32Array, from: number, to: number) =>
        values.subarray((start + from) * vocabSize, (start + to) * vocabSize);
      near("first tokens", rows(cut, 0, 2), rows(whole, 0, 2));
      expect(rows(cut, 2, 3)).not.toEqual(rows(whole, 2, 3));
    }
    expect(() => logits(peft, split(["a", "b"], [2, 2]))).toThrow(/Split of 2 \+ 2 tokens, but a sequence has 5/);
  });

  test("a list is a stack, whose order matters; what a stack leaves out changes nothing", async () => {
    const peft = await threeAdapters(form);
    expect(logits(peft, ["a", "b"])).toEqual(logits(peft, stack("a", "b")));
    if (!form.includes("parallel")) expect(logits(peft, ["b", "a"])).not.toEqual(logits(peft, ["a", "b"]));
    peft.addAdapter("late", bottleneck({ form, reductionFactor: 4, leaveOut: [0] }));
    scramble(peft, "late", 20);
    expect(logits(peft, stack("a", "late"))).not.toEqual(logits(peft, "a"));
  });

  test("the fusion of one adapter is the adapter, up to the 1e-6 beside the identity", async () => {
    const peft = await threeAdapters(form);
    peft.addAdapterFusion(["a"]);
    expectClose("fuse", logits(peft, fuse("a")), logits(peft, "a"), 1e-4, 1e-3);
    peft.addAdapterFusion(["a", "b"], "static");
    const mixed = logits(peft, fuse("a", "b"));
    expect(mixed).not.toEqual(logits(peft, "a"));
    expect(mixed).not.toEqual(logits(peft, average(["a", "b"])));
  });
});

function gradients(peft: PeftModel): Map<string, Float32Array> {
  for (const param of peft.namedTrainable().values()) param.gradient().fill(0);
  Tape.once(peft.engine, { recording: true, training: true }, (tape) => tape.backward(peft.loss(tape, batch), 1 / 9));
  return new Map(Array.from(peft.namedTrainable(), ([key, param]) => [key, param.gradient().slice()]));
}

test("adapters trained in parallel have the gradients that each has alone", async () => {
  const peft = await threeAdapters("houlsby");
  const names = ["a", "b"];
  peft.setTrainable(names, true);
  const single = new Map(
    names.flatMap((name) => {
      peft.setTrainable(names, false);
      peft.setTrainable(name, true);
      peft.setAdapter(name);
      return Array.from(gradients(peft), ([key, values]): [string, Float32Array] => [`${name}/${key}`, values]);
    }),
  );
  peft.setTrainable(names, true);
  peft.setAdapter(parallel("a", "b"));
  const together = gradients(peft);
  expect([...together.keys()]).toEqual([...single.keys()]);
  for (const [key, values] of together) expectClose(key, values, single.get(key)!, 1e-5, 1e-4);
});

test("a fusion is trained without its adapters, and held near the identity by 0.02·(W − I)", async () => {
  const peft = await threeAdapters("pfeiffer");
  const name = peft.addAdapterFusion(["a", "b"]);
  const counts = peft.getNbTrainableParameters();
  peft.setAdapter(fuse("a", "b"));
  peft.setTrainable(name, true);
  const fused = peft.namedTrainable();
  expect(peft.getNbTrainableParameters()).toEqual({ trainable: 2 * (3 * 16 * 16 + 2 * 16), all: counts.all });
  const random = new Philox(3);
  const values = new Map(Array.from(fused, ([key, p]) => [key, p.values().map((x) => x + 0.3 * random.normal())]));
  for (const [key, param] of fused) param.values().set(values.get(key)!);
  const held = gradients(peft);
  peft.setAdapter("a");
  peft.deleteAdapterFusion(name);
  peft.addAdapterFusion(["a", "b"], { regularization: false });
  peft.setAdapter(fuse("a", "b"));
  peft.setTrainable(name, true);
  for (const [key, param] of peft.namedTrainable()) param.values().set(values.get(key)!);
  const free = gradients(peft);
  for (const [key, slope] of held) {
    const w = values.get(key)!;
    const pull = w.map((x, i) => (key.endsWith("value.weight") ? 0.02 * (x - (i % 17 === 0 ? 1 : 0)) : 0));
    // Seeded with 1 / 9 as the 9 rows of the loss are: the penalty counts in full.
    expectClose(
      key,
      slope,
      free.get(key)!.map((x, i) => x + pull[i]!),
      1e-6,
      1e-5,
    );
  }
});

test("what is saved beside each other is loaded as it was: adapters, fusion and how they work together", async () => {
  const peft = await threeAdapters("pfeiffer");
  peft.addAdapterFusion(["a", "b"], "static", { seed: 4 });
  peft.setAdapter(stack("c", fuse("a", "b")));
  const files = new Map<string, Uint8Array>();
  await peft.savePretrained(files);
  expect([...files.keys()].sort()).toEqual(
    [
      ...["a", "b", "c"].flatMap((name) => [`${name}/adapter.safetensors`, `${name}/adapter_config.json`]),
      ...["a,b/adapter_fusion_config.json", "a,b/model_adapter_fusion.safetensors", "adapter_setup.json"],
    ].sort(),
  );
  const again = await PeftModel.fromPretrained(await base(), files);
  expect(again.activeAdapters).toEqual(["c", "a", "b"]);
  expect(again.forward(batch)).toEqual(peft.forward(batch));
});

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
    const routed = peft.forward(batch, { adapterNames: ["a", "a", "b"] });
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

test("what cannot be composed is refused with the way out", async () => {
  const peft = await threeAdapters("pfeiffer");
  peft.addAdapter("low", lora({ r: 2 }));
  const refuses = (setup: CompositionNode, error: new () => Error, text: RegExp) => {
    expect(() => peft.setAdapter(setup)).toThrow(error as never);
    expect(() => peft.setAdapter(setup)).toThrow(text);
  };
  refuses(fuse("a", "b"), StateError as never, /call addAdapterFusion\(\["a","b"\]\)/);
  refuses(stack("a", "d"), StateError as never, /there is no adapter "d"/);
  refuses(average(["a", parallel("b", "c")]), UnsupportedError as never, /Parallel stands in Average/);
  refuses(stack(parallel("a", "b"), parallel("a", "b", "c")), UnsupportedError as never, /of 2 and 3 adapters/);
  refuses(parallel("a", "low"), UnsupportedError as never, /"low" is not a bottleneck adapter/);
  expect(() => peft.addAdapterFusion(["a", "low"])).toThrow(UnsupportedError);
  expect(() => average(["a", "b"], [1, -1])).toThrow(FormatError);
  expect(() => split(["a", "b"], [3])).toThrow(FormatError);
  expect(() => stack()).toThrow(FormatError);
  peft.addAdapter("late", bottleneck({ reductionFactor: 4, leaveOut: [0] }));
  expect(() => peft.addAdapterFusion(["a", "late"])).toThrow(/"late" does nothing at "model.layers.0.output_adapters"/);
  peft.addAdapterFusion(["a", "b"]);
  expect(() => peft.deleteAdapter("a")).toThrow(/part of fusion "a,b"/);
  peft.setAdapter(["a", "low"]);
  expect(peft.activeAdapters).toEqual(["a", "low"]);
});

test("in training, stochastic depth drops whole sequences, and the seed decides which", async () => {
  const model = await base();
  const peft = new PeftModel(model);
  peft.addAdapter("deep", bottleneck({ reductionFactor: 4, stochasticDepth: 0.5, dropout: 0.1 }));
  scramble(peft, "deep", 5);
  peft.setAdapter("deep");
  const run = (seed: number) =>
    Tape.once(peft.engine, { training: true, seed: [seed, 0] }, (tape) => tape.download(peft.outputs(tape, batch)));
  expect(run(1)).toEqual(run(1));
  expect(run(1)).not.toEqual(run(2));
});
