/** Arithmetic that need not be done is not done: counted in floating-point operations and in calls of kernels. */
import { expect, test } from "vitest";
import { getPeftModel } from "../../../src/adapt/peft-model.ts";
import { modelFromConfig } from "../../../src/auto/auto-model.ts";
import { Philox } from "../../../src/core/random/philox.ts";
import type { Task } from "../../../src/core/task.ts";
import { lora } from "../../../src/methods/lora.ts";
import type { RawConfig } from "../../../src/nn/config.ts";
import { concatenateLabelled, type Labelled, stripPadding } from "../../../src/nn/pass/sequences.ts";
import type { Model } from "../../../src/nn/tasks/model.ts";
import { Tape, type TapeOptions } from "../../../src/tape/tape.ts";
import { createEngine } from "../../../src/wasm/engine.ts";
import type { Kernels } from "../../../src/wasm/generated/kernels.ts";

const WIDTH = 16;
const LAYERS = 6;
const VOCABULARY = 3000; // more than one chunk of the fused head
const OUTPUTS = 5;
const random = new Philox(4);
const words = (count: number) => Array.from({ length: count }, () => 2 + random.below(30));

const id2label = Object.fromEntries(Array.from({ length: OUTPUTS }, (_, i) => [String(i), `label ${i}`]));
const llama = {
  ...{ model_type: "llama", hidden_size: WIDTH, intermediate_size: 24, num_hidden_layers: LAYERS, id2label },
  ...{ num_attention_heads: 4, num_key_value_heads: 2, vocab_size: VOCABULARY, max_position_embeddings: 64 },
};
const bert = {
  ...{ model_type: "bert", hidden_size: WIDTH, intermediate_size: 24, num_hidden_layers: 2, num_attention_heads: 4 },
  ...{ vocab_size: VOCABULARY, id2label },
};
const t5 = {
  ...{ model_type: "t5", d_model: WIDTH, d_kv: 4, d_ff: 24, num_layers: 2, num_heads: 4, vocab_size: VOCABULARY },
  ...{ decoder_start_token_id: 0, pad_token_id: 0, eos_token_id: 1, id2label },
};

async function model(config: RawConfig, task: Task): Promise<Model> {
  const engine = await createEngine({ build: "baseline" });
  return modelFromConfig(config, task, { engine, seed: 1 });
}

const flopsOf = (of: Pick<Model, "engine" | "loss">, batch: Labelled[], options: TapeOptions = {}): number => {
  let flops = 0;
  Tape.plan(of.engine, options, (tape) => {
    const losses = of.loss(tape, concatenateLabelled(batch));
    if (options.recording) tape.backward(losses, 1);
    flops = tape.flops;
  });
  return flops;
};

test.each([
  ["Llama as a language model", llama, "CAUSAL_LM", VOCABULARY],
  ["T5 as a language model", t5, "SEQ_2_SEQ_LM", VOCABULARY],
  ["Llama as a token classifier", llama, "TOKEN_CLS", OUTPUTS],
  ["BERT as a token classifier", bert, "TOKEN_CLS", OUTPUTS],
  ["T5 as a token classifier", t5, "TOKEN_CLS", OUTPUTS],
] as const)("%s: a row without a label costs nothing in the head", async (_, config, task, outputs) => {
  const base = await model(config, task);
  const inputs = [words(12), words(7), words(9)];
  const labels = inputs.map((ids) => ids.map(() => random.below(OUTPUTS)));
  const every = inputs.map((inputIds, s) => ({ inputIds, labels: labels[s]! }));
  const some = every.map((each) => ({ ...each, labels: each.labels.map((label, t) => (t % 3 === 2 ? label : -100)) }));
  const dropped = [...every, ...some].reduce((sum, each, i) => (i < 3 ? 1 : -1) * base.countLabels(each) + sum, 0);
  expect(dropped).toBeGreaterThan(10);
  expect(flopsOf(base, every) - flopsOf(base, some)).toBe(2 * dropped * WIDTH * outputs);
});

test("a token classifier's losses are the same whether rows are dropped before its head or after", async () => {
  for (const config of [llama, bert, t5]) {
    const base = await model(config, "TOKEN_CLS");
    const inputs = [words(12), words(7)];
    const batch = concatenateLabelled(
      inputs.map((inputIds) => ({ inputIds, labels: inputIds.map((id, t) => (t % 3 === 2 ? id % OUTPUTS : -100)) })),
    );
    const dropped = Tape.once(base.engine, {}, (tape) => tape.download(base.loss(tape, batch)));
    const gathered = Tape.once(base.engine, {}, (tape) => tape.download(base.measure(tape, batch)!.losses));
    expect(dropped.length).toBe(6);
    expect(dropped).toEqual(gathered);
  }
});

test("classes of texts cost one row a text in the head, however long they are", async () => {
  const base = await model(bert, "SEQ_CLS");
  const head = (lengths: number[]) => {
    const rows: number[] = [];
    const batch = concatenateLabelled(lengths.map((n, i) => ({ inputIds: words(n), labels: [i] })));
    Tape.plan(base.engine, {}, (tape) => {
      rows.push(...base.loss(tape, batch).shape);
      rows.push(...base.outputs(tape, batch).shape);
    });
    return rows;
  };
  expect(head([3, 20, 9])).toEqual([3, 1, 3, OUTPUTS]);
});

/** Names of kernels called in each pass, with the place where. */
function callsOf(of: Pick<Model, "engine" | "loss">, batch: Labelled[]): { forward: string[]; backward: string[] } {
  let calls: string[] = [];
  let forward: string[] = [];
  Tape.plan(of.engine, { recording: true, training: true }, (tape) => {
    const counted = Object.entries(tape.kernels).map(([name, kernel]) => [
      name,
      (...args: number[]) => {
        calls.push(`${tape.place} ${name}`);
        return (kernel as (...args: number[]) => number)(...args);
      },
    ]);
    Object.assign(tape, { kernels: Object.fromEntries(counted) as Kernels });
    const losses = of.loss(tape, concatenateLabelled(batch));
    forward = calls;
    calls = [];
    tape.backward(losses, 1);
  });
  return { forward, backward: calls };
}

test("the backward pass stops below the lowest trained layer", async () => {
  const batch = [words(12), words(7)].map((inputIds) => ({ inputIds, labels: inputIds }));
  const base = await model(llama, "CAUSAL_LM");
  const peft = getPeftModel(base, lora({ r: 2, targetModules: ["q_proj", "v_proj"], layersToTransform: [4, 5] }));
  const { forward, backward } = callsOf(peft, batch);
  const places = (calls: string[]) => [...new Set(calls.map((call) => call.split(" ")[0]!))].filter((p) => p !== "");
  expect(places(forward)).toEqual(Array.from({ length: LAYERS }, (_, i) => `model.layers.${i}`));
  expect(places(backward)).toEqual(["model.layers.5", "model.layers.4"]);
  const matmuls = (layer: number) =>
    backward.filter(
      (call) => call === `model.layers.${layer} matmul_f32` || call === `model.layers.${layer} matvec_f32`,
    );
  // Of layer 5 all seven products go back; of layer 4 only those above its queries, keys and values.
  expect(matmuls(5).length).toBe(7);
  expect(matmuls(4).length).toBe(4);
});

test("lower layers keep nothing for the backward pass: memory is the same however many there are", async () => {
  const ids = words(60);
  const batch = concatenateLabelled([ids, ids].map((inputIds) => ({ inputIds, labels: inputIds })));
  const bytes = async (layers: number, adapted: number[]) => {
    const base = await model({ ...llama, vocab_size: 32, num_hidden_layers: layers }, "CAUSAL_LM");
    const peft = getPeftModel(base, lora({ r: 2, targetModules: ["q_proj"], layersToTransform: adapted }));
    return Tape.plan(peft.engine, { recording: true, training: true }, (tape) => {
      tape.backward(peft.loss(tape, batch), 1);
    });
  };
  expect(await bytes(12, [11])).toBe(await bytes(3, [2]));
  const activation = 2 * ids.length * WIDTH * 4;
  expect((await bytes(12, [0])) - (await bytes(12, [11]))).toBeGreaterThan(11 * 5 * activation);
});

test("padding costs nothing: a padded batch is the batch without it", async () => {
  const rows = [words(5), words(12), words(8)];
  const padded = rows.map((row) => [...row, ...Array<number>(30 - row.length).fill(0)]);
  const mask = rows.map((row) => Array.from({ length: 30 }, (_, t) => Number(t < row.length)));
  const base = await model(llama, "CAUSAL_LM");
  const { ids, starts } = stripPadding(padded, mask);
  expect(Array.from(ids)).toEqual(rows.flat());
  const batch = { ids, starts, labels: ids, labelStarts: starts };
  let flops = 0;
  Tape.plan(base.engine, {}, (tape) => {
    base.loss(tape, batch);
    flops = tape.flops;
  });
  expect(flops).toBe(
    flopsOf(
      base,
      rows.map((inputIds) => ({ inputIds, labels: inputIds })),
    ),
  );
});
