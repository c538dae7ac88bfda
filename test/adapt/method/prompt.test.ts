/** Virtual tokens in use: beside each other in a batch, in decoding, from their starts, and where they cannot be. */
import { describe, expect, test } from "vitest";
import type { MethodConfig } from "../../../src/adapt/method/define-method.ts";
import { getPeftModel, type PeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM, AutoModelForSeq2SeqLM } from "../../../src/auto/auto-classes.ts";
import { FormatError, UnsupportedError } from "../../../src/core/errors.ts";
import { Philox } from "../../../src/core/random/philox.ts";
import { generate } from "../../../src/generate/load-generate.ts";
import { adaptionPrompt } from "../../../src/methods/adaption_prompt.ts";
import { lora } from "../../../src/methods/lora.ts";
import { multitaskPromptTuning } from "../../../src/methods/multitask_prompt_tuning.ts";
import { pTuning } from "../../../src/methods/p_tuning.ts";
import { prefixTuning } from "../../../src/methods/prefix_tuning.ts";
import { promptTuning } from "../../../src/methods/prompt_tuning.ts";
import type { KvCache } from "../../../src/nn/pass/kv-cache.ts";
import { concatenate, concatenateLabelled, type Sequences } from "../../../src/nn/pass/sequences.ts";
import type { CausalLM } from "../../../src/nn/tasks/causal-lm.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { readElements } from "../../../src/tensor/elements.ts";
import { createEngine } from "../../../src/wasm/engine.ts";
import { expectClose, loadGolden } from "../../golden-files.ts";

const silent = { onWarning: () => {} };
const VOCABULARY = 97;

/** Adds noise that training could have led to, so that gates are open and rows of tasks differ. */
function scramble(model: PeftModel, name = "default"): void {
  const random = new Philox(5);
  const state = model.adapterState(name);
  for (const values of state.values()) values.set(values.map((x) => x + 0.5 * random.normal()));
  model.loadAdapterState(name, state);
}

async function adapted(base: string, config: MethodConfig): Promise<{ peft: PeftModel<CausalLM>; model: CausalLM }> {
  const { model } = await loadGolden(base);
  const peft = getPeftModel(model, config, silent);
  scramble(peft);
  return { peft, model };
}

const methods: readonly (readonly [string, MethodConfig])[] = [
  ["prompt tuning", promptTuning({ numVirtualTokens: 3 })],
  ["multitask prompt tuning", multitaskPromptTuning({ numVirtualTokens: 2, numRanks: 3 })],
  ["p-tuning", pTuning({ numVirtualTokens: 4, encoderReparameterizationType: "LSTM", encoderHiddenSize: 5 })],
  ["prefix tuning", prefixTuning({ numVirtualTokens: 3 })],
  ["adaption prompts", adaptionPrompt({ adapterLen: 3, adapterLayers: 2 })],
];

/** Logits after the last token of each sequence, [sequences · vocabulary]. */
function last(model: CausalLM, sequences: Sequences, cache: KvCache | null = null): Float32Array {
  return Tape.once(model.engine, {}, (tape) => tape.download(model.lastLogits(tape, sequences, { cache })));
}

describe.each(["llama", "gpt2"])("%s", (base) => {
  test.each(methods)("%s: decoding with a cache gives the logits of the whole text at once", async (_, config) => {
    const { model } = await adapted(base, config);
    const texts = [
      [5, 9, 31, 8, 77],
      [40, 2, 19],
    ];
    using cache = model.cache(8, texts.length);
    const parts = [texts, [[12], [60]], [[3], [44]]];
    const sofar: number[][] = [[], []];
    for (const part of parts) {
      part.forEach((ids, s) => {
        sofar[s]!.push(...ids);
      });
      expectClose("logits", last(model, concatenate(part), cache), last(model, concatenate(sofar)), 1e-5, 1e-4);
    }
  });

  test.each(methods)("%s: what is generated is the best token after the text, each time", async (_, config) => {
    const { model, peft } = await adapted(base, config);
    const start = [5, 9, 31];
    const made = await generate(peft, start, { maxNewTokens: 4, temperature: 0 });
    const best = (ids: readonly number[]) => {
      const logits = last(model, concatenate([ids]));
      return logits.indexOf(Math.max(...logits));
    };
    expect(made).toHaveLength(4);
    made.forEach((id, i) => {
      expect(id).toBe(best([...start, ...made.slice(0, i)]));
    });
  });

  test.each(methods)("%s: the context is shorter by the virtual tokens", async (_, config) => {
    const { model, peft } = await adapted(base, config);
    const whole = peft.disableAdapter(() => model.contextLength);
    const taken = config.values as { numVirtualTokens?: number };
    expect(peft.contextLength).toBe(whole - (taken.numVirtualTokens ?? 0));
    const text = Array.from({ length: peft.contextLength }, (_, i) => 3 + (i % 50));
    expect(last(model, concatenate([text]))).toHaveLength(VOCABULARY);
    expect(() => last(model, concatenate([[...text, 7]]))).toThrow(FormatError);
  });
});

test("sequences of one batch have prompts of different lengths, a prefix, LoRA or nothing, each as when alone", async () => {
  const { model } = await loadGolden("llama");
  const peft = getPeftModel(model, promptTuning({ numVirtualTokens: 2 }), { ...silent, adapterName: "short" });
  peft.addAdapter("long", pTuning({ numVirtualTokens: 5, encoderHiddenSize: 6 }));
  peft.addAdapter("prefix", prefixTuning({ numVirtualTokens: 4 }));
  peft.addAdapter("tasks", multitaskPromptTuning({ numVirtualTokens: 3, numTasks: 3, numRanks: 4 }));
  peft.addAdapter("lora", lora({ r: 2 }));
  const names = ["prefix", "short", "__base__", "long", "lora", "tasks", "tasks", "prefix"];
  for (const name of new Set(names)) if (name !== "__base__") scramble(peft, name);
  const texts = [[5, 9, 31], [8], [77, 2, 14, 6], [40, 41], [19, 20, 21], [33, 34], [33, 34], [60, 61, 62, 63]];
  const tasks = [0, 0, 0, 0, 0, 2, 1, 0];
  const all = peft.forward({ ...concatenate(texts), taskIds: Int32Array.from(tasks) }, { adapterNames: names }).data;
  let row = 0;
  names.forEach((name, s) => {
    const alone = { ...concatenate([texts[s]!]), taskIds: Int32Array.of(tasks[s]!) };
    if (name !== "__base__") peft.setAdapter(name);
    const want = name === "__base__" ? peft.disableAdapter(() => peft.forward(alone).data) : peft.forward(alone).data;
    const got = all.subarray(row, row + want.length);
    expectClose(`logits of sequence ${s} (${name})`, got, want, 1e-5, 1e-4);
    row += want.length;
  });
  expect(row).toBe(all.length);
  const rows = texts.flat().length + 2 + 5 + 3 + 3;
  expect(all.length).toBe(rows * VOCABULARY);
});

test("adaption prompts cannot be one of several adapters in a batch, and say so", async () => {
  const { peft } = await adapted("llama", adaptionPrompt({ adapterLen: 2, adapterLayers: 1 }));
  expect(() => peft.forward(concatenate([[5], [6]]), { adapterNames: ["default", "__base__"] }).data).toThrow(
    UnsupportedError,
  );
});

describe("starts of prompt tuning", () => {
  async function started(options: Parameters<typeof promptTuning>[0]) {
    const { model } = await loadGolden("llama");
    const peft = getPeftModel(model, promptTuning(options), { ...silent, seed: 3 });
    const table = peft.namedTrainable().get("prompt_embeddings")!;
    const embedding = model.modules.get("model.embed_tokens")!.weight;
    const rowOf = (id: number) => Array.from(readElements(model.engine.memory, embedding, id * 32, (id + 1) * 32));
    const rows = Array.from({ length: table.shape[0]! }, (_, i) =>
      Array.from(table.values().subarray(i * 32, i * 32 + 32)),
    );
    return { rows, rowOf, peft };
  }
  const text = { promptTuningInit: "TEXT", promptTuningInitText: "a text" } as const;

  test("a text shorter than the prompt is repeated, a longer one cut off", async () => {
    const short = await started({ ...text, numVirtualTokens: 5, promptTuningInitIds: [7, 60] });
    expect(short.rows).toEqual([7, 60, 7, 60, 7].map(short.rowOf));
    const long = await started({ ...text, numVirtualTokens: 2, promptTuningInitIds: [7, 60, 5] });
    expect(long.rows).toEqual([7, 60].map(long.rowOf));
  });

  test("the saved config names the tokenizer of the text, the base's by default, and holds no ids", async () => {
    const { peft } = await started({
      ...text,
      numVirtualTokens: 2,
      promptTuningInitIds: [7],
      baseModelNameOrPath: "some/base",
    });
    const files = new Map<string, Uint8Array>();
    await peft.savePretrained(files);
    const config = JSON.parse(new TextDecoder().decode(files.get("adapter_config.json")!));
    expect(config.tokenizer_name_or_path).toBe("some/base");
    expect(Object.keys(config).filter((key) => key.endsWith("_ids"))).toEqual([]);
  });

  test("random tokens are rows of the embedding, decided by the seed", async () => {
    const options = { numVirtualTokens: 4, promptTuningInit: "SAMPLE_VOCAB" } as const;
    const { rows, rowOf } = await started(options);
    const known = Array.from({ length: VOCABULARY }, (_, id) => JSON.stringify(rowOf(id)));
    for (const row of rows) expect(known).toContain(JSON.stringify(row));
    expect((await started(options)).rows).toEqual(rows);
    expect(new Set(rows.map((row) => JSON.stringify(row))).size).toBeGreaterThan(1);
  });

  test("a text without its ids, and ids that the model does not have, are told", async () => {
    await expect(started({ ...text, numVirtualTokens: 2 })).rejects.toThrow(/promptTuningInitIds/);
    await expect(started({ ...text, numVirtualTokens: 2, promptTuningInitIds: [97] })).rejects.toThrow(/from 0 to 96/);
    expect(() => promptTuning({ numVirtualTokens: 2, promptTuningInit: "TEXT" })).toThrow(/promptTuningInitText/);
  });
});

describe("what does not fit is told with what to do", () => {
  test("options that are missing", () => {
    expect(() => promptTuning()).toThrow(/"numVirtualTokens" is missing/);
    expect(() => prefixTuning()).toThrow(/"numVirtualTokens" is missing/);
    expect(() => adaptionPrompt({ adapterLen: 3 })).toThrow(/"adapterLayers" must both be set/);
  });

  test.each([
    ["tokenDim", promptTuning({ numVirtualTokens: 2, tokenDim: 31 }), /"tokenDim" is 31, expected 32/],
    ["tokenDim of grouped heads", prefixTuning({ numVirtualTokens: 2, tokenDim: 32 }), /"tokenDim" is 32, expected 16/],
    ["numLayers", prefixTuning({ numVirtualTokens: 2, numLayers: 3 }), /"numLayers" is 3, expected 2/],
    ["adapterLayers", adaptionPrompt({ adapterLen: 2, adapterLayers: 3 }), /has 2 attention modules/],
  ])("a size that is not the model's: %s", async (_, config, message) => {
    const { model } = await loadGolden("llama");
    expect(() => getPeftModel(model, config, silent)).toThrow(message);
  });

  test("a start that this version does not have", async () => {
    const { model } = await loadGolden("llama");
    const config = multitaskPromptTuning({ numVirtualTokens: 2, promptTuningInit: "ONLY_SOURCE_SHARED" });
    expect(() => getPeftModel(model, config, silent)).toThrow(UnsupportedError);
  });

  test("a task that the prompt does not have", async () => {
    const { peft } = await adapted("llama", multitaskPromptTuning({ numVirtualTokens: 2, numTasks: 2 }));
    const batch = { ...concatenate([[5]]), taskIds: Int32Array.of(2) };
    expect(() => peft.forward(batch).data).toThrow(/task id 2 must be from 0 to 1/);
  });

  test("two prompts at once", async () => {
    const { peft } = await adapted("llama", promptTuning({ numVirtualTokens: 2 }));
    peft.addAdapter("other", prefixTuning({ numVirtualTokens: 2 }));
    expect(() => peft.setAdapter(["default", "other"])).toThrow(/activate one at a time/);
  });
});

test("a prompt and LoRA can be active and trained together", async () => {
  const engine = await createEngine({ build: "baseline" });
  const { config } = (await loadGolden("llama")).model;
  const model = await AutoModelForCausalLM.fromConfig(config, { engine, seed: 1 });
  const peft = getPeftModel(model, promptTuning({ numVirtualTokens: 2 }), silent);
  peft.addAdapter("lora", lora({ r: 2 }));
  scramble(peft, "lora");
  peft.setAdapter(["default", "lora"]);
  peft.setTrainable(["default", "lora"], true);
  const labels = [5, 9, 31];
  Tape.once(engine, { recording: true }, (tape) => {
    tape.backward(peft.loss(tape, concatenateLabelled([{ inputIds: labels, labels }])), 1);
  });
  for (const [key, param] of peft.namedTrainable())
    expect(
      param.gradient().some((x) => x !== 0),
      key,
    ).toBe(true);
});

test("rows of other tasks and of an encoder-decoder's other stack get no gradient", async () => {
  const { model } = await loadGolden("llama");
  const peft = getPeftModel(model, multitaskPromptTuning({ numVirtualTokens: 2, numTasks: 3, numRanks: 2 }), silent);
  scramble(peft);
  const labels = [5, 9, 31];
  Tape.once(model.engine, { recording: true }, (tape) => {
    tape.backward(peft.loss(tape, concatenateLabelled([{ inputIds: labels, labels, taskId: 1 }])), 1);
  });
  for (const key of ["prefix_task_cols", "prefix_task_rows"]) {
    const gradient = peft.namedTrainable().get(key)!.gradient();
    const third = gradient.length / 3;
    const touched = [0, 1, 2].map((task) => gradient.subarray(task * third, (task + 1) * third).some((x) => x !== 0));
    expect(touched, key).toEqual([false, true, false]);
  }
});

test("an encoder-decoder saves rows for both stacks and trains those of the encoder", async () => {
  const engine = await createEngine({ build: "baseline" });
  const config = { model_type: "t5", d_model: 16, d_kv: 6, d_ff: 24, num_heads: 2, num_layers: 2, vocab_size: 53 };
  const model = await AutoModelForSeq2SeqLM.fromConfig({ ...config, decoder_start_token_id: 0 }, { engine });
  const peft = getPeftModel(model, promptTuning({ numVirtualTokens: 2 }), silent);
  const table = peft.namedTrainable().get("prompt_embeddings")!;
  expect(table.shape).toEqual([4, 16]);
  Tape.once(engine, { recording: true }, (tape) => {
    tape.backward(peft.loss(tape, concatenateLabelled([{ inputIds: [5, 9, 31], labels: [7, 8] }])), 1);
  });
  const touched = [0, 1, 2, 3].map((row) =>
    table
      .gradient()
      .subarray(row * 16, row * 16 + 16)
      .some((x) => x !== 0),
  );
  expect(touched).toEqual([true, true, false, false]);
  peft.addAdapter("prefix", prefixTuning({ numVirtualTokens: 3 }));
  expect(peft.peftConfig.get("prefix")!.values).toMatchObject({ tokenDim: 12, numAttentionHeads: 2, numLayers: 2 });
});
