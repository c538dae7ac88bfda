/** What the classes of fast tokenizers do once they are built: rewrite a part of tokenizer.json as their settings say. */
import { FormatError, UnsupportedError } from "../../core/errors.ts";
import type { Json } from "../../core/python-json.ts";
import type { Backend } from "./backend.ts";
import { type NumberedToken, template } from "./components.ts";
import { isObject, type JsonFields } from "./json.ts";
import type { SpecialTokens, TokenizerSettings } from "./special-tokens.ts";

interface Built {
  readonly backend: Backend;
  readonly special: SpecialTokens;
  readonly settings: TokenizerSettings;
}

/** Carries out what class `name` does last. */
export function finish(name: string, built: Built): void {
  finishes[name]?.(built);
}

const BERT = ["lowercase", "strip_accents", "handle_chinese_chars"] as const;

const finishes: Readonly<Record<string, (built: Built) => void>> = {
  BartTokenizerFast: setOffsetRules,
  BertTokenizerFast: (built) => setNormalizer(built, BERT),
  BlenderbotTokenizerFast: setOffsetRules,
  BloomTokenizerFast: setPrefixSpaceEverywhere,
  CLIPTokenizerFast: expectSequence,
  CodeGenTokenizerFast: refuseBos,
  CodeLlamaTokenizerFast: setTemplate,
  CohereTokenizerFast(built) {
    setTemplate(built);
    setPrefixSpaceEverywhere(built);
  },
  ConvBertTokenizerFast: (built) => setNormalizer(built, BERT),
  DistilBertTokenizerFast: (built) => setNormalizer(built, BERT),
  ElectraTokenizerFast: (built) => setNormalizer(built, BERT),
  GPTNeoXTokenizerFast: setTemplate,
  GemmaTokenizerFast: setTemplate,
  LEDTokenizerFast: setOffsetRules,
  LayoutLMTokenizerFast: (built) => setNormalizer(built, BERT),
  LlamaTokenizerFast: setTemplate,
  LongformerTokenizerFast: setOffsetRules,
  LxmertTokenizerFast: (built) => setNormalizer(built, BERT),
  MPNetTokenizerFast: (built) => setNormalizer(built, BERT.slice(0, 2)),
  MobileBertTokenizerFast: (built) => setNormalizer(built, BERT),
  MvpTokenizerFast: setOffsetRules,
  RobertaTokenizerFast: setOffsetRules,
  SqueezeBertTokenizerFast: (built) => setNormalizer(built, BERT),
};

/** BERT: `do_lower_case`, `strip_accents` and `tokenize_chinese_chars` overrule a normalizer of its kind. */
function setNormalizer({ backend, settings }: Built, switches: readonly string[]): void {
  const { normalizer } = backend.parts;
  if (normalizer === null) {
    throw new FormatError(
      'tokenizer.json has no "normalizer", which a tokenizer of the BERT family needs. In tokenizer_config.json, set ' +
        '"tokenizer_class" to "PreTrainedTokenizerFast" when it is meant to have none',
    );
  }
  const settingOf: Readonly<Record<string, string>> = {
    lowercase: "do_lower_case",
    strip_accents: "strip_accents",
    handle_chinese_chars: "tokenize_chinese_chars",
  };
  if (normalizer.type !== "BertNormalizer") return;
  const values = switches.map((key) => [key, settings.get(settingOf[key]!) as Json] as const);
  backend.parts.normalizer = { ...normalizer, ...Object.fromEntries(values) };
}

/** RoBERTa: `add_prefix_space` and `trim_offsets` overrule a post-processor that has such switches. */
function setOffsetRules({ backend, settings }: Built): void {
  const processor = backend.parts.post_processor;
  if (processor === null) return;
  const switches = ["add_prefix_space", "trim_offsets"].filter((key) => Object.hasOwn(processor, key));
  const values = switches.map((key) => [key, settings.get(key) as Json] as const);
  backend.parts.post_processor = { ...processor, ...Object.fromEntries(values) };
}

/** Bloom, Cohere: `add_prefix_space` sets every such switch of pre-tokenizer and decoder, however deep. */
function setPrefixSpaceEverywhere({ backend: { parts }, settings }: Built): void {
  if (settings.get("add_prefix_space") !== true) return;
  const set = (value: Json): Json => {
    if (Array.isArray(value)) return (value as readonly Json[]).map(set);
    if (!isObject(value)) return value;
    const entries = Object.entries(value).map(([key, item]) => [key, key === "add_prefix_space" ? true : set(item)]);
    return Object.fromEntries(entries) as JsonFields;
  };
  parts.pre_tokenizer = set(parts.pre_tokenizer) as JsonFields | null;
  parts.decoder = set(parts.decoder) as JsonFields | null;
}

/** Llama and others: `add_bos_token` and `add_eos_token` say what is put around a text, whatever tokenizer.json says. */
function setTemplate({ backend, special, settings }: Built): void {
  const numbered = (adds: string, which: string): NumberedToken[] => {
    if (settings.get(adds) !== true) return [];
    const text = special.textOf(which);
    const id = text === null ? undefined : backend.added.idOf(text);
    if (text !== null && id !== undefined) return [[text, id]];
    throw new FormatError(`tokenizer settings: "${adds}" is true, but there is no "${which}" in the vocabulary`);
  };
  const bos = numbered("add_bos_token", "bos_token");
  const eos = numbered("add_eos_token", "eos_token");
  const pieces = (type: number, sequence: string) =>
    [...bos.map(([text]) => `${text}:${type}`), `${sequence}:${type}`, ...eos.map(([text]) => `${text}:${type}`)].join(
      " ",
    );
  const single = pieces(0, "$A");
  backend.parts.post_processor = template(single, `${single} ${pieces(1, "$B")}`, [...bos, ...eos]);
}

function refuseBos({ settings }: Built): void {
  if (settings.get("add_bos_token") !== true) return;
  throw new UnsupportedError(
    'tokenizer_config.json: "add_bos_token" is true, which the fast CodeGenTokenizer of transformers refuses too. ' +
      'Set it to false, or "tokenizer_class" to "GPTNeoXTokenizerFast", which puts the token',
  );
}

function expectSequence({ backend }: Built): void {
  if (backend.parts.pre_tokenizer?.type === "Sequence") return;
  throw new FormatError(
    "tokenizer.json of a CLIPTokenizer should have a Sequence as its pre_tokenizer. Write it anew: python -c " +
      "\"from transformers import AutoTokenizer as A; A.from_pretrained('FOLDER', from_slow=True)" +
      ".save_pretrained('FOLDER')\"",
  );
}
