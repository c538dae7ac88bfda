/** A load of a model that fails, wherever it does, leaves nothing in memory and no threads. */
import { expect, test, vi } from "vitest";
import { loadPretrained, modelFromConfig } from "../src/auto/auto-model.ts";
import type { Source } from "../src/core/host.ts";
import { saveModel } from "../src/nn/tensors/save-model.ts";
import { createEngine, Engine } from "../src/wasm/engine.ts";
import { expectNothingKept } from "./failing-loads.ts";
import { tinyConfigs, tinyEncoderDecoders } from "./models/tiny.ts";
import { encoderConfigs } from "./models/tiny-encoders.ts";

const all = { ...tinyConfigs, ...tinyEncoderDecoders, ...encoderConfigs };
const quiet = { onWarning: () => {} };

test.each(Object.entries(all))("%s", async (_, configs) => {
  using engine = await createEngine({ build: "baseline" });
  const [config] = Object.values(configs);
  const files = new Map<string, Uint8Array>();
  const made = await modelFromConfig(config!, null, { engine, seed: 1 });
  await saveModel(made, files);
  made.dispose();
  for (const options of [{}, { trainable: true }, { weights: "int8" }, { weights: "nf4" }] as const) {
    await expectNothingKept(engine, files, (source: Source) =>
      loadPretrained(source, null, { engine, ...quiet, ...options }),
    );
  }
  for (const options of [{}, { weights: "int8" }] as const) {
    await expectNothingKept(engine, new Map([["x", new Uint8Array()]]), async (source) => {
      await source.has("x");
      return modelFromConfig(config!, null, { engine, ...options });
    });
  }
});

test("an engine that was made for a model ends with a load that fails", async () => {
  const [config] = Object.values(tinyConfigs.llama!);
  const made = await modelFromConfig(config!, null, { seed: 1 });
  const files = new Map<string, Uint8Array>();
  await saveModel(made, files);
  made.dispose();
  const ended = vi.spyOn(Engine.prototype, "dispose");
  const load = (changed: Record<string, string>, options = {}) => {
    ended.mockClear();
    const texts = Object.entries(changed).map(([file, text]) => [file, new TextEncoder().encode(text)] as const);
    return loadPretrained(new Map([...files, ...texts]), null, { ...quiet, ...options });
  };
  const wider = JSON.stringify({ ...config, hidden_size: 48 });
  await expect(load({ "config.json": wider })).rejects.toThrow("do not fit");
  expect(ended).toHaveBeenCalledOnce();
  await expect(load({ "generation_config.json": "{" })).rejects.toThrow("generation_config.json");
  expect(ended).toHaveBeenCalledOnce();
  const fails = () => Promise.reject(new RangeError("from the callback"));
  await expect(load({}, { onProgress: fails })).rejects.toThrow("from the callback");
  expect(ended).toHaveBeenCalledOnce();
  ended.mockClear();
  await expect(modelFromConfig({ ...config!, hidden_size: -1 }, null)).rejects.toThrow();
  expect(ended.mock.calls.length, "none is made, or it ends").toBeLessThanOrEqual(1);
  ended.mockRestore();
});
