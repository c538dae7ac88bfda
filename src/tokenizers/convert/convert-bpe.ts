/** Conversion of vocab.json and merges.txt: byte pair encoding, of bytes with GPT-2 and its many relatives. */
import { Backend } from "./backend.ts";
import { bertNormalizer, byteLevel, replace, sequence, split, template } from "./components.ts";
import type { JsonFields } from "./json.ts";
import type { SlowTokenizer } from "./slow-tokenizer.ts";

type Bpe = { readonly vocab: ReadonlyMap<string, number>; readonly merges: readonly [string, string][] };

/** Qwen2's words: contractions, words with one sign before them, single digits, signs, line ends, blanks. */
const QWEN2_WORDS =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
/** CLIP's words: contractions, letters, single digits, signs; blanks are dropped. */
const CLIP_WORDS = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

export function convertBpe(slow: SlowTokenizer, files: Bpe): Backend {
  if (slow.name === "Qwen2Tokenizer") return convertQwen2(files);
  if (slow.name === "CLIPTokenizer") return convertClip(slow, files);
  if (slow.name === "OpenAIGPTTokenizer") return convertOpenAiGpt(slow, files);
  return new Backend(bpe(files), {
    pre_tokenizer: byteLevel({ addPrefixSpace: prefixSpace(slow) }),
    post_processor: postProcessor(slow),
    decoder: byteLevel(),
  });
}

/** A BPE model; `null` for a suffix means that none is known, "" that it is empty. */
function bpe(
  { vocab, merges }: Bpe,
  unknown: string | null = null,
  suffix = "",
  prefix: string | null = "",
): JsonFields {
  return {
    type: "BPE",
    dropout: null,
    unk_token: unknown,
    continuing_subword_prefix: prefix,
    end_of_word_suffix: suffix,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    vocab: Object.fromEntries(vocab),
    merges,
  };
}

/** What GPT-2's relatives differ in: the special tokens around a text. */
function postProcessor(slow: SlowTokenizer): JsonFields {
  if (slow.name === "GPT2Tokenizer" || slow.name === "CodeGenTokenizer") {
    if (slow.settings.get("add_bos_token") !== true) return byteLevel({ trimOffsets: false });
    const bos = slow.numbered("bos_token");
    return template(`${bos[0]}:0 $A:0`, `${bos[0]}:0 $A:0 $B:1`, [bos]);
  }
  if (slow.name === "DebertaTokenizer") {
    const cls = slow.numberedText("[CLS]", '"[CLS]"');
    const sep = slow.numberedText("[SEP]", '"[SEP]"');
    return template("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", [cls, sep]);
  }
  if (slow.name === "BlenderbotTokenizer") {
    const eos = slow.numbered("eos_token");
    return template(`$A:0 ${eos[0]}:0`, "$A:0 $B:1", [eos]);
  }
  return roberta(slow, "cls_token", "sep_token", prefixSpace(slow), true);
}

function roberta(slow: SlowTokenizer, cls: string, sep: string, addPrefixSpace: boolean, trim: boolean): JsonFields {
  return {
    type: "RobertaProcessing",
    sep: slow.numbered(sep),
    cls: slow.numbered(cls),
    trim_offsets: trim,
    add_prefix_space: addPrefixSpace,
  };
}

function prefixSpace(slow: SlowTokenizer): boolean {
  return slow.settings.get("add_prefix_space") === true;
}

function convertQwen2(files: Bpe): Backend {
  const words = split({ Regex: QWEN2_WORDS }, "Isolated");
  // the class has no setting for a leading blank, so it never adds one
  const bytes = byteLevel({ addPrefixSpace: false, useRegex: false });
  return new Backend(bpe(files), {
    normalizer: { type: "NFC" },
    pre_tokenizer: sequence("pretokenizers", [words, bytes]),
    post_processor: byteLevel({ trimOffsets: false }),
    decoder: byteLevel(),
  });
}

function convertClip(slow: SlowTokenizer, files: Bpe): Backend {
  const words = split({ Regex: CLIP_WORDS }, "Removed", true);
  return new Backend(bpe(files, slow.special.textOf("unk_token") ?? "None", "</w>"), {
    normalizer: sequence("normalizers", [{ type: "NFC" }, replace({ Regex: "\\s+" }, " "), { type: "Lowercase" }]),
    pre_tokenizer: sequence("pretokenizers", [words, byteLevel({ addPrefixSpace: false })]),
    post_processor: roberta(slow, "bos_token", "eos_token", false, false),
    decoder: byteLevel(),
  });
}

function convertOpenAiGpt(slow: SlowTokenizer, files: Bpe): Backend {
  const unknown = slow.special.textOf("unk_token") ?? "None";
  const backend = new Backend(bpe(files, unknown, "</w>", null), {
    normalizer: bertNormalizer({ chinese: true, accents: null, lower: true }),
    pre_tokenizer: { type: "BertPreTokenizer" },
    decoder: { type: "BPEDecoder", suffix: "</w>" },
  });
  if (backend.added.idOf(unknown) !== undefined) backend.addSpecial(unknown);
  return backend;
}
