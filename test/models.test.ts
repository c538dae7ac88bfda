/** What every architecture must keep to, over the files of src/models. */
import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { AutoModelForCausalLM } from "../src/auto/auto-classes.ts";
import { describeModel } from "../src/auto/auto-model.ts";
import { memoryTarget } from "../src/checkpoint/source.ts";
import { FormatError } from "../src/core/errors.ts";
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "../src/core/half.ts";
import { Philox } from "../src/core/random/philox.ts";
import { sizeOf } from "../src/core/shape.ts";
import type { RawConfig } from "../src/nn/config.ts";
import { concatenate, concatenateLabelled, stripPadding, targetsOf } from "../src/nn/pass/sequences.ts";
import type { CausalLM } from "../src/nn/tasks/causal-lm.ts";
import { saveModel } from "../src/nn/tensors/save-model.ts";
import { Tape } from "../src/tape/tape.ts";
import { readElements } from "../src/tensor/elements.ts";
import { createEngine } from "../src/wasm/engine.ts";
import { expectClose } from "./golden-files.ts";
import { expectSlopeAlong } from "./models/slope.ts";
import { tinyConfigs, tinyEncoderDecoders } from "./models/tiny.ts";
import { encoderConfigs } from "./models/tiny-encoders.ts";
import { builds, measure } from "./ops/gradients.ts";

const files = readdirSync(new URL("../src/models", import.meta.url))
  .filter((file) => !file.endsWith(".generated.ts"))
  .map((file) => file.slice(0, -3));

test("every architecture has tiny configs here, named by its model_type", () => {
  const all = { ...tinyConfigs, ...tinyEncoderDecoders, ...encoderConfigs };
  expect(Object.keys(all).sort()).toEqual(files.sort());
  for (const [type, configs] of Object.entries(all)) {
    for (const config of Object.values(configs)) expect(config.model_type).toBe(type);
  }
});

/** Lengths around the count of rows from which the matmul packs, and longer than the tiny windows. */
const lengths = [1, 7, 4, 12];

function randomSequences(config: RawConfig): number[][] {
  const random = new Philox(3);
  return lengths.map((length) => Array.from({ length }, () => random.below(config.vocab_size as number)));
}

/** Norm weights and biases away from one and zero, so that a model which forgets them is found out. */
async function randomModel(config: RawConfig, build: "baseline" | "relaxed"): Promise<CausalLM> {
  const engine = await createEngine({ build });
  const model = await AutoModelForCausalLM.fromConfig(config, { engine, seed: 5 });
  const random = new Philox(11);
  for (const weight of model.namedWeights().values()) {
    const { shape } = weight;
    if (shape.length > 1) continue;
    const values = engine.memory.f32(weight.ptr, sizeOf(shape));
    for (let i = 0; i < values.length; i++) values[i]! += 0.3 * random.normal();
  }
  return model;
}

/** Logits of one sequence, given to a cache in pieces that end where `ends` says. */
function cachedLogits(model: CausalLM, ids: readonly number[], ends: readonly number[]): number[] {
  using cache = model.cache(ids.length);
  return ends.flatMap((end, i) => {
    const piece = concatenate([ids.slice(ends[i - 1] ?? 0, end)]);
    return Tape.once(model.engine, {}, (tape) =>
      Array.from(tape.download(model.logits(tape, piece, undefined, { cache }))),
    );
  });
}

async function saved(model: CausalLM, dtype: "f32" | "f16" | "bf16"): Promise<Map<string, Uint8Array>> {
  const target = memoryTarget();
  await saveModel(model, target, { dtype });
  return target.files;
}

const cases = Object.entries(tinyConfigs).flatMap(([type, configs]) =>
  Object.entries(configs).map(([title, config]) => ({ name: `${type} (${title})`, config })),
);

for (const build of builds) {
  describe.each(cases)(`$name, ${build}`, ({ config }) => {
    const sequences = randomSequences(config);
    const vocabulary = config.vocab_size as number;

    test("logits have one row of the vocabulary a token, all finite", async () => {
      using model = await randomModel(config, build);
      const { data, shape } = model.forward(concatenate(sequences));
      expect(shape).toEqual([lengths.reduce((a, b) => a + b, 0), vocabulary]);
      expect(data).toHaveLength(shape[0]! * shape[1]!);
      expect(data.every(Number.isFinite)).toBe(true);
    });

    test("a batch of many is each of them alone, and padding on either side changes nothing", async () => {
      using model = await randomModel(config, build);
      const together = model.forward(concatenate(sequences)).data;
      const alone = sequences.flatMap((ids) => Array.from(model.forward(concatenate([ids])).data));
      expectClose("logits", together, alone, 2e-5, 2e-5);
      const longest = Math.max(...lengths);
      for (const side of ["left", "right"]) {
        const pad = (row: number[], fill: number) => {
          const padding = Array<number>(longest - row.length).fill(fill);
          return side === "left" ? [...padding, ...row] : [...row, ...padding];
        };
        const ids = sequences.map((row) => pad(row, 1));
        const mask = sequences.map((row) =>
          pad(
            row.map(() => 1),
            0,
          ),
        );
        expect(model.forward(stripPadding(ids, mask)).data).toEqual(together);
      }
    });

    test("no token sees what comes after it", async () => {
      using model = await randomModel(config, build);
      const ids = sequences.at(-1)!;
      const changed = ids.map((id, t) => (t < 8 ? id : (id + 1) % vocabulary));
      const [a, b] = [ids, changed].map((row) => model.forward(concatenate([row])).data);
      expect(a!.subarray(0, 8 * vocabulary)).toEqual(b!.subarray(0, 8 * vocabulary));
      expect(a!.subarray(8 * vocabulary)).not.toEqual(b!.subarray(8 * vocabulary));
    });

    test("a cache changes nothing: token by token, and in pieces of several sizes", async () => {
      using model = await randomModel(config, build);
      const ids = sequences.at(-1)!;
      const whole = model.forward(concatenate([ids])).data;
      for (const ends of [[12], [5, 11, 12], ids.map((_, t) => t + 1)]) {
        expectClose(`cached up to ${ends}`, cachedLogits(model, ids, ends), whole, 2e-5, 2e-5);
      }
    });

    test("a cache of several sequences keeps them apart, whatever their lengths", async () => {
      using model = await randomModel(config, build);
      const rows = sequences.slice(1);
      using cache = model.cache(12, rows.length);
      const step = (pieces: number[][]) =>
        Tape.once(model.engine, {}, (tape) =>
          tape.download(model.logits(tape, concatenate(pieces), undefined, { cache })),
        );
      step(rows.map((ids) => ids.slice(0, -1)));
      const last = step(rows.map((ids) => ids.slice(-1)));
      const want = rows.flatMap((ids) => Array.from(model.forward(concatenate([ids])).data.slice(-vocabulary)));
      expectClose("last logits", last, want, 2e-5, 2e-5);
    });

    test("the gradient reaches every parameter and is that of differences along it", async () => {
      using model = await randomModel(config, build);
      const batch = concatenateLabelled(sequences.map((inputIds) => ({ inputIds, labels: inputIds })));
      const count = targetsOf(batch).rows.length;
      const loss = () =>
        Tape.once(model.engine, {}, (tape) => tape.download(model.loss(tape, batch))).reduce((a, b) => a + b, 0) /
        count;
      const params = model.trainAll();
      const { planned, peak } = measure(model.engine, { recording: true }, (tape) =>
        tape.backward(model.loss(tape, batch), 1 / count),
      );
      expect(peak, "bytes of the run against its plan").toBe(planned);
      for (const param of params) expectSlopeAlong(param, loss);
    });

    test("recording changes no bit of the loss, and a second backward pass adds the same again", async () => {
      using model = await randomModel(config, build);
      const batch = concatenateLabelled(sequences.map((inputIds) => ({ inputIds, labels: inputIds })));
      const plain = Tape.once(model.engine, {}, (tape) => tape.download(model.loss(tape, batch)));
      const params = model.trainAll();
      const backward = () =>
        Tape.once(model.engine, { recording: true }, (tape) => {
          const loss = model.loss(tape, batch);
          const values = tape.download(loss);
          tape.backward(loss, 1);
          return values;
        });
      expectClose("loss", backward(), plain, 1e-6, 1e-6);
      const once = params.map((param) => param.gradient().slice());
      backward();
      params.forEach((param, p) => {
        const scale = Math.max(...once[p]!.map(Math.abs));
        expectClose(
          param.name,
          param.gradient(),
          once[p]!.map((g) => 2 * g),
          1e-5 * scale,
          1e-4,
        );
      });
    });

    test("saved and loaded again it gives the same bits, config and names included", async () => {
      using model = await randomModel(config, build);
      const names = [...model.namedWeights().keys()];
      const files = await saved(model, "f32");
      using engine = await createEngine({ build });
      using loaded = await AutoModelForCausalLM.fromPretrained(files, { engine });
      expect([...loaded.namedWeights().keys()]).toEqual(names);
      expect(loaded.config).toMatchObject(config);
      expect(loaded.forward(concatenate(sequences)).data).toEqual(model.forward(concatenate(sequences)).data);
      const again = await saved(loaded, "f32");
      expect(again.get("model.safetensors")).toEqual(files.get("model.safetensors"));
    });

    test.each(["f16", "bf16"] as const)("loaded from %s it computes with the rounded weights", async (dtype) => {
      using model = await randomModel(config, build);
      const files = await saved(model, dtype);
      using engine = await createEngine({ build });
      using loaded = await AutoModelForCausalLM.fromPretrained(files, { engine });
      const round =
        dtype === "f16" ? (v: Float32Array) => f16ToF32(f32ToF16(v)) : (v: Float32Array) => bf16ToF32(f32ToBf16(v));
      for (const [name, weight] of model.namedWeights()) {
        const values = model.engine.memory.f32(weight.ptr, sizeOf(weight.shape));
        values.set(round(values));
        expect(readElements(engine.memory, loaded.namedWeights().get(name)!), name).toEqual(values.slice());
      }
      const want = model.forward(concatenate(sequences)).data;
      expectClose("logits", loaded.forward(concatenate(sequences)).data, want, 2e-5, 2e-5);
    });
  });
}

describe.each(Object.keys(tinyConfigs))("%s", (type) => {
  const [config] = Object.values(tinyConfigs[type]!) as [RawConfig];

  test("loading needs the size of the file plus at most 10 %", async () => {
    const large = { ...config, vocab_size: 200_000 };
    const model = await AutoModelForCausalLM.fromConfig(large, { fast: true });
    for (const dtype of ["f32", "bf16"] as const) {
      const files = await saved(model, dtype);
      const size = files.get("model.safetensors")!.length;
      expect(size).toBeGreaterThan(9_000_000);
      using loaded = await AutoModelForCausalLM.fromPretrained(files);
      expect(loaded.engine.memory.byteLength / size).toBeLessThan(1.1);
    }
    model.dispose();
  });

  test("disposing gives every byte back", async () => {
    using engine = await createEngine();
    const model = await AutoModelForCausalLM.fromConfig(config, { engine });
    const files = await saved(model, "f32");
    model.trainAll();
    model.forward(concatenate([[1, 2, 3]])).data;
    model.dispose();
    const loaded = await AutoModelForCausalLM.fromPretrained(files, { engine });
    loaded.forward(concatenate([[1, 2, 3]])).data;
    loaded.dispose();
    engine.dispose();
    expect(engine.memory.usedBytes).toBe(0);
  });

  test("its layers can be listed without memory, and are those of a real one", async () => {
    using model = await AutoModelForCausalLM.fromConfig(config);
    const { modules } = (await describeModel(config, "config.json", "CAUSAL_LM")).weights;
    const shapes = (of: CausalLM["modules"]) =>
      Array.from(of, ([name, { kind, weight }]) => [name, kind, weight.shape]);
    expect(shapes(modules)).toEqual(shapes(model.modules));
  });

  test("default targets name layers that exist", async () => {
    using model = await AutoModelForCausalLM.fromConfig(config);
    for (const target of model.targets.linear) {
      expect([...model.modules.keys()].filter((name) => name.endsWith(`.${target}`))).not.toHaveLength(0);
    }
  });

  test("an ill-typed key of the config is named", async () => {
    const numbers = Object.keys(config).filter((key) => typeof config[key] === "number");
    const named = await Promise.all(
      numbers.map(async (key) => {
        const error = await describeModel({ ...config, [key]: "12" }).catch((e: unknown) => e);
        if (error instanceof FormatError) expect(error.message).toContain(`config.json: "${key}" is "12", expected`);
        return error instanceof FormatError;
      }),
    );
    // `initializer_range` is read where random weights are made, by no architecture.
    expect(numbers.filter((_, i) => !named[i])).toEqual(["initializer_range"]);
  });

  test("a sequence longer than the context and an id outside the vocabulary are named", async () => {
    using model = await AutoModelForCausalLM.fromConfig(config);
    expect(() => model.forward(concatenate([Array<number>(33).fill(1)])).data).toThrow(
      "a sequence of 33 tokens is longer than the model's context of 32",
    );
    expect(() => model.forward(concatenate([[1, 53]])).data).toThrow("id 53 at position 1 must be from 0 to 52");
  });
});
