/**
 * What becomes of the keys of a published config: a model reads them, or they have one value that is supported, or they change
 * nothing here. test/nn/config-keys.test.ts holds that every key of transformers' config classes is one of these.
 */
import { UnsupportedError } from "../core/errors.ts";
import { shownValue } from "../core/whole-numbers.ts";
import { ConfigReader } from "./config.ts";

/** The keys that a model does not read. A key is in one place only; a model's own word goes before the common one. */
export interface ConfigKeys {
  /** Keys that may only have one of these values, where a file has them at all. */
  readonly only?: Readonly<Record<string, readonly unknown[]>>;
  /** Keys that change no number here, by the reason. */
  readonly unused?: Readonly<Record<string, readonly string[]>>;
  /** Other names that transformers takes for keys, with the key; a file's value under the other name goes first. */
  readonly alsoCalled?: Readonly<Record<string, string>>;
}

/** Of the keys that all of transformers' configs have, those with one supported value. */
export const commonOnly: Required<ConfigKeys>["only"] = {
  add_cross_attention: [false, null],
  cross_attention_hidden_size: [null],
  pruned_heads: [{}, null],
  tie_encoder_decoder: [false, null],
};

/** Of the same keys, those that change no number in a model that does not read them. */
export const commonUnused: Required<ConfigKeys>["unused"] = {
  "read where a model is loaded": ["architectures", "model_type", "initializer_range"],
  "describes the file": [
    ...[
      "_name_or_path",
      "transformers_version",
      "finetuning_task",
      "task_specific_params",
      "tokenizer_class",
      "prefix",
    ],
  ],
  "generation has its own file": [
    ...["bad_words_ids", "begin_suppress_tokens", "diversity_penalty", "do_sample", "early_stopping", "max_length"],
    ...["encoder_no_repeat_ngram_size", "exponential_decay_length_penalty", "forced_bos_token_id", "min_length"],
    ...["forced_eos_token_id", "length_penalty", "no_repeat_ngram_size", "num_beam_groups", "num_beams", "top_k"],
    ...["num_return_sequences", "remove_invalid_values", "repetition_penalty", "suppress_tokens", "temperature"],
    ...["top_p", "typical_p", "use_cache"],
  ],
  "which outputs Python returns": [
    ...["output_attentions", "output_hidden_states", "output_scores", "return_dict", "return_dict_in_generate"],
  ],
  "the same numbers by another way": ["chunk_size_feed_forward", "torchscript"],
  "tensors keep the dtype of their file": ["dtype", "torch_dtype", "use_bfloat16"],
  "TensorFlow only": ["tf_legacy_loss"],
  "id2label decides": ["label2id"],
  "other types of models": ["is_decoder", "is_encoder_decoder"],
  "the tokenizer adds them": ["bos_token_id", "eos_token_id", "sep_token_id", "decoder_start_token_id", "pad_token_id"],
};

/** Throws UnsupportedError, which names the key, where a config has a value that would change numbers and is not supported. */
export function refuseUnsupported({ raw, name }: ConfigReader, only: Required<ConfigKeys>["only"]): void {
  for (const [key, supported] of Object.entries(only)) {
    const value = raw[key];
    if (value === undefined || supported.some((each) => isSame(each, value))) continue;
    const values = supported.map((each) => JSON.stringify(each)).join(" or ");
    throw new UnsupportedError(`${name}: "${key}" is ${shownValue(value, 200)}, this version supports only ${values}`);
  }
}

const isSame = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

/** The config with each key by its own name. */
export function byOwnNames(c: ConfigReader, alsoCalled: Required<ConfigKeys>["alsoCalled"]): ConfigReader {
  const found = Object.entries(alsoCalled).filter(([other]) => c.has(other));
  if (found.length === 0) return c;
  return new ConfigReader(
    { ...c.raw, ...Object.fromEntries(found.map(([other, key]) => [key, c.raw[other]])) },
    c.name,
  );
}
