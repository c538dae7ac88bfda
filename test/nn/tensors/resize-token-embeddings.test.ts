import { describe, expect, test } from "vitest";
import { getPeftModel, PeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../../src/auto/auto-classes.ts";
import { StateError } from "../../../src/core/errors.ts";
import { lora } from "../../../src/methods/lora.ts";
import type { CausalLM } from "../../../src/nn/tasks/causal-lm.ts";
import { resizeTokenEmbeddings } from "../../../src/nn/tensors/resize-token-embeddings.ts";
import { saveModel } from "../../../src/nn/tensors/save-model.ts";
import { readElements } from "../../../src/tensor/elements.ts";
import { batchOf, expectClose, loadGolden } from "../../golden-files.ts";

const batch = batchOf({ sequences: [[5, 6, 7, 8]], labels: [[5, 6, 7, 8]] });
const withNew = batchOf({ sequences: [[5, 97, 98, 8]], labels: [[5, 97, 98, 8]] });
const load = async (name: string) => (await loadGolden(name)).model;

function table(model: CausalLM, name: string): { rows: number; width: number; values: Float32Array } {
  const weight = model.namedWeights().get(name)!;
  const [rows, width] = weight.shape as [number, number];
  return { rows, width, values: readElements(model.engine.memory, weight) };
}

/** Mean of the first rows by column. */
function meanOf({ values, width }: { values: Float32Array; width: number }, rows: number): number[] {
  const mean = new Array<number>(width).fill(0);
  for (let i = 0; i < rows * width; i++) mean[i % width]! += values[i]! / rows;
  return mean;
}

for (const name of ["llama", "llama-tied", "llama-bf16", "gpt2"]) {
  test(`${name}: old logits stay, new rows are the old ones' mean, and the folder written is of the new size`, async () => {
    const model = await load(name);
    const before = model.forward(batch).data;
    expect(resizeTokenEmbeddings(model, 101, { padToMultipleOf: 16 })).toBe(112);
    expect(model.vocabSize).toBe(112);
    const after = model.forward(batch).data;
    for (let row = 0; row < 4; row++)
      expect(after.slice(row * 112, row * 112 + 97)).toEqual(before.slice(row * 97, (row + 1) * 97));
    const tables = [...model.namedWeights().keys()].filter((key) => /embed_tokens|wte|lm_head/.test(key));
    expect(tables).toHaveLength(name === "llama" || name === "llama-bf16" ? 2 : 1);
    for (const key of tables) {
      const resized = table(model, key);
      expect(resized.rows).toBe(112);
      const mean = meanOf(resized, 97);
      const tolerance = name === "llama-bf16" ? 4e-3 : 1e-3;
      for (let row = 97; row < 112; row++)
        expectClose(
          key,
          resized.values.slice(row * resized.width, (row + 1) * resized.width),
          mean,
          tolerance,
          tolerance,
        );
    }
    const files = new Map<string, Uint8Array>();
    await saveModel(model, files);
    using opened = await AutoModelForCausalLM.fromPretrained(files);
    expect(opened.config.vocab_size).toBe(112);
    expectClose("opened", opened.forward(withNew).data, model.forward(withNew).data, 1e-4, 1e-4);
  });
}

test("new rows vary as the old ones do, by 10⁻⁹ of their covariance, and follow the seed", async () => {
  const model = await load("llama");
  const { width, values } = table(model, "model.embed_tokens.weight");
  const mean = meanOf({ values, width }, 97);
  const variance = values.reduce((sum, x, i) => sum + (x - mean[i % width]!) ** 2, 0) / 97 / width;
  resizeTokenEmbeddings(model, 97 + 400, { seed: 3 });
  const drawn = table(model, "model.embed_tokens.weight").values.slice(97 * width);
  const spread = drawn.reduce((sum, x, i) => sum + (x - mean[i % width]!) ** 2, 0) / 400 / width;
  expect(spread / (1e-9 * variance)).toBeGreaterThan(0.9);
  expect(spread / (1e-9 * variance)).toBeLessThan(1.1);
});

test("without mean resizing new rows have the config's deviation; fewer rows are cut off the end", async () => {
  const model = await load("llama");
  const before = table(model, "model.embed_tokens.weight");
  resizeTokenEmbeddings(model, 97 + 200, { meanResizing: false });
  const { values, width } = table(model, "model.embed_tokens.weight");
  const drawn = values.slice(97 * width);
  expect(Math.sqrt(drawn.reduce((sum, x) => sum + x * x, 0) / drawn.length)).toBeCloseTo(0.02, 2);
  resizeTokenEmbeddings(model, 50);
  expect(table(model, "model.embed_tokens.weight").values).toEqual(before.values.slice(0, 50 * width));
  expect(() => resizeTokenEmbeddings(model, 0)).toThrow('"rows" is 0, expected a whole number of at least 1');
});

describe("adapters", () => {
  test("a model with adapters is not resized, and can be once they are gone", async () => {
    const model = await load("llama");
    const peft = getPeftModel(model, lora());
    expect(() => resizeTokenEmbeddings(model, 100)).toThrow(StateError);
    peft.unload();
    resizeTokenEmbeddings(model, 100);
    peft.addAdapter("later", lora({ targetModules: ["lm_head"] }));
    peft.setAdapter("later");
    expect(peft.forward(batch).data).toHaveLength(400);
    peft.dispose();
    expect(model.forward(batch).data).toHaveLength(400);
  });

  test.each([
    ["trained rows", lora({ targetModules: ["q_proj"], trainableTokenIndices: [97, 98] })],
    ["copied tables", lora({ targetModules: ["q_proj"], modulesToSave: ["embed_tokens", "lm_head"] })],
    ["an adapted table", lora({ targetModules: ["embed_tokens", "q_proj"] })],
  ])("%s are saved, and loaded on another base that was resized with other draws", async (_, config) => {
    const model = await load("llama");
    resizeTokenEmbeddings(model, 101, { seed: 1 });
    const peft = getPeftModel(model, config, { onWarning: () => {} });
    const files = new Map<string, Uint8Array>();
    await peft.savePretrained(files);
    const other = await load("llama");
    resizeTokenEmbeddings(other, 101, { seed: 2 });
    const again = await PeftModel.fromPretrained(other, files, { onWarning: () => {} });
    expectClose("outputs", again.forward(withNew).data, peft.forward(withNew).data, 1e-3, 1e-3);
  });
});
