/**
 * Adapter folders as PEFT has written them over the years: each loads as PEFT 0.21 loads it. That they are plain LoRA was found
 * with folders of PEFT itself; here the keys and tensors that tell them apart are put into a golden folder.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { getPeftModel, PeftModel } from "../../../src/adapt/peft-model.ts";
import { openSafetensors, type TensorToWrite, writeSafetensors } from "../../../src/checkpoint/safetensors.ts";
import { mapSource, memoryTarget } from "../../../src/checkpoint/source.ts";
import { lora } from "../../../src/methods/lora.ts";
import { GOLDEN } from "../../golden-files.ts";
import { base, batch, saved, scramble } from "../golden-adapter.ts";

const folder = `${GOLDEN}/methods/lora/llama-default`;
type Config = Record<string, unknown>;
type Tensors = readonly TensorToWrite[];

/** The golden folder with its config and tensors changed, in memory. */
async function changed(
  editConfig: (config: Config) => Config,
  editTensors: (tensors: Tensors) => Tensors = (tensors) => tensors,
): Promise<Map<string, Uint8Array>> {
  const config: Config = JSON.parse(readFileSync(`${folder}/adapter_config.json`, "utf8"));
  const files = new Map([["adapter_config.json", new TextEncoder().encode(JSON.stringify(editConfig(config)))]]);
  const file = new Map([["a", readFileSync(`${folder}/adapter_model.safetensors`)]]);
  const { tensors } = await openSafetensors(mapSource(file), "a");
  const read = Array.from(tensors.values(), ({ name, dtype, shape, read: _, ...rest }) => ({
    name,
    dtype,
    shape,
    rest,
  }));
  const written = read.map(({ name, dtype, shape }): TensorToWrite => {
    return { name, dtype, shape, bytes: async () => tensors.get(name)!.read() };
  });
  await writeSafetensors(memoryTarget("changed", files), "adapter_model.safetensors", editTensors(written));
  return files;
}

/** Loads a folder, and gives its outputs and what it warned of. */
async function load(files: Map<string, Uint8Array>, options: object = {}) {
  const warnings: string[] = [];
  const onWarning = (message: string) => void warnings.push(message);
  const model = await PeftModel.fromPretrained(await base(), files, { onWarning, ...options });
  return { model, outputs: model.forward(batch).data, warnings: warnings.join("\n") };
}

const extra = (name: string): TensorToWrite => {
  return { name, dtype: "F32", shape: [2], bytes: () => new Uint8Array(8) };
};
const q = "base_model.model.model.layers.0.self_attn.q_proj";

describe("loads as plain LoRA", () => {
  const old = ["peft_type", "task_type", "r", "lora_alpha", "target_modules", "lora_dropout", "bias", "fan_in_fan_out"];
  const cases: Record<
    string,
    { config: Config; buffer?: string; only?: readonly string[]; warns?: RegExp; trains?: false }
  > = {
    "loftq_config null": { config: { loftq_config: null } },
    "a file of PEFT 0.2": { config: {}, only: old },
    "megatron_config {}": { config: { megatron_config: {} } },
    "dropout 1.0": { config: { lora_dropout: 1 } },
    eva: { config: { init_lora_weights: "eva", eva_config: { rho: 2, tau: 0.99 } } },
    orthogonal: { config: { init_lora_weights: "orthogonal" } },
    lora_ga: { config: { init_lora_weights: "lora_ga", lora_ga_config: { direction: "ArB2r" } } },
    mica: { config: { init_lora_weights: "mica" }, trains: false },
    corda: { config: { init_lora_weights: "corda", corda_config: {} }, warns: /"corda", which changed the base/ },
    loftq: { config: { init_lora_weights: "loftq", loftq_config: { loftq_bits: 4 } }, warns: /"loftq", which changed/ },
    "ensure_weight_tying without tied layers": { config: { ensure_weight_tying: true } },
    velora: { config: { velora_config: { num_groups: 4 } }, buffer: "lora_velora_embed", trains: false },
    monteclora: {
      config: { monteclora_config: { num_samples: 8 } },
      buffer: "lora_monteclora_sampler.expert_weights",
      trains: false,
    },
  };
  for (const [what, { config: edit, buffer, only, warns, trains = true }] of Object.entries(cases)) {
    test(what, async () => {
      const plain = await load(await changed((config) => config));
      const files = await changed(
        (config) =>
          Object.fromEntries(Object.entries({ ...config, ...edit }).filter(([key]) => only?.includes(key) ?? true)),
        (tensors) => (buffer === undefined ? tensors : [...tensors, extra(`${q}.${buffer}`)]),
      );
      const { outputs, warnings, model } = await load(files);
      expect(outputs).toEqual(plain.outputs);
      expect(warnings).toMatch(warns ?? /^$/);
      const again = await load(await saved(model));
      expect(again.outputs).toEqual(outputs);
      expect(again.warnings).toBe("");
      const training = load(files, { isTrainable: true });
      if (trains) await expect(training).resolves.toBeDefined();
      else await expect(training).rejects.toThrow(/can run but not train: load it for inference/);
    });
  }

  test("tensors of float64, rounded to nearest", async () => {
    const plain = await load(await changed((config) => config));
    const wide = (tensors: Tensors) =>
      tensors.map(
        (tensor): TensorToWrite => ({
          ...tensor,
          dtype: "F64",
          async bytes() {
            const values = new Float32Array(new Uint8Array(await tensor.bytes()).buffer);
            return new Uint8Array(Float64Array.from(values).buffer);
          },
        }),
      );
    expect((await load(await changed((config) => config, wide))).outputs).toEqual(plain.outputs);
  });

  test("out of a subfolder", async () => {
    const files = await changed((config) => config);
    const below = new Map(Array.from(files, ([file, bytes]) => [`run/best/${file}`, bytes]));
    expect((await load(below, { subfolder: "run/best" })).outputs).toEqual((await load(files)).outputs);
    await expect(load(below)).rejects.toThrow('no file "adapter_config.json"');
  });
});

test("pissa_niter_k warns that its start is drawn anew", async () => {
  const { warnings } = await load(await changed((config) => ({ ...config, init_lora_weights: "pissa_niter_2" })));
  expect(warnings).toMatch(/"pissa_niter_2", whose start is drawn at random each time it is loaded, by PEFT too/);
});

test("a start or training that this version cannot do is still refused for a fresh adapter", () => {
  expect(() => lora({ initLoraWeights: "eva" })).toThrow(/"initLoraWeights" is "eva", but this version implements/);
  expect(() => lora({ veloraConfig: {} } as never)).toThrow(/"veloraConfig"/);
});

describe("keys of renamed checkpoints", () => {
  const renamedTo = (part: string) => (tensors: Tensors) =>
    tensors.map((tensor) => ({ ...tensor, name: tensor.name.replace("model.model.layers", `model.${part}`) }));

  for (const part of ["model.language_model.layers", "language_model.model.layers", "_orig_mod.model.layers"]) {
    test(`${part} is the model's own where the model is not wrapped, with a notice`, async () => {
      const plain = await load(await changed((config) => config));
      const { outputs, warnings } = await load(await changed((config) => config, renamedTo(part)));
      expect(outputs).toEqual(plain.outputs);
      expect(warnings).toMatch(/keys are of a model that wraps this one/);
    });
  }

  test("a key mapping as PEFT takes it, groups included", async () => {
    const plain = await load(await changed((config) => config));
    const files = await changed((config) => config, renamedTo("decoder.blocks"));
    const keyMapping = { "^nothing": "never", "^decoder\\.blocks\\.(\\d+)": "model.layers.\\1" };
    const { outputs, warnings } = await load(files, { keyMapping });
    expect(outputs).toEqual(plain.outputs);
    expect(warnings).toBe("");
    await expect(load(files)).rejects.toThrow("the model has no such module");
  });
});

describe("ensure_weight_tying", () => {
  /** A folder as PEFT writes it: both layers are in the file, the config names one. */
  async function tied(both: object, named: Config): Promise<{ files: Map<string, Uint8Array>; outputs: Float32Array }> {
    const model = getPeftModel(await base("llama-tied"), lora(both), { onWarning: () => {} });
    scramble(model, "default");
    const files = await saved(model);
    const config = JSON.parse(new TextDecoder().decode(files.get("adapter_config.json")));
    files.set("adapter_config.json", new TextEncoder().encode(JSON.stringify({ ...config, ...named })));
    return { files, outputs: model.forward(batch).data };
  }

  test.each([
    ["targets", { targetModules: ["embed_tokens", "lm_head"] }, { target_modules: ["embed_tokens"] }],
    [
      "copied modules",
      { targetModules: ["q_proj"], modulesToSave: ["embed_tokens", "lm_head"] },
      { modules_to_save: ["embed_tokens"] },
    ],
  ])("%s: the tied head comes along, for inference", async (_, both, named) => {
    const { files, outputs } = await tied(both, { ...named, ensure_weight_tying: true });
    const options = { onWarning: () => {} };
    const model = await PeftModel.fromPretrained(await base("llama-tied"), files, options);
    expect(model.forward(batch).data).toEqual(outputs);
    const training = PeftModel.fromPretrained(await base("llama-tied"), files, { ...options, isTrainable: true });
    await expect(training).rejects.toThrow(
      /trained with "ensure_weight_tying", which this version can run but not train/,
    );
  });
});
