/** Conversion of sentencepiece models: Unigram (T5, XLM-R, ALBERT) and BPE (Llama, Gemma), as each class lays them out. */
import { UnsupportedError } from "../../core/errors.ts";
import { AddedTokenSetting } from "./added-token.ts";
import { Backend } from "./backend.ts";
import { metaspace, type NumberedToken, type PrependScheme, replace, sequence, split, template } from "./components.ts";
import type { JsonFields } from "./json.ts";
import { mergesOf } from "./merges.ts";
import { MODEL_TYPES, PIECE_TYPES, type SentencePieceModel } from "./sentencepiece-model.ts";
import { type SlowTokenizer, sentinelCount } from "./slow-tokenizer.ts";

type Scored = readonly [string, number];

/** How one class turns a model into a tokenizer. What is not given is done as most classes do it. */
interface Layout {
  /** The vocabulary in the order of its numbers. */
  readonly vocab?: (slow: SlowTokenizer, model: SentencePieceModel) => Scored[];
  readonly unkId?: number;
  readonly byteFallback?: boolean;
  /** User-defined pieces that are special all the same. */
  readonly special?: readonly string[];
  readonly normalizer?: (slow: SlowTokenizer, model: SentencePieceModel) => JsonFields | null;
  readonly preTokenizer?: (slow: SlowTokenizer, scheme: PrependScheme) => JsonFields | null;
  readonly postProcessor?: (slow: SlowTokenizer) => JsonFields | null;
  readonly decoder?: (scheme: PrependScheme) => JsonFields;
}

export function convertPieces(slow: SlowTokenizer, model: SentencePieceModel): Backend {
  const layout = layouts[slow.name];
  if (layout === undefined) throw new UnsupportedError(`${slow.name} has no conversion of sentencepiece models`);
  const scheme = prependScheme(slow);
  const backend = new Backend(modelOf(slow, model, layout), {
    normalizer: (layout.normalizer ?? plainNormalizer)(slow, model),
    pre_tokenizer: (layout.preTokenizer ?? ((_, prepend) => metaspace(prepend)))(slow, scheme),
    post_processor: layout.postProcessor?.(slow) ?? null,
    decoder: (layout.decoder ?? metaspace)(scheme),
  });
  backend.added.add(
    model.pieces
      .filter(({ type }) => type === PIECE_TYPES.control || type === PIECE_TYPES.userDefined)
      .map(({ piece, type }) => {
        const special = type === PIECE_TYPES.control || (layout.special ?? []).includes(piece);
        return new AddedTokenSetting(piece, { normalized: false, special });
      }),
  );
  return backend;
}

/** Only Llama and T5 have the settings that change where "▁" is put; elsewhere it is always in front. */
function prependScheme(slow: SlowTokenizer): PrependScheme {
  if (!/^(Llama|M?T5)Tokenizer$/.test(slow.name)) return "always";
  if (slow.settings.get("add_prefix_space") !== true) return "never";
  return isLegacy(slow) ? "always" : "first";
}

/** The first way of Llama and T5 to treat blanks; Code Llama knows no other. */
function isLegacy(slow: SlowTokenizer): boolean {
  return slow.name === "CodeLlamaTokenizer" || slow.settings.get("legacy") !== false;
}

function modelOf(slow: SlowTokenizer, model: SentencePieceModel, layout: Layout): JsonFields {
  const vocab = (layout.vocab ?? piecesOf)(slow, model);
  const byteFallback = layout.byteFallback ?? false;
  if (model.modelType === MODEL_TYPES.unigram) {
    return { type: "Unigram", unk_id: layout.unkId ?? model.unkId, vocab, byte_fallback: byteFallback };
  }
  if (model.modelType !== MODEL_TYPES.bpe) {
    throw new UnsupportedError(
      `${slow.name} cannot be converted: its sentencepiece model is one of ${
        model.modelType === MODEL_TYPES.char ? "characters" : "words"
      }; expected Unigram or BPE. transformers has no fast tokenizer for it either`,
    );
  }
  const ids = new Map(model.pieces.map(({ piece }, id) => [piece, id]));
  const tab = ids.get("<0x09>");
  if (slow.name === "GemmaTokenizer" && !ids.has("\t") && tab !== undefined) ids.set("\t", tab);
  return {
    type: "BPE",
    dropout: null,
    unk_token: model.unkPiece,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: true,
    byte_fallback: byteFallback,
    ignore_merges: false,
    vocab: Object.fromEntries(vocab.map(([piece], id) => [piece, id])),
    merges: mergesOf(new Map(vocab), ids),
  };
}

function piecesOf(_slow: SlowTokenizer, model: SentencePieceModel): Scored[] {
  return model.pieces.map(({ piece, score }) => [piece, score]);
}

/** `first` tokens, then the pieces without the model's own first ones, then `last` tokens, all but pieces with score 0. */
function laidOut(first: readonly string[], from: number, last: readonly string[] = []) {
  return (slow: SlowTokenizer, model: SentencePieceModel): Scored[] => [
    ...first.map((token): Scored => [token, 0]),
    ...piecesOf(slow, model).slice(from),
    ...last.map((token): Scored => [token, 0]),
  ];
}

/** What Python counts as digits beside the decimal ones: raised, lowered, in circles, and of old scripts. */
const OTHER_DIGITS =
  "\u00b2\u00b3\u00b9\u1369-\u1371\u19da\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468\u2474-\u247c\u2488-\u2490\u24ea\u24f5-\u24fd" +
  "\u24ff\u2776-\u277e\u2780-\u2788\u278a-\u2792\u{10a40}-\u{10a43}\u{10e60}-\u{10e68}\u{11052}-\u{1105a}\u{1f100}-\u{1f10a}";

/** A number that ends with a comma is made unlikely, so that the comma becomes a separate token. */
function commaApart(slow: SlowTokenizer, model: SentencePieceModel): Scored[] {
  const number = new RegExp(`[\\p{Nd}${OTHER_DIGITS}]$`, "u");
  return piecesOf(slow, model).map(([piece, score]) => {
    const comma = piece.endsWith(",") && number.test(piece.slice(0, -1));
    return [piece, comma ? score - 100 : score];
  });
}

// ---- normalizers

function precompiled({ charsmap }: SentencePieceModel): JsonFields[] {
  if (charsmap.length === 0) return [];
  let binary = "";
  for (const byte of charsmap) binary += String.fromCharCode(byte);
  return [{ type: "Precompiled", precompiled_charsmap: btoa(binary) }];
}

const MANY_BLANKS = { Regex: " {2,}" };

function plainNormalizer(_slow: SlowTokenizer, model: SentencePieceModel): JsonFields {
  const strip = { type: "Strip", strip_left: false, strip_right: true };
  return sequence("normalizers", [...precompiled(model), strip, replace(MANY_BLANKS, "▁")]);
}

/** ALBERT's: quotes, accents and case first. */
function accentNormalizer(slow: SlowTokenizer, model: SentencePieceModel): JsonFields {
  const accents = slow.settings.get("keep_accents") === true ? [] : [{ type: "NFKD" }, { type: "StripAccents" }];
  const lower = slow.settings.get("do_lower_case") === true ? [{ type: "Lowercase" }] : [];
  const quotes = [replace({ String: "``" }, '"'), replace({ String: "''" }, '"')];
  const blanks = [replace(MANY_BLANKS, " ")];
  const [early, late] = slow.name === "RemBertTokenizer" ? [blanks, []] : [[], blanks];
  return sequence("normalizers", [...quotes, ...early, ...accents, ...lower, ...precompiled(model), ...late]);
}

function debertaNormalizer(slow: SlowTokenizer, model: SentencePieceModel): JsonFields {
  const lower = slow.settings.get("do_lower_case") === true ? [{ type: "Lowercase" }] : [];
  const strip = { type: "Strip", strip_left: true, strip_right: true };
  return sequence("normalizers", [...lower, strip, ...precompiled(model), replace(MANY_BLANKS, " ")]);
}

function llamaNormalizer(slow: SlowTokenizer): JsonFields | null {
  if (!isLegacy(slow)) return null;
  // Code Llama has no setting for it, so it always puts one
  const prepends = slow.name === "CodeLlamaTokenizer" || slow.settings.get("add_prefix_space") === true;
  const prepend = prepends ? [{ type: "Prepend", prepend: "▁" }] : [];
  return sequence("normalizers", [...prepend, replace({ String: " " }, "▁")]);
}

// ---- post-processors and decoders

/** Special tokens around texts, all of them known by their text alone. */
function around(single: string, pair: string, specials: readonly string[]) {
  return (slow: SlowTokenizer): JsonFields => {
    const numbered = specials.map((text): NumberedToken => slow.numberedText(text, JSON.stringify(text)));
    return template(single, pair, numbered);
  };
}

const bertStyle = around("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", ["[CLS]", "[SEP]"]);
const robertaStyle = around("<s> $A </s>", "<s> $A </s> </s> $B </s>", ["<s>", "</s>"]);

function byteDecoder(scheme: PrependScheme): JsonFields {
  const parts: JsonFields[] = [replace({ String: "▁" }, " "), { type: "ByteFallback" }, { type: "Fuse" }];
  const strip = { type: "Strip", content: " ", start: 1, stop: 0 };
  return sequence("decoders", scheme === "never" ? parts : [...parts, strip]);
}

// ---- classes

const t5: Layout = {
  vocab(slow, model) {
    const count = sentinelCount(slow.settings);
    const sentinels = Array.from({ length: count }, (_, i): Scored => [`<extra_id_${count - 1 - i}>`, 0]);
    return [...piecesOf(slow, model), ...sentinels];
  },
  postProcessor: around("$A </s>", "$A </s> $B </s>", ["</s>"]),
};

const llama: Layout = {
  vocab: (slow, model) =>
    laidOut(
      [0, 1, 2].map((id) => slow.tokenAt(id) ?? ""),
      3,
    )(slow, model),
  unkId: 0,
  byteFallback: true,
  normalizer: llamaNormalizer,
  preTokenizer: (slow, scheme) => (isLegacy(slow) ? null : metaspace(scheme, false)),
  decoder: byteDecoder,
};

const layouts: Readonly<Record<string, Layout>> = {
  AlbertTokenizer: { vocab: commaApart, normalizer: accentNormalizer, postProcessor: bertStyle },
  BarthezTokenizer: { unkId: 3, postProcessor: robertaStyle },
  BigBirdTokenizer: { postProcessor: bertStyle },
  CamembertTokenizer: { vocab: camembertVocab, unkId: 3, postProcessor: robertaStyle },
  CodeLlamaTokenizer: llama,
  DebertaV2Tokenizer: {
    normalizer: debertaNormalizer,
    preTokenizer(slow, scheme) {
      const punctuation = [{ type: "Punctuation", behavior: "Isolated" }];
      const before = slow.settings.get("split_by_punct") === true ? punctuation : [];
      return sequence("pretokenizers", [...before, metaspace(scheme)]);
    },
    postProcessor: bertStyle,
  },
  FNetTokenizer: { vocab: commaApart, normalizer: accentNormalizer, postProcessor: bertStyle },
  GemmaTokenizer: {
    vocab: gemmaVocab,
    unkId: 3,
    byteFallback: true,
    special: ["<start_of_turn>", "<end_of_turn>"],
    normalizer: () => replace({ String: " " }, "▁"),
    preTokenizer: () => split({ String: " " }, "MergedWithPrevious"),
    decoder: () => byteDecoder("never"),
  },
  LlamaTokenizer: llama,
  MT5Tokenizer: t5,
  ReformerTokenizer: {},
  RemBertTokenizer: { normalizer: accentNormalizer, postProcessor: bertStyle },
  T5Tokenizer: t5,
  XGLMTokenizer: {
    vocab: (slow, model) => {
      const words = Array.from({ length: 7 }, (_, i) => `<madeupword${i}>`);
      return laidOut(["<s>", "<pad>", "</s>", "<unk>"], 3, words)(slow, model);
    },
    unkId: 3,
    postProcessor: around("</s> $A", "</s> $A </s> </s> $B", ["<s>", "</s>"]),
  },
  XLMRobertaTokenizer: {
    vocab: laidOut(["<s>", "<pad>", "</s>", "<unk>"], 3, ["<mask>"]),
    unkId: 3,
    postProcessor: robertaStyle,
  },
  XLNetTokenizer: {
    vocab: commaApart,
    normalizer: accentNormalizer,
    postProcessor: around("$A:0 <sep>:0 <cls>:2", "$A:0 <sep>:0 $B:1 <sep>:1 <cls>:2", ["<sep>", "<cls>"]),
  },
};

/** The model's own unknown piece is made unlikely, for a token of the class stands for the unknown. */
function camembertVocab(slow: SlowTokenizer, model: SentencePieceModel): Scored[] {
  const first = ["<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>"].map((token): Scored => [token, 0]);
  return [...first, ["<unk>NOTUSED", -100], ...piecesOf(slow, model).slice(1), ["<mask>", 0]];
}

/** Gemma's first models lack the tab, which takes the place of its byte. */
function gemmaVocab(slow: SlowTokenizer, model: SentencePieceModel): Scored[] {
  const first = ["pad_token", "eos_token", "bos_token"].map((name) => slow.numbered(name)[0]);
  const vocab = laidOut(first, 3)(slow, model);
  const tab = vocab.some(([piece]) => piece === "\t") ? -1 : vocab.findIndex(([piece]) => piece === "<0x09>");
  if (tab >= 0) vocab[tab] = ["\t", 0];
  return vocab;
}
