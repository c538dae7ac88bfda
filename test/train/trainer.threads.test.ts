import { expect, test } from "vitest";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM, AutoModelForSeq2SeqLM } from "../../src/auto/auto-classes.ts";
import { Philox } from "../../src/core/random/philox.ts";
import { bottleneck } from "../../src/methods/bottleneck.ts";
import { lora } from "../../src/methods/lora.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { createEngine } from "../../src/wasm/engine.ts";

/** Wide enough that most kernels are split. */
const sizes = { vocab_size: 500, initializer_range: 0.2 };
const gpt2 = { model_type: "gpt2", n_embd: 64, n_layer: 2, n_head: 4, n_positions: 64, resid_pdrop: 0.1, ...sizes };
const t5 = {
  ...{ model_type: "t5", d_model: 64, d_kv: 16, d_ff: 128, num_layers: 2, num_decoder_layers: 2, num_heads: 4 },
  ...{ dropout_rate: 0, decoder_start_token_id: 0, pad_token_id: 0, eos_token_id: 1, ...sizes },
};

const examples = Array.from({ length: 16 }, (_, i) => {
  const random = new Philox(3, i);
  const row = (length: number) => Int32Array.from({ length }, () => random.below(500));
  const inputIds = row(20 + random.below(40));
  return { inputIds, labels: inputIds, targets: row(10 + random.below(20)) };
});

async function trained(architecture: "gpt2" | "t5", threads: number): Promise<string> {
  using engine = await createEngine({ build: "baseline", threads });
  const options = { engine, seed: 1 };
  const model =
    architecture === "gpt2"
      ? await AutoModelForCausalLM.fromConfig(gpt2, options)
      : await AutoModelForSeq2SeqLM.fromConfig(t5, options);
  const method = architecture === "gpt2" ? lora({ r: 8, loraAlpha: 16 }) : bottleneck({ reductionFactor: 4 });
  const peft = getPeftModel(model as never, method, { seed: 1, onWarning: () => {} });
  const trainDataset = examples.map(({ inputIds, labels, targets }) => ({
    inputIds,
    labels: architecture === "gpt2" ? labels : targets,
  }));
  const args = { maxSteps: 3, perDeviceTrainBatchSize: 8, learningRate: 0.01, seed: 2 };
  const losses: number[] = [];
  await new Trainer({ model: peft, trainDataset, args, onProgress: ({ loss }) => losses.push(loss) }).train();
  const values = Array.from(peft.namedTrainable().values(), (param) => Buffer.from(param.values().slice().buffer));
  return `${losses.join()} ${Buffer.concat(values).toString("base64")}`;
}

test.each(["gpt2", "t5"] as const)(
  "training %s gives the same bits for any number of threads",
  async (architecture) => {
    const one = await trained(architecture, 1);
    for (const threads of [2, 3]) expect((await trained(architecture, threads)) === one).toBe(true);
  },
);
