/** What every PEFT method must keep to, over the files of src/methods. */
import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseConfig, readConfig, writeConfig } from "../src/adapt/files/config-file.ts";
import { type Method, type MethodConfig, methodName, optionsOf } from "../src/adapt/method/define-method.ts";
import { getPeftModel, PeftModel } from "../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../src/auto/auto-classes.ts";
import { UnsupportedError } from "../src/core/errors.ts";
import { Philox } from "../src/core/random/philox.ts";
import { concatenateLabelled } from "../src/nn/pass/sequences.ts";
import type { CausalLM } from "../src/nn/tasks/causal-lm.ts";
import { AdamW } from "../src/optim/adamw.ts";
import { Tape } from "../src/tape/tape.ts";
import { storedBytes } from "../src/tensor/elements.ts";
import type { Param } from "../src/tensor/tensor.ts";
import { createEngine } from "../src/wasm/engine.ts";
import type { Variant } from "./methods/variant.ts";

const config = {
  model_type: "llama",
  vocab_size: 50,
  hidden_size: 24,
  intermediate_size: 36,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 32,
  attention_bias: true,
  mlp_bias: true,
  initializer_range: 0.25,
};
const batch = concatenateLabelled([
  { inputIds: [3, 9, 27, 31, 43, 29, 7], labels: [3, 9, 27, 31, 43, 29, 7] },
  { inputIds: [11, 21, 13], labels: [-100, 21, 13] },
]);
const LABELS = 8;
async function freshBase(): Promise<CausalLM> {
  return AutoModelForCausalLM.fromConfig(config, { engine: await createEngine({ build: "baseline" }), seed: 1 });
}

/** Values that training could have led to, every one different from the start. */
function scramble(model: PeftModel, seed = 5): void {
  const random = new Philox(seed);
  for (const param of model.namedTrainable().values())
    param.values().set(param.values().map((x) => x + 0.15 * random.normal()));
}

/** With what a method adds to the loss of training. */
function lossOf(model: PeftModel): number {
  return Tape.once(
    model.engine,
    { recording: true },
    (tape) => tape.download(model.loss(tape, batch)).reduce((sum, x) => sum + x, 0) / LABELS,
  );
}

function backward(model: PeftModel): void {
  for (const param of model.namedTrainable().values()) param.gradient().fill(0);
  Tape.once(model.engine, { recording: true }, (tape) => tape.backward(model.loss(tape, batch), 1 / LABELS));
}

function baseBytes(model: CausalLM): Map<string, Uint8Array> {
  return new Map(
    Array.from(model.namedWeights(), ([name, weight]) => [name, storedBytes(model.engine.memory, weight).slice()]),
  );
}

function furthest(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
}

/** The slope of the loss along `direction`, by central differences, and by the gradient. */
function slopes(
  model: PeftModel,
  param: Param,
  direction: Float32Array,
  reach: number,
): { measured: number; predicted: number } {
  const start = param.values().slice();
  const at = (step: number) => {
    param.values().set(start.map((x, i) => x + step * direction[i]!));
    return lossOf(model);
  };
  const measured = (at(reach) - at(-reach)) / (2 * reach);
  param.values().set(start);
  return { measured, predicted: param.gradient().reduce((sum, g, i) => sum + g * direction[i]!, 0) };
}

/** The gradient's own direction, and one of random signs beside it. */
function directions(param: Param): Float32Array[] {
  const random = new Philox(9);
  const gradient = param.gradient().slice();
  const length = Math.hypot(...gradient);
  const along = gradient.map((g) => g / length);
  const mixed = along.map((g) => g + (random.uniform() < 0.5 ? -1 : 1) / Math.sqrt(param.size));
  return [along, mixed];
}

const folder = new URL("../src/methods/", import.meta.url);
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".generated.ts"))
  .map((file) => file.slice(0, -3));

test("src/methods has methods", () => expect(names).toContain("lora"));

describe.each(names)("%s", async (name) => {
  const exported: Record<string, unknown> = await import(new URL(`${name}.ts`, folder).href);
  const method = Object.values(exported).find((value) => typeof (value as Method).peftType === "string") as Method;

  const none = { variants: [] as readonly Variant[] };
  const { variants }: typeof none = await import(`./methods/${name}.ts`).catch(() => none);

  test("has its variants in test/methods", () => expect(variants.length).toBeGreaterThan(0));

  test("is one export of the file that bears its name, and says what it is", () => {
    expect(methodName(method)).toBe(name);
    const { title, paper, equation, when } = method.about;
    for (const text of [title, paper, equation, when]) expect(text.length).toBeGreaterThan(2);
    expect(Object.values(exported).filter((value) => typeof (value as Method).peftType === "string")).toHaveLength(1);
  });

  test("every option survives the file: camelCase to snake_case and back", () => {
    const given = {
      targetModules: ["q_proj"],
      modulesToSave: ["norm"],
      layersToTransform: [1],
      layersPattern: ["layers"],
      ...variants[0]?.options,
    };
    const known = Object.entries(given).filter(([option]) => Object.hasOwn(optionsOf(method), option));
    const chosen = method(Object.fromEntries(known));
    const text = writeConfig(chosen, { modelType: "llama", architecture: "LlamaForCausalLM" });
    const { keys, peftType } = parseConfig(text, "the file");
    const read = readConfig(method, keys, "the file", (warning) => expect.fail(warning));
    expect(peftType).toBe(method.peftType);
    const comparable = ({ values }: MethodConfig) => {
      const { targetModules } = values;
      return {
        ...values,
        seed: 0,
        targetModules: Array.isArray(targetModules) ? [...targetModules].sort() : targetModules,
      };
    };
    expect(comparable(read)).toEqual(comparable(chosen));
    expect(Object.keys(optionsOf(method)).filter((option) => !(option in read.values))).toEqual([]);
  });

  describe.each(variants)("$title", (variant) => {
    const { options, heldConstant, silent, changesAtStart = false, merges = true, reloads = true } = variant;
    const chosen = (): MethodConfig => method(options);
    const adapted = (base: CausalLM) => getPeftModel(base, chosen(), { onWarning: () => {}, seed: 2 });

    test.skipIf(changesAtStart)("a fresh adapter changes nothing", async () => {
      const base = await freshBase();
      const before = base.forward(batch).data;
      expect(furthest(adapted(base).forward(batch).data, before)).toBeLessThan(2e-4);
    });

    test("gradients are the slopes of the loss", async () => {
      const model = adapted(await freshBase());
      scramble(model);
      backward(model);
      for (const [key, param] of model.namedTrainable()) {
        if (heldConstant?.test(key)) continue;
        for (const direction of directions(param)) {
          const { measured, predicted } = slopes(model, param, direction, 4e-3);
          const allowed = 5e-4 + 0.01 * Math.abs(predicted);
          expect(
            Math.abs(measured - predicted),
            `${key}: slope ${measured}, by the gradient ${predicted}`,
          ).toBeLessThan(allowed);
        }
      }
    });

    test("training moves every trainable tensor and nothing of the base", async () => {
      const base = await freshBase();
      const before = baseBytes(base);
      const model = adapted(base);
      scramble(model);
      const start = new Map(Array.from(model.namedTrainable(), ([key, param]) => [key, param.values().slice()]));
      backward(model);
      const optimizer = new AdamW(model.engine, model.namedTrainable());
      optimizer.step(0.01, 1);
      for (const [key, param] of model.namedTrainable()) {
        const moved = param.values().some((x, i) => x !== start.get(key)![i]);
        // Keys' biases cannot matter: softmax ignores what all scores share.
        if (!key.includes("k_proj.") && !silent?.test(key)) expect(moved, key).toBe(true);
      }
      model.dispose();
      expect(baseBytes(base)).toEqual(before);
    });

    test.skipIf(merges)("merging is refused, and says what to do", async () => {
      const model = adapted(await freshBase());
      expect(() => model.mergeAdapter()).toThrow(UnsupportedError);
    });

    test.skipIf(!merges)("folding equals applying", async () => {
      const model = adapted(await freshBase());
      scramble(model);
      const applied = model.forward(batch).data;
      expect(
        furthest(
          applied,
          model.disableAdapter(() => model.forward(batch).data),
        ),
      ).toBeGreaterThan(1e-2);
      model.mergeAdapter({ safeMerge: true });
      expect(furthest(model.forward(batch).data, applied)).toBeLessThan(2e-4);
      const merged = model.mergeAndUnload();
      expect(furthest(merged.forward(batch).data, applied)).toBeLessThan(2e-4);
    });

    test("saving and loading is exact", async () => {
      const model = adapted(await freshBase());
      scramble(model);
      const files = new Map<string, Uint8Array>();
      await model.savePretrained(files);
      const again = await PeftModel.fromPretrained(await freshBase(), files, {
        isTrainable: true,
        onWarning: () => {},
      });
      expect(again.forward(batch).data).toEqual(model.forward(batch).data);
      if (!reloads) return; // what was trained is not what is saved
      expect(new Map(Array.from(again.namedTrainable(), ([key, param]) => [key, param.values().slice()]))).toEqual(
        new Map(Array.from(model.namedTrainable(), ([key, param]) => [key, param.values().slice()])),
      );
      const twice = new Map<string, Uint8Array>();
      await again.savePretrained(twice);
      expect(twice).toEqual(files);
    });

    test("taking it off restores the base bit for bit, after disabling, merging and unmerging", async () => {
      const base = await freshBase();
      const before = base.forward(batch).data;
      const bytes = baseBytes(base);
      const used = base.engine.memory.usedBytes;
      const model = adapted(base);
      scramble(model);
      const applied = model.forward(batch).data;
      expect(model.disableAdapter(() => model.forward(batch).data)).toEqual(before);
      if (merges) {
        model.mergeAdapter();
        expect(model.disableAdapter(() => model.forward(batch).data)).toEqual(before);
        model.unmergeAdapter();
      }
      expect(model.forward(batch).data).toEqual(applied);
      expect(model.unload().forward(batch).data).toEqual(before);
      expect(baseBytes(base)).toEqual(bytes);
      expect(
        base.engine.memory.usedBytes - used,
        "bytes not given back, but for the step's working memory",
      ).toBeLessThan(1 << 20);
    });
  });
});
