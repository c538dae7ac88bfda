import { describe, expect, test } from "vitest";
import { getPeftModel, PeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForSeq2SeqLM } from "../../../src/auto/auto-classes.ts";
import { UnsupportedError } from "../../../src/core/errors.ts";
import { lora } from "../../../src/methods/lora.ts";
import { expectClose } from "../../golden-files.ts";
import { base, batch, q, saved, scramble, silent, twoAdapters, weightBytes } from "../golden-adapter.ts";

const t5 = {
  model_type: "t5",
  vocab_size: 23,
  d_model: 16,
  d_kv: 8,
  d_ff: 24,
  num_layers: 1,
  num_heads: 2,
  decoder_start_token_id: 0,
};

test("a copy of T5's tied head is not merged, since an untied head is fed otherwise", async () => {
  const base = await AutoModelForSeq2SeqLM.fromConfig(t5);
  const model = getPeftModel(base, lora({ modulesToSave: ["lm_head"] }), { onWarning: () => {} });
  expect(() => model.mergeAndUnload()).toThrow(UnsupportedError);
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
    const exact = model.forward(batch).data;
    model.mergeAdapter();
    expectClose("logits", model.forward(batch).data, exact, 0.2, 0.02);
    expect(plain.namedWeights().get("model.layers.0.self_attn.q_proj.weight")!.dtype).toBe("bf16");
  });

  test("merging twice is once, and a second adapter can be merged on top", async () => {
    const { model } = await twoAdapters();
    const warnings: string[] = [];
    const warned = await PeftModel.fromPretrained(await base(), await saved(model), {
      onWarning: (w) => warnings.push(w),
    });
    warned.mergeAdapter();
    const once = warned.forward(batch).data;
    warned.mergeAdapter();
    expect(warnings).toEqual(["all adapters are already merged, nothing to do"]);
    expect(warned.forward(batch).data).toEqual(once);
    model.setAdapter(["default", "other"]);
    const both = model.forward(batch).data;
    model.mergeAdapter({ adapterNames: ["other"] });
    expect(model.mergedAdapters).toEqual(["other"]);
    expectClose("one merged, one applied", model.forward(batch).data, both, 1e-4, 1e-4);
    model.mergeAdapter({ adapterNames: ["default"] });
    expectClose("both merged", model.forward(batch).data, both, 1e-4, 1e-4);
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
    const applied = model.forward(batch).data;
    expectClose("merged", model.mergeAndUnload().forward(batch).data, applied, 1e-4, 1e-4);
    expect(plain.config.tie_word_embeddings).toBe(false);
  });

  test("a bias of an adapter's own is folded into one that another adapter trains, when merging for good", async () => {
    const plain = await base("llama-bias");
    const model = getPeftModel(plain, lora({ loraBias: true }), silent);
    model.addAdapter("other", lora({ bias: "all", targetModules: ["o_proj"] }));
    scramble(model, "default", 1);
    scramble(model, "other", 2);
    model.setAdapter(["default", "other"]);
    const applied = model.forward(batch).data;
    expect(() => model.mergeAdapter()).toThrow("is trained by another active adapter");
    expect(model.forward(batch).data).toEqual(applied);
    expectClose("merged", model.mergeAndUnload({ safeMerge: true }).forward(batch).data, applied, 1e-4, 1e-4);
    expect(() => lora({ loraBias: true, bias: "all" })).toThrow(UnsupportedError);
  });

  test("a trained copy of a tied head is untied by merging, and the config says so", async () => {
    const plain = await base("llama-tied");
    const warnings: string[] = [];
    const model = getPeftModel(plain, lora({ modulesToSave: ["lm_head"] }), { onWarning: (w) => warnings.push(w) });
    expect(warnings.join()).toContain('"lm_head" is tied to the embedding');
    scramble(model, "default");
    const applied = model.forward(batch).data;
    const embedding = weightBytes(plain).get("model.embed_tokens.weight")!;
    const merged = model.mergeAndUnload();
    expectClose("merged", merged.forward(batch).data, applied, 1e-4, 1e-4);
    expect(merged.config.tie_word_embeddings).toBe(false);
    expect([...merged.namedWeights().keys()]).toContain("lm_head.weight");
    expect(weightBytes(plain).get("model.embed_tokens.weight")).toEqual(embedding);
  });
});
