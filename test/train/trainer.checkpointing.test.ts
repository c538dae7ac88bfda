/** Gradient checkpointing: the same bits in far less memory. */
import { expect, test } from "vitest";
import { getPeftModel, type PeftModel } from "../../src/adapt/peft-model.ts";
import { modelFromConfig } from "../../src/auto/auto-model.ts";
import { Philox } from "../../src/core/random/philox.ts";
import type { Task } from "../../src/core/task.ts";
import { adaptionPrompt } from "../../src/methods/adaption_prompt.ts";
import { bottleneck } from "../../src/methods/bottleneck.ts";
import { ia3 } from "../../src/methods/ia3.ts";
import { loha } from "../../src/methods/loha.ts";
import { lora } from "../../src/methods/lora.ts";
import { oft } from "../../src/methods/oft.ts";
import { prefixTuning } from "../../src/methods/prefix_tuning.ts";
import { promptTuning } from "../../src/methods/prompt_tuning.ts";
import type { RawConfig } from "../../src/nn/config.ts";
import { concatenateLabelled, type Labelled } from "../../src/nn/pass/sequences.ts";
import type { Model } from "../../src/nn/tasks/model.ts";
import { Tape } from "../../src/tape/tape.ts";
import { fullTraining, type Trainable } from "../../src/train/trainable.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { measure } from "../ops/gradients.ts";
import { examples, tinyDropoutModel, tinyModel, valuesOf } from "./tiny.ts";

const LAYERS = 6;
const random = new Philox(5);
const words = (count: number) => Array.from({ length: count }, () => 2 + random.below(50));

const decoder = {
  ...{ hidden_size: 24, intermediate_size: 40, num_hidden_layers: LAYERS, num_attention_heads: 4 },
  ...{ num_key_value_heads: 2, vocab_size: 53, max_position_embeddings: 64, rms_norm_eps: 1e-5 },
};
const configs: Readonly<Record<string, RawConfig>> = {
  llama: { model_type: "llama", ...decoder },
  gpt2: {
    model_type: "gpt2",
    n_embd: 24,
    n_layer: LAYERS,
    n_head: 4,
    n_positions: 64,
    vocab_size: 53,
    resid_pdrop: 0.2,
  },
  t5: {
    ...{ model_type: "t5", d_model: 24, d_kv: 6, d_ff: 40, num_layers: 3, num_decoder_layers: 4, num_heads: 4 },
    ...{ vocab_size: 53, decoder_start_token_id: 0, pad_token_id: 0, eos_token_id: 1, dropout_rate: 0.2 },
    ...{ relative_attention_num_buckets: 8, relative_attention_max_distance: 10 },
  },
  bert: {
    ...{
      model_type: "bert",
      hidden_size: 24,
      intermediate_size: 40,
      num_hidden_layers: LAYERS,
      num_attention_heads: 4,
    },
    ...{ vocab_size: 53, max_position_embeddings: 64, id2label: { "0": "no", "1": "yes" } },
  },
};
const texts: Labelled[] = [9, 17, 5].map((length) => ({ inputIds: words(length), labels: words(length) }));
const data: Readonly<Record<string, Labelled[]>> = {
  CAUSAL_LM: texts.map(({ inputIds }) => ({ inputIds, labels: [...(inputIds as number[])] })),
  SEQ_2_SEQ_LM: texts.map(({ inputIds }) => ({ inputIds, labels: words(6) })),
  SEQ_CLS: texts.map(({ inputIds }, i) => ({ inputIds, labels: [i % 2] })),
};

type Adapt = (model: Model) => Trainable;
const adapt =
  (config: Parameters<typeof getPeftModel>[1]): Adapt =>
  (model) =>
    getPeftModel(model, config, { seed: 3 }) as PeftModel;
const all = { targetModules: "all-linear" } as const;
const full: Adapt = (model) => fullTraining(model, async () => {});

const cases: [name: string, type: string, task: Task, adapt: Adapt][] = [
  ["llama, LoRA", "llama", "CAUSAL_LM", adapt(lora({ r: 4, ...all, loraDropout: 0.1 }))],
  ["llama, DoRA", "llama", "CAUSAL_LM", adapt(lora({ r: 4, useDora: true }))],
  ["llama, full", "llama", "CAUSAL_LM", full],
  ["llama, LoHa", "llama", "CAUSAL_LM", adapt(loha({ r: 4, ...all, rankDropout: 0.2 }))],
  ["llama, constrained OFT", "llama", "CAUSAL_LM", adapt(oft({ oftBlockSize: 4, r: 0, coft: true, eps: 1e-3 }))],
  ["llama, adaption prompt", "llama", "CAUSAL_LM", adapt(adaptionPrompt({ adapterLen: 3, adapterLayers: 4 }))],
  ["llama, prefix tuning", "llama", "CAUSAL_LM", adapt(prefixTuning({ numVirtualTokens: 3, prefixProjection: true }))],
  ["gpt2 with dropout, LoRA", "gpt2", "CAUSAL_LM", adapt(lora({ r: 4, loraDropout: 0.1 }))],
  ["gpt2 with dropout, full", "gpt2", "CAUSAL_LM", full],
  ["gpt2 with dropout, bottleneck", "gpt2", "CAUSAL_LM", adapt(bottleneck({ reductionFactor: 4 }))],
  ["gpt2 with dropout, prompt tuning", "gpt2", "CAUSAL_LM", adapt(promptTuning({ numVirtualTokens: 3 }))],
  ["t5 with dropout, LoRA", "t5", "SEQ_2_SEQ_LM", adapt(lora({ r: 4 }))],
  ["t5 with dropout, full", "t5", "SEQ_2_SEQ_LM", full],
  ["t5 with dropout, prefix tuning", "t5", "SEQ_2_SEQ_LM", adapt(prefixTuning({ numVirtualTokens: 3 }))],
  [
    "t5 with dropout, LoRA on the decoder's top",
    "t5",
    "SEQ_2_SEQ_LM",
    adapt(lora({ r: 4, targetModules: "decoder\\.block\\.3\\..*\\.(q|v)" })),
  ],
  ["bert with dropout, LoRA", "bert", "SEQ_CLS", adapt(lora({ r: 4 }))],
  ["bert with dropout, bottleneck", "bert", "SEQ_CLS", adapt(bottleneck({ reductionFactor: 4 }))],
  ["bert with dropout, IA3", "bert", "SEQ_CLS", adapt(ia3({}))],
];

async function modelOf(type: string, task: Task, make: Adapt): Promise<Trainable> {
  const engine = await createEngine({ build: "baseline" });
  const model = make(await modelFromConfig({ ...configs[type]!, initializer_range: 0.2 }, task, { engine, seed: 1 }));
  const noise = new Philox(9);
  // Where B starts at zero, half of the gradients would be zero too.
  if (make !== full)
    for (const param of model.namedTrainable().values())
      param.values().forEach((v, i, a) => {
        a[i] = v + 0.1 * noise.normal();
      });
  return model;
}

function lossAndGradients(model: Trainable, task: Task, checkpointing: boolean) {
  const batch = concatenateLabelled(data[task]!);
  const params = model.namedTrainable();
  for (const param of params.values()) param.gradient().fill(0);
  let [losses, flops]: [Float32Array, number] = [new Float32Array(), 0];
  const options = { recording: true, training: true, seed: [7, 1], checkpointing } as const;
  const { planned, peak } = measure(model.engine, options, (tape) => {
    const loss = model.loss(tape, batch);
    losses = tape.download(loss);
    tape.backward(loss, 1 / 10);
    flops = tape.flops;
  });
  expect(peak, "bytes of the run against its plan").toBe(planned);
  return {
    losses,
    flops,
    peak,
    gradients: new Map(Array.from(params, ([name, param]) => [name, param.gradient().slice()])),
  };
}

test.each(cases)("%s: loss, gradients and counted arithmetic are the same to the bit", async (_, type, task, make) => {
  const model = await modelOf(type, task, make);
  const plain = lossAndGradients(model, task, false);
  const checkpointed = lossAndGradients(model, task, true);
  expect(checkpointed.losses).toEqual(plain.losses);
  expect(checkpointed.gradients).toEqual(plain.gradients);
  expect(checkpointed.flops).toBe(plain.flops);
  const moved = [...plain.gradients.values()].filter((gradient) => gradient.some((slope) => slope !== 0));
  expect(moved.length).toBeGreaterThan(plain.gradients.size / 2);
});

test("a long batch of six layers takes less than 60 % of the memory", async () => {
  const model = await modelOf("llama", "CAUSAL_LM", adapt(lora({ r: 4, ...all })));
  const long = words(60);
  const batch = concatenateLabelled([long, long, long].map((inputIds) => ({ inputIds, labels: inputIds })));
  const bytes = (checkpointing: boolean) =>
    Tape.plan(model.engine, { recording: true, training: true, checkpointing }, (tape) => {
      tape.backward(model.loss(tape, batch), 1);
    });
  expect(bytes(true)).toBeLessThan(0.6 * bytes(false));
});

test("each kernel runs in the place of its block: forward, again and back", async () => {
  const model = await modelOf("llama", "CAUSAL_LM", adapt(lora({ r: 4 })));
  const places = (checkpointing: boolean) => {
    const seen: string[] = [];
    const step = (tape: Tape) => {
      for (const kernel of ["attention_f32", "attention_f32_d", "adamw_f32", "head_loss_f32"] as const) {
        const run = tape.kernels[kernel] as (...args: number[]) => void;
        const spy = (...args: number[]) => {
          seen.push(`${kernel} ${tape.place}`);
          run(...args);
        };
        Object.assign(tape, { kernels: { ...tape.kernels, [kernel]: spy } });
      }
      tape.backward(model.loss(tape, concatenateLabelled(data.CAUSAL_LM!)), 1);
      expect(tape.place).toBe("");
    };
    Tape.plan(model.engine, { recording: true, checkpointing }, step);
    return seen;
  };
  const blocks = Array.from({ length: LAYERS }, (_, i) => `model.layers.${i}`);
  const forward = [...blocks.map((block) => `attention_f32 ${block}`), "head_loss_f32 "];
  const down = blocks.toReversed();
  expect(places(false)).toEqual([...forward, ...down.map((block) => `attention_f32_d ${block}`)]);
  expect(places(true)).toEqual([
    ...forward,
    ...down.flatMap((block) => [`attention_f32 ${block}`, `attention_f32_d ${block}`]),
  ]);
});

test.each([
  ["with dropout", tinyDropoutModel],
  ["without dropout", tinyModel],
])("a whole run %s ends with the same bits, and is announced with less memory", async (_, make) => {
  const run = async (gradientCheckpointing: boolean) => {
    const model = await make();
    const args = { maxSteps: 6, perDeviceTrainBatchSize: 3, learningRate: 0.01, gradientCheckpointing };
    const trainer = new Trainer({ model, args, trainDataset: examples(20) });
    return { bytes: trainer.plan(), result: await trainer.train(), values: valuesOf(model) };
  };
  const [plain, checkpointed] = [await run(false), await run(true)];
  expect(checkpointed.result).toEqual(plain.result);
  expect(checkpointed.values).toEqual(plain.values);
  expect(checkpointed.bytes).toBeLessThan(plain.bytes);
});
