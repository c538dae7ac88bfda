/** Configs without sense: every model refuses them by name, before anything is filled, or runs with finite numbers. */
import { describe, expect, test } from "vitest";
import { AutoModelForCausalLM } from "../src/auto/auto-classes.ts";
import { modelFromConfig } from "../src/auto/auto-model.ts";
import { FormatError, ShapeError, StateError, UnsupportedError } from "../src/core/errors.ts";
import { concatenate } from "../src/nn/pass/sequences.ts";
import type { CausalLM } from "../src/nn/tasks/causal-lm.ts";
import { createEngine, type Engine } from "../src/wasm/engine.ts";
import { bases, classes } from "./golden-configs.ts";
import { tinyConfigs } from "./models/tiny.ts";

const HOSTILE = [-1, 0, 0.5, 7, 1e9, 2 ** 31 - 1, 1e308, Number.NaN, "3", null, [], {}, true, [null]];
const MOST = 16e6;
const NAMED = [FormatError, ShapeError, StateError, UnsupportedError];
const { common: _, ...byType } = classes;

/** The numbers of a config, and those that its class has. */
function numericKeys(type: string): string[] {
  const all = { ...byType[type]!.keys, ...bases[type], initializer_range: 0.02, num_labels: 2, rope_theta: 1e4 };
  return Object.entries(all).flatMap(([key, value]) => (typeof value === "number" ? [key] : []));
}

describe.each(Object.keys(byType))("%s", (type) => {
  test("a number without sense is refused by name, or changes nothing for the worse", async () => {
    let engine: Engine | null = null;
    let refused = 0;
    for (const key of numericKeys(type)) {
      for (const value of HOSTILE) {
        if (engine === null || engine.memory.usedBytes > MOST / 2) {
          engine?.dispose();
          engine = await createEngine({ threads: 1, maxBytes: MOST, build: "baseline" });
        }
        try {
          const raw = { ...bases[type], model_type: type, [key]: value };
          const model = await modelFromConfig(raw, null, { engine, fast: true });
          if (model.task === "CAUSAL_LM" || model.task === "FEATURE_EXTRACTION")
            if (model.inputKinds.length === 0) (model as CausalLM).forward(concatenate([[1, 2, 3]])); // throws unless it is finite
          model.dispose();
        } catch (error) {
          refused++;
          expect(
            NAMED.some((known) => error instanceof known),
            `${key}: ${JSON.stringify(value)}: ${error}`,
          ).toBe(true);
        }
      }
    }
    expect(refused).toBeGreaterThan(30);
    engine?.dispose();
  }, 120_000);
});

test("a model that is too large for the engine is refused before any of it is filled", async () => {
  const [llama] = Object.values(tinyConfigs.llama!);
  const engine = await createEngine({ threads: 1, maxBytes: 512e6 });
  const filled: number[] = [];
  const f32 = engine.memory.f32.bind(engine.memory);
  engine.memory.f32 = (ptr, length) => {
    filled.push(length);
    return f32(ptr, length);
  };
  const large = AutoModelForCausalLM.fromConfig({ ...llama, vocab_size: 2_000_000, hidden_size: 64 }, { engine });
  await expect(large).rejects.toThrow(/of at most 512 MB are in use/);
  expect(filled).toEqual([]);
  engine.dispose();
});
