import { describe, expect, test } from "vitest";
import { getPeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM, AutoModelForSeq2SeqLM } from "../../../src/auto/auto-classes.ts";
import { memoryTarget } from "../../../src/checkpoint/source.ts";
import { Philox } from "../../../src/core/random/philox.ts";
import { sizeOf } from "../../../src/core/shape.ts";
import { lora } from "../../../src/methods/lora.ts";
import { concatenateLabelled } from "../../../src/nn/pass/sequences.ts";
import type { Model } from "../../../src/nn/tasks/model.ts";
import type { KeptWeights } from "../../../src/nn/tensors/kept-dtype.ts";
import { saveModel } from "../../../src/nn/tensors/save-model.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { readElements } from "../../../src/tensor/elements.ts";
import { isQuantised } from "../../../src/tensor/tensor.ts";
import { createEngine } from "../../../src/wasm/engine.ts";
import { dequantised, distance } from "../../models/dequantised.ts";

const sizes = { vocab_size: 300, initializer_range: 0.1 };
const configs = {
  llama: {
    ...{ model_type: "llama", hidden_size: 64, intermediate_size: 96, num_hidden_layers: 2, num_attention_heads: 4 },
    ...{ num_key_value_heads: 2, max_position_embeddings: 64, tie_word_embeddings: false, ...sizes },
  },
  gpt2: { model_type: "gpt2", n_embd: 64, n_layer: 2, n_head: 4, n_positions: 64, ...sizes },
  mt5: {
    ...{ model_type: "mt5", d_model: 64, d_kv: 16, d_ff: 128, num_layers: 2, num_heads: 4, tie_word_embeddings: false },
    ...{ decoder_start_token_id: 0, pad_token_id: 0, eos_token_id: 1, feed_forward_proj: "gated-gelu", ...sizes },
  },
};
type Name = keyof typeof configs;

const auto = (name: Name) => (name === "mt5" ? AutoModelForSeq2SeqLM : AutoModelForCausalLM);
const random = new Philox(5);
const row = (length: number) => Int32Array.from({ length }, () => 2 + random.below(298));
const batch = concatenateLabelled(
  [9, 14, 23].map((length) => ((inputIds) => ({ inputIds, labels: inputIds }))(row(length))),
);

/** A folder with the random weights of a config. */
async function folderOf(name: Name) {
  const model: Model = await auto(name).fromConfig(configs[name], { seed: 3 });
  const target = memoryTarget();
  await saveModel(model, target);
  return target.files;
}

/** Loss of each label, and the gradients of a LoRA adapter. */
async function lossAndGradients(name: Name, from: Map<string, Uint8Array>, weights: KeptWeights, threads = 1) {
  const engine = await createEngine({ build: "baseline", threads });
  const model: Model = await auto(name).fromPretrained(from, { engine, weights });
  model.dropout = 0;
  const peft = getPeftModel(model, lora({ r: 4, loraAlpha: 8, targetModules: "all-linear" }), {
    seed: 1,
    onWarning: () => {},
  });
  for (const [key, param] of peft.namedTrainable()) {
    const numbers = new Philox(9, key.length);
    if (key.includes("lora_B"))
      param.values().forEach((_, i, all) => {
        all[i] = 0.05 * numbers.normal();
      });
  }
  const options = { recording: true };
  const losses = Tape.once(engine, options, (tape) => {
    const loss = peft.loss(tape, batch);
    tape.backward(loss, 1);
    return tape.download(loss);
  });
  const gradients = new Map(Array.from(peft.namedTrainable(), ([key, param]) => [key, param.gradient().slice()]));
  return { model, losses, gradients };
}

/** Activations are rounded to 16 bits in int8 products, which leaves about four digits; NF4 computes in f32. */
const allowed = { int8: 5e-4, nf4: 2e-6, bf16: 2e-6, f16: 2e-6 };

describe.each(["llama", "gpt2", "mt5"] as const)("%s", (name) => {
  test.each(["int8", "nf4", "bf16", "f16"] as const)(
    "kept as %s computes what its dequantized weights do in f32",
    async (weights) => {
      const folder = await folderOf(name);
      const small = await lossAndGradients(name, folder, weights);
      const whole = await lossAndGradients(name, await dequantised(folder, small.model), "stored");
      expect(distance(small.losses, whole.losses)).toBeLessThan(allowed[weights]);
      for (const [key, gradient] of whole.gradients) {
        expect(distance(small.gradients.get(key)!, gradient), key).toBeLessThan(20 * allowed[weights]);
      }
    },
  );

  test("int8 and nf4 keep linear layers in their dtype; vectors, and tables with nf4, stay f32", async () => {
    const folder = await folderOf(name);
    const kept = async (weights: KeptWeights) => {
      const model: Model = await auto(name).fromPretrained(folder, { weights });
      return new Map(Array.from(model.namedWeights(), ([key, { dtype, shape }]) => [key, { dtype, shape }]));
    };
    for (const [key, { dtype, shape }] of await kept("int8")) {
      expect(dtype, key).toBe(shape.length === 1 || key.includes("relative_attention_bias") ? "f32" : "int8");
    }
    for (const [key, { dtype, shape }] of await kept("nf4")) {
      const table = /embed|wte|wpe|shared|lm_head|relative_attention_bias/.test(key);
      expect(dtype, key).toBe(shape.length === 1 || table ? "f32" : "nf4");
    }
  });

  test.each(["int8", "nf4"] as const)("%s gives the same bits for any number of threads", async (weights) => {
    const folder = await folderOf(name);
    const one = await lossAndGradients(name, folder, weights, 1);
    const three = await lossAndGradients(name, folder, weights, 3);
    expect(three.losses).toEqual(one.losses);
    expect(three.gradients).toEqual(one.gradients);
  });
});

test("quantised weights are as near as their bits allow", async () => {
  const folder = await folderOf("gpt2");
  const from = await AutoModelForCausalLM.fromPretrained(folder);
  for (const [weights, most] of [
    ["int8", 0.5 / 127],
    ["nf4", 0.16],
  ] as const) {
    const model = await AutoModelForCausalLM.fromPretrained(folder, { weights });
    for (const [key, weight] of model.namedWeights()) {
      if (!isQuantised(weight)) continue;
      const [got, want] = [weight, from.namedWeights().get(key)!].map((w) =>
        readElements((w === weight ? model : from).engine.memory, w),
      ) as [Float32Array, Float32Array];
      const largest = want.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      expect(
        got.every((v, i) => Math.abs(v - want[i]!) <= most * largest * 1.01),
        key,
      ).toBe(true);
      expect(distance(got, want)).toBeLessThan(weights === "int8" ? 0.01 : 0.12);
    }
  }
});

test("a random base in a small dtype has the numbers of the f32 one, rounded, and is never there in f32", async () => {
  for (const weights of ["int8", "nf4", "bf16"] as const) {
    const model = await AutoModelForCausalLM.fromConfig(configs.gpt2, { seed: 3, weights });
    const f32 = await AutoModelForCausalLM.fromConfig(configs.gpt2, { seed: 3 });
    const loaded = await AutoModelForCausalLM.fromPretrained(await folderOf("gpt2"), { weights });
    for (const [key, weight] of model.namedWeights()) {
      const got = readElements(model.engine.memory, weight);
      expect(got).toEqual(readElements(loaded.engine.memory, loaded.namedWeights().get(key)!));
      expect(got.length).toBe(sizeOf(f32.namedWeights().get(key)!.shape));
    }
  }
});

test("merging into a quantized base is refused, with the way out; so are saving it and training it", async () => {
  const folder = await folderOf("llama");
  for (const weights of ["int8", "nf4"] as const) {
    const model = await AutoModelForCausalLM.fromPretrained(folder, { weights });
    const before = readElements(
      model.engine.memory,
      model.namedWeights().get("model.layers.0.self_attn.q_proj.weight")!,
    );
    const peft = getPeftModel(model, lora({ r: 2 }), { onWarning: () => {} });
    const refusal = new RegExp(
      `"model.layers.0.self_attn.q_proj.weight" is kept as ${weights}.*load the base with weights: "stored"`,
    );
    expect(() => peft.mergeAdapter()).toThrow(refusal);
    expect(() => peft.mergeAndUnload()).toThrow(refusal);
    const after = readElements(
      model.engine.memory,
      model.namedWeights().get("model.layers.0.self_attn.q_proj.weight")!,
    );
    expect(after).toEqual(before);
    peft.unload();
    await expect(saveModel(model, memoryTarget())).rejects.toThrow(/load the base with weights: "stored"/);
    await expect(AutoModelForCausalLM.fromPretrained(folder, { weights, trainable: true })).rejects.toThrow(
      /omit one of the two/,
    );
  }
});
