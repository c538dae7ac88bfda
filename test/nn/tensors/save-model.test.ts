import { expect, test } from "vitest";
import { getPeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM, AutoModelForSequenceClassification } from "../../../src/auto/auto-classes.ts";
import { openSafetensors, type TensorToWrite, writeSafetensors } from "../../../src/checkpoint/safetensors.ts";
import { mapSource, memoryTarget } from "../../../src/checkpoint/source.ts";
import { f32ToBf16, f32ToF16 } from "../../../src/core/half.ts";
import { lora } from "../../../src/methods/lora.ts";
import { saveModel } from "../../../src/nn/tensors/save-model.ts";
import { openFolder } from "../../../src/runtime/node.ts";
import { GOLDEN } from "../../golden-files.ts";

const llama = openFolder(`${GOLDEN}/models/llama`);
const cycle = ["F32", "BF16", "F16"] as const;

/** The golden Llama with its tensors in three dtypes in turn. */
async function mixed(config: object = {}): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const { tensors } = await openSafetensors(llama, "model.safetensors");
  const written = Array.from(tensors.values(), async (tensor, i): Promise<TensorToWrite> => {
    const values = new Float32Array((await tensor.read()).slice().buffer);
    const dtype = cycle[i % 3]!;
    const stored = dtype === "F32" ? values : dtype === "F16" ? f32ToF16(values) : f32ToBf16(values);
    return { name: tensor.name, dtype, shape: tensor.shape, bytes: () => new Uint8Array(stored.buffer) };
  });
  await writeSafetensors(memoryTarget("mixed", files), "model.safetensors", await Promise.all(written));
  const own = JSON.parse(new TextDecoder().decode(await llama.read("config.json")));
  files.set("config.json", new TextEncoder().encode(JSON.stringify({ ...own, ...config })));
  return files;
}

async function dtypesOf(files: Map<string, Uint8Array>): Promise<Map<string, string>> {
  const { tensors } = await openSafetensors(mapSource(files), "model.safetensors");
  return new Map(Array.from(tensors.values(), ({ name, dtype }) => [name, dtype]));
}

const configOf = (files: Map<string, Uint8Array>) => JSON.parse(new TextDecoder().decode(files.get("config.json")));

test("a folder of several dtypes is written back byte for byte, vectors included", async () => {
  const files = await mixed({ dtype: "bfloat16" });
  using model = await AutoModelForCausalLM.fromPretrained(files);
  const written = new Map<string, Uint8Array>();
  await saveModel(model, written);
  expect(written.get("model.safetensors")).toEqual(files.get("model.safetensors"));
  expect(configOf(written).dtype).toBe("bfloat16");
});

test("merging leaves every tensor of such a folder in its dtype", async () => {
  const files = await mixed();
  const base = await AutoModelForCausalLM.fromPretrained(files);
  const merged = getPeftModel(base, lora({ targetModules: "all-linear", modulesToSave: ["norm"] })).mergeAndUnload();
  const written = new Map<string, Uint8Array>();
  await saveModel(merged, written);
  expect(await dtypesOf(written)).toEqual(await dtypesOf(files));
});

test("weights converted while loading are written as they were converted, and the config's dtype follows", async () => {
  using model = await AutoModelForCausalLM.fromPretrained(await mixed({ torch_dtype: "float16" }), {
    weights: "bf16",
  });
  const written = new Map<string, Uint8Array>();
  await saveModel(model, written);
  expect(new Set((await dtypesOf(written)).values())).toEqual(new Set(["BF16"]));
  expect(configOf(written)).toMatchObject({ dtype: "bfloat16" });
  expect(configOf(written)).not.toHaveProperty("torch_dtype");
});

test("half-precision weights can be saved in float32, which loses nothing", async () => {
  using model = await AutoModelForCausalLM.fromPretrained(await mixed());
  const written = new Map<string, Uint8Array>();
  await saveModel(model, written, { dtype: "f32" });
  using again = await AutoModelForCausalLM.fromPretrained(written);
  const batch = { ids: Int32Array.of(5, 6, 7), starts: Int32Array.of(0, 3) };
  expect(again.forward(batch).data).toEqual(model.forward(batch).data);
  await expect(saveModel(model, new Map(), { dtype: "f16" })).rejects.toThrow(/bf16 in memory.*lose precision/);
});

test("the config names the class that was loaded, whatever the base's own config named", async () => {
  using model = await AutoModelForSequenceClassification.fromPretrained(await mixed(), { onWarning: () => {} });
  const written = new Map<string, Uint8Array>();
  await saveModel(model, written);
  expect(configOf(written).architectures).toEqual(["LlamaForSequenceClassification"]);
});
