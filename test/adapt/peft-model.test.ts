/** Named adapters on one model: adding, loading, switching, merging, saving. */
import { describe, expect, test } from "vitest";
import { describeAdapter } from "../../src/adapt/describe.ts";
import { getPeftModel, PeftModel } from "../../src/adapt/peft-model.ts";
import { describeModel } from "../../src/auto/auto-model.ts";
import { FormatError, ShapeError, StateError, UnsupportedError } from "../../src/core/errors.ts";
import { Philox } from "../../src/core/philox.ts";
import { lora } from "../../src/methods/lora.ts";
import type { CausalLM } from "../../src/nn/tasks/causal-lm.ts";
import { Tape } from "../../src/tape/tape.ts";
import { storedBytes } from "../../src/tensor/elements.ts";
import { batchOf, expectClose, GOLDEN, loadGolden } from "../golden-files.ts";

const sequences = [
  [5, 6, 7, 8, 9, 10],
  [20, 30, 40],
];
const batch = batchOf({ sequences, labels: sequences });
const silent = { onWarning: () => {} };
const q = lora({ r: 4, loraAlpha: 12, targetModules: ["q_proj"] });
const v = lora({ r: 2, loraAlpha: 3, targetModules: ["v_proj", "q_proj"] });

async function base(name = "llama"): Promise<CausalLM> {
  return (await loadGolden(name)).model;
}

/** Gives an adapter values that training could have led to. */
function scramble(model: PeftModel, name: string, seed = 5): void {
  const random = new Philox(seed);
  const state = model.adapterState(name);
  for (const values of state.values()) values.set(values.map((x) => x + 0.2 * random.normal()));
  model.loadAdapterState(name, state);
}

function weightBytes(model: CausalLM): Map<string, Uint8Array> {
  return new Map(
    Array.from(model.namedWeights(), ([name, weight]) => [name, storedBytes(model.engine.memory, weight).slice()]),
  );
}

async function saved(model: PeftModel): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  await model.savePretrained(files);
  return files;
}

async function twoAdapters(name = "llama"): Promise<{ model: PeftModel; plain: CausalLM }> {
  const plain = await base(name);
  const model = getPeftModel(plain, q, silent);
  model.addAdapter("other", v);
  scramble(model, "default", 1);
  scramble(model, "other", 2);
  return { model, plain };
}

/** "default" has magnitudes, "other" has not, and both adapt the same layers. */
async function withMagnitudes(): Promise<{ model: PeftModel }> {
  const plain = await base("llama-bias");
  const targetModules = ["q_proj", "down_proj"];
  const model = getPeftModel(plain, lora({ r: 4, loraAlpha: 12, useDora: true, targetModules }), silent);
  model.addAdapter("other", lora({ r: 2, loraAlpha: 3, targetModules }));
  scramble(model, "default", 1);
  scramble(model, "other", 2);
  return { model };
}

describe("several adapters", () => {
  test("a fresh model has one adapter, active and trainable; an added one is neither", async () => {
    const { model } = await twoAdapters();
    expect(model.activeAdapters).toEqual(["default"]);
    expect([...model.peftConfig.keys()]).toEqual(["default", "other"]);
    expect([...model.namedTrainable().keys()].every((key) => key.includes("q_proj.lora_"))).toBe(true);
  });

  test("active and trainable are apart: activating trains nothing, training activates nothing", async () => {
    const { model } = await twoAdapters();
    model.setAdapter("other");
    expect(model.namedTrainable().size).toBe(0);
    model.setTrainable("other", true);
    expect(model.namedTrainable().size).toBe(8);
    model.setAdapter("default");
    expect(model.activeAdapters).toEqual(["default"]);
    expect(model.namedTrainable().size).toBe(4);
    model.setAdapter(["default", "other"]);
    expect([...model.namedTrainable().keys()].map((key) => key.split("/")[0])).toEqual([
      ...Array(4).fill("default"),
      ...Array(8).fill("other"),
    ]);
  });

  test("two active adapters add up, in either order, and one alone is as if the other were not there", async () => {
    const { model, plain } = await twoAdapters();
    const one = model.forward(batch);
    model.setAdapter(["default", "other"]);
    const both = model.forward(batch);
    model.setAdapter(["other", "default"]);
    expectClose("the other order", model.forward(batch), both, 1e-4, 1e-4);
    model.mergeAdapter();
    expectClose("merged", model.forward(batch), both, 1e-4, 1e-4);
    model.unmergeAdapter();
    model.setAdapter("default");
    expect(model.forward(batch)).toEqual(one);
    model.setAdapter([]);
    const bare = model.forward(batch);
    model.dispose();
    expect(plain.forward(batch)).toEqual(bare);
  });

  test("an adapter with magnitudes acts on what was activated before it, and not on what comes after", async () => {
    const { model } = await withMagnitudes();
    const [lowFirst, magnitudesFirst] = [
      ["other", "default"],
      ["default", "other"],
    ].map((names) => {
      model.setAdapter(names);
      const applied = model.forward(batch);
      model.mergeAdapter(); // folding is one after the other by itself
      expectClose("merged", model.forward(batch), applied, 1e-4, 1e-4);
      return applied;
    });
    expect(lowFirst!.some((x, i) => Math.abs(x - magnitudesFirst![i]!) > 0.01)).toBe(true);
  });

  for (const names of [
    ["default", "other"],
    ["other", "default"],
  ]) {
    test(`gradients reach two adapters at once, ${names.join(" below ")}`, async () => {
      const { model } = await withMagnitudes();
      model.setTrainable(names, true);
      model.setAdapter(names);
      const lossOf = () =>
        Tape.once(model.engine, {}, (tape) => tape.download(model.loss(tape, batch)).reduce((sum, x) => sum + x, 0));
      for (const param of model.namedTrainable().values()) param.gradient().fill(0);
      Tape.once(model.engine, { recording: true }, (tape) => tape.backward(model.loss(tape, batch), 1));
      for (const [key, param] of model.namedTrainable()) {
        if (/^default.*lora_[AB]/.test(key)) continue; // the norm is a constant for the gradient, but not for the loss
        const start = param.values().slice();
        const length = Math.hypot(...param.gradient());
        const along = param.gradient().map((g) => g / length);
        const at = (step: number) => {
          param.values().set(start.map((x, i) => x + step * along[i]!));
          return lossOf();
        };
        const measured = (at(4e-3) - at(-4e-3)) / 8e-3;
        param.values().set(start);
        expect(Math.abs(measured / length - 1), `${key}: slope ${measured}, by the gradient ${length}`).toBeLessThan(
          0.01,
        );
      }
    });
  }

  test("a deleted adapter is gone, and the first of the rest becomes active", async () => {
    const { model } = await twoAdapters();
    const used = model.engine.memory.usedBytes;
    model.deleteAdapter("default");
    expect(model.activeAdapters).toEqual(["other"]);
    expect(model.engine.memory.usedBytes).toBeLessThan(used);
    expect(() => model.setAdapter("default")).toThrow('there is no adapter "default", there are "other"');
    model.deleteAdapter("other");
    expect(model.activeAdapters).toEqual([]);
    model.addAdapter("default", q);
  });

  test("an inactive adapter can be deleted, a merged one cannot", async () => {
    const { model } = await twoAdapters();
    const logits = model.forward(batch);
    model.deleteAdapter("other");
    expect(model.forward(batch)).toEqual(logits);
    model.mergeAdapter();
    expect(() => model.deleteAdapter("default")).toThrow(StateError);
    expect(() => model.addAdapter("late", v)).toThrow("are merged: unmerge them before adding");
  });

  test("names are taken once, and are folder names", async () => {
    const { model } = await twoAdapters();
    expect(() => model.addAdapter("other", v)).toThrow('there is an adapter "other" already');
    expect(() => model.addAdapter("a/b", v)).toThrow(FormatError);
  });

  test("only one adapter may train biases, and only one active one may have its own copy of a layer", async () => {
    const model = getPeftModel(await base("llama-bias"), lora({ bias: "all" }), silent);
    expect(() => model.addAdapter("other", lora({ bias: "lora_only" }))).toThrow("both train biases");
    const heads = getPeftModel(await base(), lora({ modulesToSave: ["lm_head"] }), silent);
    heads.addAdapter("other", lora({ modulesToSave: ["lm_head"] }));
    expect(() => heads.setAdapter(["default", "other"])).toThrow('own copy of "lm_head"');
    heads.setAdapter("other");
  });

  test("a failed adapter leaves nothing behind", async () => {
    const model = getPeftModel(await base(), q, silent);
    const used = model.engine.memory.usedBytes;
    expect(() => model.addAdapter("norms", lora({ targetModules: ["q_proj", "norm"] }))).toThrow(UnsupportedError);
    expect(() => model.addAdapter("wide", lora({ r: 33, initLoraWeights: "pissa" }))).toThrow(ShapeError);
    expect(model.engine.memory.usedBytes).toBe(used);
    expect([...model.peftConfig.keys()]).toEqual(["default"]);
  });
});

describe("disabling", () => {
  test("gives the base's output bit for bit, nested, in promises and after errors, and then the adapter's again", async () => {
    const { model } = await twoAdapters();
    const plain = (await base()).forward(batch);
    const applied = model.forward(batch);
    model.disableAdapter(() => {
      expect(model.forward(batch)).toEqual(plain);
      model.disableAdapter(() => expect(model.forward(batch)).toEqual(plain));
      expect(model.adaptersEnabled).toBe(false);
      expect(model.forward(batch)).toEqual(plain);
    });
    expect(model.forward(batch)).toEqual(applied);
    const waited = model.disableAdapter(async () => {
      await Promise.resolve();
      return model.forward(batch);
    });
    expect(await waited).toEqual(plain);
    expect(model.adaptersEnabled).toBe(true);
    expect(() =>
      model.disableAdapter(() => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(model.forward(batch)).toEqual(applied);
  });

  test("also switches off trained biases and copied modules", async () => {
    const plain = await base("llama-bias");
    const before = plain.forward(batch);
    const model = getPeftModel(plain, lora({ bias: "all", modulesToSave: ["norm"] }), silent);
    scramble(model, "default");
    expect(model.forward(batch)).not.toEqual(before);
    expect(model.disableAdapter(() => model.forward(batch))).toEqual(before);
  });
});

describe("merging", () => {
  for (const name of ["llama", "llama-f16", "llama-bf16", "gpt2"]) {
    test(`${name}: unmerging gives back every byte, and merging again the same merged weights`, async () => {
      const plain = await base(name);
      const before = weightBytes(plain);
      const targetModules = name === "gpt2" ? ["c_attn", "c_proj", "wte"] : ["q_proj", "down_proj", "embed_tokens"];
      const model = getPeftModel(plain, lora({ r: 4, loraAlpha: 12, useDora: true, targetModules }), silent);
      scramble(model, "default");
      model.mergeAdapter();
      const merged = weightBytes(plain);
      expect(merged).not.toEqual(before);
      model.unmergeAdapter();
      expect(weightBytes(plain)).toEqual(before);
      model.mergeAdapter({ safeMerge: true });
      expect(weightBytes(plain)).toEqual(merged);
      model.mergeAndUnload();
      expect(weightBytes(plain)).toEqual(merged);
    });
  }

  test("merged weights of a bf16 base are rounded once: they are the nearest to the exact sum", async () => {
    const { model, plain } = await twoAdapters("llama-bf16");
    model.setAdapter(["default", "other"]);
    const exact = model.forward(batch);
    model.mergeAdapter();
    expectClose("logits", model.forward(batch), exact, 0.2, 0.02);
    expect(plain.namedWeights().get("model.layers.0.self_attn.q_proj.weight")!.dtype).toBe("bf16");
  });

  test("merging twice is once, and a second adapter can be merged on top", async () => {
    const { model } = await twoAdapters();
    const warnings: string[] = [];
    const warned = await PeftModel.fromPretrained(await base(), await saved(model), {
      onWarning: (w) => warnings.push(w),
    });
    warned.mergeAdapter();
    const once = warned.forward(batch);
    warned.mergeAdapter();
    expect(warnings).toEqual(["all adapters are already merged, nothing to do"]);
    expect(warned.forward(batch)).toEqual(once);
    model.setAdapter(["default", "other"]);
    const both = model.forward(batch);
    model.mergeAdapter({ adapterNames: ["other"] });
    expect(model.mergedAdapters).toEqual(["other"]);
    expectClose("one merged, one applied", model.forward(batch), both, 1e-4, 1e-4);
    model.mergeAdapter({ adapterNames: ["default"] });
    expectClose("both merged", model.forward(batch), both, 1e-4, 1e-4);
    model.setAdapter("default");
    expect(model.mergedAdapters).toEqual([]);
  });

  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    test(`a safe merge of an adapter with ${bad} is refused and changes nothing`, async () => {
      const { model, plain } = await twoAdapters();
      model.mergeAdapter({ adapterNames: ["other"] });
      const before = weightBytes(plain);
      const state = model.adapterState("default");
      [...state.values()].at(-1)![0] = bad;
      model.loadAdapterState("default", state);
      expect(() => model.mergeAdapter({ safeMerge: true })).toThrow(
        /NaNs detected in the merged weights of "model.layers.1.self_attn.q_proj".*"default" seems to be broken/,
      );
      expect(weightBytes(plain)).toEqual(before);
      expect(model.mergedAdapters).toEqual(["other"]);
    });
  }

  test("what overflows the base's half precision is refused too", async () => {
    const model = getPeftModel(await base("llama-f16"), q, silent);
    const state = model.adapterState("default");
    for (const values of state.values()) values.fill(300);
    model.loadAdapterState("default", state);
    expect(() => model.mergeAdapter({ safeMerge: true })).toThrow("NaNs detected");
  });

  test("copied modules and trained biases become the base's own", async () => {
    const plain = await base("llama-bias");
    const model = getPeftModel(plain, lora({ bias: "all", modulesToSave: ["lm_head", "norm"] }), silent);
    scramble(model, "default");
    const applied = model.forward(batch);
    expectClose("merged", model.mergeAndUnload().forward(batch), applied, 1e-4, 1e-4);
    expect(plain.config.tie_word_embeddings).toBe(false);
  });

  test("a bias of an adapter's own is folded into one that another adapter trains, when merging for good", async () => {
    const plain = await base("llama-bias");
    const model = getPeftModel(plain, lora({ loraBias: true }), silent);
    model.addAdapter("other", lora({ bias: "all", targetModules: ["o_proj"] }));
    scramble(model, "default", 1);
    scramble(model, "other", 2);
    model.setAdapter(["default", "other"]);
    const applied = model.forward(batch);
    expect(() => model.mergeAdapter()).toThrow("is trained by another active adapter");
    expect(model.forward(batch)).toEqual(applied);
    expectClose("merged", model.mergeAndUnload({ safeMerge: true }).forward(batch), applied, 1e-4, 1e-4);
    expect(() => lora({ loraBias: true, bias: "all" })).toThrow(UnsupportedError);
  });

  test("a trained copy of a tied head is untied by merging, and the config says so", async () => {
    const plain = await base("llama-tied");
    const warnings: string[] = [];
    const model = getPeftModel(plain, lora({ modulesToSave: ["lm_head"] }), { onWarning: (w) => warnings.push(w) });
    expect(warnings.join()).toContain('"lm_head" is tied to the embedding');
    scramble(model, "default");
    const applied = model.forward(batch);
    const embedding = weightBytes(plain).get("model.embed_tokens.weight")!;
    const merged = model.mergeAndUnload();
    expectClose("merged", merged.forward(batch), applied, 1e-4, 1e-4);
    expect(merged.config.tie_word_embeddings).toBe(false);
    expect([...merged.namedWeights().keys()]).toContain("lm_head.weight");
    expect(weightBytes(plain).get("model.embed_tokens.weight")).toEqual(embedding);
  });
});

describe("counting", () => {
  test("is printed in PEFT's words", async () => {
    const model = getPeftModel(await base(), q, silent);
    expect(model.getNbTrainableParameters().trainable).toBe(2 * (4 * 32 + 32 * 4));
    expect(model.describeTrainable()).toMatch(
      /^trainable params: 512 \|\| all params: 23776 \|\| trainable%: 2\.153432032301\d+$/,
    );
    expect(model.describeTrainable({ spelling: "grouped" })).toBe(
      "trainable params: 512 || all params: 23,776 || trainable%: 2.1534",
    );
  });
  test("takes a tied weight once, a copied module as new, a trained bias as the base's own", async () => {
    const count = async (name: string, options: Parameters<typeof lora>[0]) =>
      getPeftModel(await base(name), lora(options), silent).getNbTrainableParameters();
    const tied = await count("llama-tied", { r: 1, targetModules: ["q_proj"] });
    expect((await count("llama", { r: 1, targetModules: ["q_proj"] })).all - tied.all).toBe(97 * 32);
    const copied = await count("llama", { r: 1, targetModules: ["q_proj"], modulesToSave: ["lm_head"] });
    expect(copied.trainable - tied.trainable).toBe(97 * 32);
    expect(copied.all - tied.all).toBe(2 * 97 * 32);
    const [without, with_] = await Promise.all(
      ["none", "lora_only"].map((bias) =>
        count("llama-bias", { r: 1, targetModules: ["q_proj"], bias: bias as "none" }),
      ),
    );
    expect(with_!.trainable - without!.trainable).toBe(2 * 32);
    expect(with_!.all).toBe(without!.all);
  });
  test("describing needs no weights and lists what would be trained", async () => {
    const plain = await base();
    const config = {
      peft_type: "LORA",
      r: 4,
      target_modules: ["q_proj"],
      modules_to_save: ["lm_head"],
      use_dora: true,
      init_lora_weights: "pissa",
    };
    const described = await describeAdapter(await describeModel(plain.config), config, () => {});
    const made = getPeftModel(
      plain,
      lora({ r: 4, targetModules: ["q_proj"], modulesToSave: ["lm_head"], useDora: true }),
      silent,
    );
    expect(described.tensors.map(({ name, shape }) => [name, shape])).toEqual(
      Array.from(made.namedTrainable(), ([name, { shape }]) => [name, shape]),
    );
    expect(described.trainable).toBe(made.getNbTrainableParameters().trainable);
  });
});

describe("files", () => {
  test("default lies at the root, others in folders by name, and each loads alone", async () => {
    const { model } = await twoAdapters();
    const files = await saved(model);
    expect([...files.keys()].sort()).toEqual([
      "adapter_config.json",
      "adapter_model.safetensors",
      "other/adapter_config.json",
      "other/adapter_model.safetensors",
    ]);
    const only = new Map<string, Uint8Array>();
    await model.savePretrained(only, { selectedAdapters: ["other"] });
    expect([...only.keys()].every((file) => file.startsWith("other/"))).toBe(true);
    const again = await PeftModel.fromPretrained(await base(), files, silent);
    const other = new Map(Array.from(only, ([file, bytes]) => [file.slice(6), bytes]));
    await again.loadAdapter(other, "second");
    again.setAdapter("second");
    model.setAdapter("other");
    expect(again.forward(batch)).toEqual(model.forward(batch));
    expect(again.namedTrainable().size).toBe(0);
    await expect(model.savePretrained(new Map(), { selectedAdapters: ["third"] })).rejects.toThrow(
      'there is no adapter "third"',
    );
  });

  test("a loaded adapter goes on training when asked to, with another dropout when told to", async () => {
    const files = await saved((await twoAdapters()).model);
    const model = await PeftModel.fromPretrained(await base(), files, {
      ...silent,
      isTrainable: true,
      values: { loraDropout: 0.25 },
    });
    expect(model.namedTrainable().size).toBe(4);
    expect(model.peftConfig.get("default")!.values).toMatchObject({ loraDropout: 0.25, r: 4 });
  });

  test("an adapter for another model is one error with every mismatch, and the model stays as it was", async () => {
    const folder = `${GOLDEN}/methods/lora/llama-bias-all`;
    const plain = await base("qwen3");
    const before = plain.forward(batch);
    const used = plain.engine.memory.usedBytes;
    const loading = PeftModel.fromPretrained(plain, folder, silent);
    await expect(loading).rejects.toThrow(FormatError);
    await expect(loading).rejects.toThrow(/adapter "default" of folder .* does not fit model "qwen3" \(\d+ problems\)/);
    await expect(loading).rejects.toThrow(/q_proj.lora_B.weight: file has \[32, 2\], model needs \[64, 2\]/);
    await expect(loading).rejects.toThrow('It was made for "models/llama-bias"');
    expect(plain.forward(batch)).toEqual(before);
    expect(plain.engine.memory.usedBytes - used).toBeLessThan(1 << 20);
  });

  test("missing keys, keys of modules that are not adapted and a wrong rank are each named", async () => {
    const files = await saved(getPeftModel(await base(), v, silent));
    const config = new TextDecoder().decode(files.get("adapter_config.json")!);
    const changed = config.replace('"r": 2', '"r": 3').replace('"q_proj",\n    "v_proj"', '"k_proj",\n    "v_proj"');
    files.set("adapter_config.json", new TextEncoder().encode(changed));
    const message = await PeftModel.fromPretrained(await base(), files, silent).then(
      () => "loaded",
      (error: Error) => error.message,
    );
    expect(message).toContain("layers.0.self_attn.k_proj.lora_A.weight: missing, the model needs [3, 32]");
    expect(message).toContain(
      "layers.0.self_attn.v_proj.lora_A.weight: file has [2, 32], model needs [3, 32] (rank is 2 in the file, 3 in its config)",
    );
    expect(message).toContain(
      'q_proj.lora_A.weight: in the file, but not adapted by its config: "model.layers.0.self_attn.q_proj"',
    );
  });

  test("a base embedding that differs from the model's own says that the adapter belongs to another base", async () => {
    const files = await saved(getPeftModel(await base("llama"), lora({ targetModules: ["embed_tokens"] }), silent));
    const bytes = files.get("adapter_model.safetensors")!;
    bytes.subarray(bytes.length - 64, bytes.length - 32).fill(0x41);
    const fits = await PeftModel.fromPretrained(
      await base("llama-bf16"),
      await saved(getPeftModel(await base("llama"), lora({ targetModules: ["embed_tokens"] }), silent)),
      silent,
    );
    expect(fits.activeAdapters).toEqual(["default"]);
    const text = new TextDecoder("latin1").decode(bytes);
    expect(text).toContain("embed_tokens.base_layer.weight");
    const at = tensorStart(bytes, "base_model.model.model.embed_tokens.base_layer.weight");
    bytes.subarray(at, at + 4).set([0, 0, 0x80, 0x41]);
    await expect(PeftModel.fromPretrained(await base("llama"), files, silent)).rejects.toThrow(
      "embed_tokens.base_layer.weight: differs from the model's own weight",
    );
  });

  test("missing files and damaged files are named", async () => {
    const files = await saved(getPeftModel(await base(), q, silent));
    const weights = files.get("adapter_model.safetensors")!;
    const load = async (changed: [string, Uint8Array | null][]) => {
      const copy = new Map(files);
      for (const [file, bytes] of changed) bytes === null ? copy.delete(file) : copy.set(file, bytes);
      return PeftModel.fromPretrained(await base(), copy, silent);
    };
    await expect(load([["adapter_config.json", null]])).rejects.toThrow("adapter_config.json");
    await expect(load([["adapter_model.safetensors", null]])).rejects.toThrow("adapter_model.safetensors");
    await expect(load([["adapter_model.safetensors", weights.subarray(0, 100)]])).rejects.toThrow(FormatError);
    await expect(load([["adapter_config.json", new TextEncoder().encode("[1]")]])).rejects.toThrow(
      "expected an object of options",
    );
    await expect(load([["adapter_config.json", new TextEncoder().encode('{"r": ')]])).rejects.toThrow(FormatError);
  });
});

/** Where a tensor's bytes begin in a safetensors file. */
function tensorStart(bytes: Uint8Array, name: string): number {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
    string,
    { data_offsets: [number, number] }
  >;
  return 8 + length + header[name]!.data_offsets[0];
}

describe("dropout", () => {
  const training = { recording: true, training: true, seed: [7, 3] } as const;
  for (const useDora of [false, true]) {
    test(`in training the same seed gives the same loss and gradients${useDora ? ", with magnitudes" : ""}, and evaluation has none`, async () => {
      const model = getPeftModel(
        await base("llama-bias"),
        lora({ r: 4, loraAlpha: 12, loraDropout: 0.5, useDora }),
        silent,
      );
      scramble(model, "default");
      const run = (options: { recording: boolean; training: boolean; seed: readonly [number, number] }) => {
        for (const param of model.namedTrainable().values()) param.gradient().fill(0);
        const losses = Tape.once(model.engine, options, (tape) => {
          const loss = model.loss(tape, batch);
          tape.backward(loss, 1);
          return tape.download(loss);
        });
        return [losses, ...Array.from(model.namedTrainable().values(), (param) => param.gradient().slice())];
      };
      expect(run(training)).toEqual(run(training));
      expect(run({ ...training, seed: [8, 3] })[0]).not.toEqual(run(training)[0]);
      expect(run({ ...training, training: false })[0]).not.toEqual(run(training)[0]);
    });
  }

  test("with magnitudes, dropout's mean effect is none: averaged over masks the output is the one without", async () => {
    const model = getPeftModel(
      await base("llama-bias"),
      lora({ r: 4, loraAlpha: 12, loraDropout: 0.3, useDora: true, targetModules: ["lm_head"] }),
      silent,
    );
    scramble(model, "default");
    const exact = model.forward(batch);
    const mean = new Float64Array(exact.length);
    const runs = 600;
    for (let seed = 0; seed < runs; seed++) {
      const logits = Tape.once(model.engine, { training: true, seed: [seed, 0] }, (tape) =>
        tape.download(model.logits(tape, batch)),
      );
      for (let i = 0; i < mean.length; i++) mean[i]! += logits[i]! / runs;
    }
    const spread = Math.sqrt(exact.reduce((sum, x) => sum + x * x, 0) / exact.length);
    const off = Math.sqrt(exact.reduce((sum, x, i) => sum + (x - mean[i]!) ** 2, 0) / exact.length);
    expect(off).toBeLessThan(0.08 * spread);
  });
});
