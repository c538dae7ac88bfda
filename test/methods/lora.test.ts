/** How LoRA starts: against PEFT where the start is decided by the base, by its law where it is random. */
import { describe, expect, test } from "vitest";
import { configFromJson } from "../../src/adapt/files/load.ts";
import { getPeftModel, PeftModel } from "../../src/adapt/peft-model.ts";
import { lora } from "../../src/methods/lora.ts";
import type { Linear } from "../../src/nn/layers/linear.ts";
import { readElements } from "../../src/tensor/elements.ts";
import { type Batch, batchOf, cases, expectClose, loadGolden, readCase, readTensors } from "../golden-files.ts";

const silent = { onWarning: () => {} };

/** s·B·A [out, in] of a module, from the adapter's own tensors. */
function deltaOf(model: PeftModel, module: string, scale: number): Float32Array {
  const params = model.namedTrainable();
  const a = params.get(`base_model.model.${module}.lora_A.weight`)!;
  const b = params.get(`base_model.model.${module}.lora_B.weight`)!;
  const [r, width] = a.shape as [number, number];
  const [x, y] = [a.values(), b.values()];
  const out = new Float32Array(b.shape[0]! * width);
  for (let i = 0; i < b.shape[0]!; i++) {
    for (let k = 0; k < r; k++)
      for (let j = 0; j < width; j++) out[i * width + j]! += scale * y[i * r + k]! * x[k * width + j]!;
  }
  return out;
}

describe.each(cases("methods/lora-init"))("%s", (name) => {
  test("takes out of the base what PEFT takes out, and changes nothing", async () => {
    const folder = `methods/lora-init/${name}`;
    const golden = readCase<Batch & { model: string; options: Record<string, number> }>(folder);
    const expected = await readTensors(folder);
    const { model } = await loadGolden(golden.model);
    const config = await configFromJson({ peft_type: "LORA", ...golden.options });
    const peft = getPeftModel(model, config, silent);
    const scale = golden.options.lora_alpha! / golden.options.r!;
    const deltas = Array.from(expected.keys()).filter((key) => key.startsWith("delta."));
    expect(deltas.length).toBeGreaterThan(0);
    for (const key of deltas) {
      const module = model.modules.get(key.slice(6)) as Linear;
      const delta = deltaOf(peft, module.name, scale);
      expectClose(key, delta, expected.get(key)!.values, 2e-5, 2e-5);
      // Here the base stays whole and a constant delta stands for what was taken out; PEFT's base is the difference.
      const weight = readElements(model.engine.memory, module.weight);
      const taken = weight.map((x, i) => x - delta[module.stored === "out-in" ? i : transposed(i, module)]!);
      expectClose(`base of ${key}`, taken, expected.get(`base.${module.name}.weight`)!.values, 2e-5, 2e-5);
    }
    expectClose("logits", peft.forward(batchOf(golden)).data, expected.get("logits")!.values, 1e-4, 2e-4);
  });
});

/** Where element i of a weight stored [in, out] lies in [out, in]. */
function transposed(i: number, { inFeatures, outFeatures }: Linear): number {
  return (i % outFeatures) * inFeatures + Math.floor(i / outFeatures);
}

function moments(values: Float32Array): { mean: number; std: number; most: number } {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const std = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
  return { mean, std, most: values.reduce((most, x) => Math.max(most, Math.abs(x)), 0) };
}

async function started(options: Parameters<typeof lora>[0]) {
  const { model } = await loadGolden("llama");
  const peft = getPeftModel(model, lora({ r: 8, targetModules: ["down_proj", "embed_tokens"], ...options }), silent);
  const [a, b] = ["lora_A.weight", "lora_B.weight"].map((key) =>
    peft.namedTrainable().get(`base_model.model.model.layers.0.mlp.down_proj.${key}`)!.values(),
  ) as [Float32Array, Float32Array];
  const [embeddingA, embeddingB] = ["A", "B"].map((key) =>
    peft.namedTrainable().get(`base_model.model.model.embed_tokens.lora_embedding_${key}`)!.values(),
  ) as [Float32Array, Float32Array];
  return { peft, a, b, embeddingA, embeddingB };
}

describe("random starts", () => {
  test("true: A is uniform within 1/√in and B zero; on embeddings A is zero and B standard normal", async () => {
    const { a, b, embeddingA, embeddingB } = await started({});
    const bound = 1 / Math.sqrt(56);
    expect(moments(a).most).toBeLessThanOrEqual(bound);
    expect(moments(a).std).toBeCloseTo(bound / Math.sqrt(3), 2);
    expect(moments(b).most).toBe(0);
    expect(moments(embeddingA).most).toBe(0);
    expect(Math.abs(moments(embeddingB).std - 1)).toBeLessThan(0.2);
  });
  test("gaussian: A has standard deviation 1/r and B is zero", async () => {
    const { a, b } = await started({ initLoraWeights: "gaussian" });
    expect(Math.abs(moments(a).std * 8 - 1)).toBeLessThan(0.15);
    expect(moments(b).most).toBe(0);
  });
  test("false: B is uniform within 1/√r, and the output changes", async () => {
    const { b, embeddingA } = await started({ initLoraWeights: false });
    expect(moments(b).most).toBeLessThanOrEqual(1 / Math.sqrt(8));
    expect(moments(b).std).toBeCloseTo(1 / Math.sqrt(24), 1);
    expect(Math.abs(moments(embeddingA).std - 1)).toBeLessThan(0.2);
  });
  test("the same seed gives the same adapter and another seed another", async () => {
    const [one, same, other] = await Promise.all([started({ seed: 3 }), started({ seed: 3 }), started({ seed: 4 })]);
    expect(one.a).toEqual(same.a);
    expect(one.a).not.toEqual(other.a);
  });
});

test("pissa_niter_64 finds nearly as much of the weight as pissa, and changes nothing at the start", async () => {
  const { model } = await loadGolden("llama");
  const batch = batchOf({ sequences: [[5, 6, 7, 8]], labels: [[5, 6, 7, 8]] });
  const plain = model.forward(batch).data;
  const deltas = ["pissa", "pissa_niter_64"].map((initLoraWeights) => {
    const peft = getPeftModel(model, lora({ r: 4, loraAlpha: 4, initLoraWeights, targetModules: ["q_proj"] }), silent);
    expectClose("logits", peft.forward(batch).data, plain, 1e-4, 2e-4);
    const delta = deltaOf(peft, "model.layers.0.self_attn.q_proj", 1);
    peft.dispose();
    return delta;
  });
  const [exact, near] = deltas.map((delta) => Math.hypot(...delta)) as [number, number];
  expect(near).toBeGreaterThan(0.999 * exact); // singular values lie close together in a random weight: vectors may differ
  expect(near).toBeLessThanOrEqual(exact * (1 + 1e-6));
});

test("an adapter that started from the base's principal part is saved and loaded like any other, and merges", async () => {
  const batch = batchOf({ sequences: [[5, 6, 7, 8]], labels: [[5, 6, 7, 8]] });
  const { model } = await loadGolden("llama");
  const peft = getPeftModel(
    model,
    lora({ r: 4, loraAlpha: 8, initLoraWeights: "pissa", targetModules: ["q_proj", "up_proj"] }),
    silent,
  );
  for (const param of peft.namedTrainable().values())
    param.values().set(param.values().map((x, i) => x * (1 + 0.3 * Math.sin(i))));
  const logits = peft.forward(batch).data;
  const files = new Map<string, Uint8Array>();
  await peft.savePretrained(files);
  const again = await PeftModel.fromPretrained((await loadGolden("llama")).model, files, silent);
  expectClose("loaded", again.forward(batch).data, logits, 1e-5, 1e-5);
  expectClose("merged", peft.mergeAndUnload().forward(batch).data, logits, 1e-4, 2e-4);
});
