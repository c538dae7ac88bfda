/** Every key of transformers' config classes is read, or checked, or changes nothing for a reason. */
import { describe, expect, test } from "vitest";
import { definitionFor } from "../../src/auto/auto-model.ts";
import { FormatError, UnsupportedError } from "../../src/core/errors.ts";
import { ConfigReader, type RawConfig } from "../../src/nn/config.ts";
import { commonOnly, commonUnused } from "../../src/nn/config-keys.ts";
import type { ModelDefinition } from "../../src/nn/define-model.ts";
import { bases, classes, configCases } from "../golden-configs.ts";

const { common, ...byType } = classes;
const flat = (unused: Readonly<Record<string, readonly string[]>> = {}) => Object.values(unused).flat();
const keysOf = (type: string): RawConfig => ({ ...common!.keys, ...byType[type]!.keys });

/** Keys of shapes: more rows of a table than are looked up change no number. */
const sizes = ["vocab_size", "max_position_embeddings", "n_positions", "type_vocab_size"];
/** Keys that act in training, and T5's stand-in for a start token that transformers wants named. */
const untested = /dropout|pdrop|^problem_type$|^pad_token_id$/;

/** The keys that a model asks for in a config, in whichever branch. */
function readBy(definition: ModelDefinition, raw: RawConfig): Set<string> {
  const read = new Set<string>();
  const spy = (config: RawConfig) =>
    new Proxy(config, {
      get(target, key: string) {
        read.add(key);
        return target[key];
      },
      has(target, key: string) {
        read.add(key);
        return key in target;
      },
    });
  const switched = Object.entries(raw).map(([key, value]) => ({ ...raw, [key]: value === false }));
  for (const config of [raw, ...Object.keys(raw).map((key) => without(raw, key)), ...switched]) {
    try {
      definition.config(new ConfigReader(spy(config)));
    } catch (error) {
      expect(String(error)).toContain("config.json");
    }
  }
  for (const key of Object.keys({ ...commonOnly, ...definition.keys.only, ...definition.keys.alsoCalled }))
    read.delete(key);
  return read;
}

/** What a config comes to, with functions of lengths and layers as their values. */
function described(definition: ModelDefinition, raw: RawConfig): unknown {
  const values = (value: unknown) => (typeof value === "function" ? [1, 100, 10_000].map((n) => value(n)) : value);
  const plain = (config: unknown) => JSON.parse(JSON.stringify(config, (_, value) => values(value)));
  try {
    return plain(definition.config(new ConfigReader(raw)));
  } catch (error) {
    return String(error);
  }
}

const without = (raw: RawConfig, key: string): RawConfig =>
  Object.fromEntries(Object.entries(raw).filter(([each]) => each !== key));

const definitions = await Promise.all(
  Object.keys(byType).map(async (type) => ({ type, definition: await definitionFor({ model_type: type }, "config") })),
);

test("the common keys are transformers'", () => {
  const declared = [...Object.keys(commonOnly), ...flat(commonUnused)];
  expect(new Set(declared).size).toBe(declared.length);
  // Older and newer names of keys that classes have.
  const others = ["torch_dtype", "initializer_range", "use_cache"];
  expect(declared.filter((key) => !(key in common!.keys) && !others.includes(key))).toEqual([]);
});

describe.each(definitions)("$type", ({ type, definition }) => {
  const { only = {}, unused, alsoCalled = {} } = definition.keys;
  const raw = { model_type: type, ...keysOf(type) };
  const used = readBy(definition, raw);

  test("every key is in a column, and in one only", () => {
    const own = [...Object.keys(only), ...flat(unused)];
    const columns = new Set([...used, ...own, ...Object.keys(commonOnly), ...flat(commonUnused)]);
    expect(Object.keys(keysOf(type)).filter((key) => !columns.has(key))).toEqual([]);
    expect(own.filter((key, i) => used.has(key) || own.indexOf(key) !== i)).toEqual([]);
    expect(flat(unused).filter((key) => !(key in keysOf(type)))).toEqual([]);
    expect(alsoCalled).toEqual(byType[type]!.alsoCalled);
  });

  test("a key that is left out means what it means in transformers, or is asked for", () => {
    const whole = described(definition, raw);
    for (const key of used) {
      if (!(key in keysOf(type))) continue;
      const found = described(definition, without(raw, key));
      if (!String(found).includes(`"${key}" is missing`)) expect(found, key).toEqual(whole);
    }
  });

  test("a key with one supported value is refused by name with another", () => {
    const checked = { ...commonOnly, ...only };
    expect(Object.keys(checked).length).toBeGreaterThan(3);
    for (const [key, supported] of Object.entries(checked)) {
      for (const value of [true, "relative_key", 7, { 0: [1] }]) {
        if (supported.some((each) => each === value)) continue;
        const read = () => definition.config(new ConfigReader({ ...raw, [key]: value }));
        expect(read, key).toThrow(UnsupportedError);
        expect(read, key).toThrow(`"${key}" is ${JSON.stringify(value)}, this version supports only`);
      }
    }
  });

  test("every key that is used has a case in which transformers' numbers change with it", () => {
    const cases = configCases.filter((each) => each.type === type);
    // Copies are compared as a whole: what they read is what their original reads.
    if (!["camembert", "data2vec-text", "ernie"].includes(type)) {
      // RoBERTa reads all of BERT's keys, but has no output projection here.
      const projects = "languageModel" in definition.heads || "encoderDecoder" in definition.heads;
      const silent = Array.from(used).filter((key) => {
        if (key === "tie_word_embeddings" && !projects) return false;
        const about = cases.filter(({ changes }) => key in changes);
        const moved = about.some(({ same }) => same !== true) || (about.length > 0 && sizes.includes(key));
        return key in keysOf(type) && !moved && !untested.test(key);
      });
      expect(silent).toEqual([]);
    }
    expect(cases.length).toBeGreaterThan(4);
  });

  test("a value without sense is an error that names a key, never another kind of error", () => {
    const base = { ...keysOf(type), ...bases[type], model_type: type };
    const hostile = [-3, 0, 1.5, 1e15, "7", true, [], {}, [null], Number.NaN, Number.POSITIVE_INFINITY, "", "toString"];
    for (const key of used) {
      for (const value of hostile) {
        try {
          definition.config(new ConfigReader({ ...base, [key]: value }));
        } catch (error) {
          const named = error instanceof FormatError || error instanceof UnsupportedError;
          expect(named, `${key}: ${JSON.stringify(value)}: ${error}`).toBe(true);
          expect(String(error)).toMatch(/"\w+" (is|has)/);
        }
      }
    }
  });
});

test("a name that transformers takes for another key is that key", async () => {
  const definition = await definitionFor({ model_type: "gpt2" }, "config");
  const read = (raw: RawConfig) => definition.config(new ConfigReader(raw)) as { width: number };
  expect(read({ hidden_size: 24, n_head: 4 }).width).toBe(24);
  expect(read({ hidden_size: 24, n_embd: 36, n_head: 4 }).width).toBe(24);
});

test.each<[string, RawConfig, string]>([
  [
    "llama",
    { num_attention_heads: 3, head_dim: null, num_key_value_heads: 1 },
    '"num_attention_heads" is 3, expected a divisor of 16',
  ],
  ["llama", { num_key_value_heads: 3 }, '"num_key_value_heads" is 3, expected a divisor of 4 ("num_attention_heads")'],
  ["llama", { rms_norm_eps: -1 }, '"rms_norm_eps" is -1, expected a number above 0'],
  ["llama", { rope_theta: 0 }, '"rope_theta" is 0, expected a number above 0'],
  ["llama", { head_dim: 7 }, '"head_dim" is 7, expected an even number'],
  ["llama", { head_dim: 1e9 }, '"head_dim" is 1000000000, expected at most 65536'],
  ["llama", { num_hidden_layers: 1e9 }, '"num_hidden_layers" is 1000000000, expected a whole number from 1 to 10000'],
  ["llama", { vocab_size: -5 }, '"vocab_size" is -5, expected a whole number from 1'],
  ["mistral", { sliding_window: -3 }, '"sliding_window" is -3, expected a whole number from 1'],
  ["mistral", { sliding_window: 0 }, '"sliding_window" is 0, expected a whole number from 1'],
  ["qwen2", { layer_types: ["full_attention"] }, '"layer_types" is ["full_attention"], expected a list of 2'],
  ["qwen2", { layer_types: ["full_attention", "sliding_attention"] }, '("use_sliding_window" is not true)'],
  [
    "qwen3",
    { use_sliding_window: true, layer_types: ["full_attention", "chunked"] },
    "each full_attention or sliding_attention",
  ],
  ["gpt2", { n_head: 5 }, '"n_head" is 5, expected a divisor of 16 ("n_embd")'],
  ["gpt2", { activation_function: "quick_gelu" }, '"activation_function" is "quick_gelu", this version knows gelu'],
  ["bert", { num_attention_heads: 3 }, '"num_attention_heads" is 3, expected a divisor of 16 ("hidden_size")'],
  ["bert", { position_embedding_type: "relative_key" }, '"position_embedding_type" is "relative_key"'],
  [
    "roberta",
    { pad_token_id: 23 },
    '"pad_token_id" is 23, expected from 0 to less than "max_position_embeddings" - 1 (23)',
  ],
  ["ernie", { use_task_id: true }, '"use_task_id" is true, this version supports only false'],
  ["distilbert", { dim: 15 }, '"n_heads" is 2, expected a divisor of 15 ("dim")'],
  ["vit", { patch_size: 7 }, '"patch_size" is 7, expected at most'],
  ["t5", { feed_forward_proj: "double-gelu" }, '"feed_forward_proj" is "double-gelu", expected an activation'],
  ["t5", { relative_attention_num_buckets: 1 }, '"relative_attention_num_buckets" is 1, expected at least 4'],
  ["t5", { scale_decoder_outputs: false }, '"scale_decoder_outputs" is false'],
  ["llama", { problem_type: "guess" }, '"problem_type" is "guess", expected "single_label_classification" or'],
])("%s with %o is refused", async (type, changes, message) => {
  const definition = await definitionFor({ model_type: type }, "config");
  expect(() => definition.config(new ConfigReader({ ...bases[type], ...changes }))).toThrow(message);
});
