/** Parts of tokenizer.json as Hugging Face's tokenizers write them. */
import { FormatError } from "../../core/errors.ts";
import type { Json } from "../../core/python-json.ts";
import type { JsonFields } from "./json.ts";

export function sequence(kind: "normalizers" | "pretokenizers" | "decoders", parts: readonly JsonFields[]): JsonFields {
  return { type: "Sequence", [kind]: parts };
}

/** `String` finds a text as it is, `Regex` by an expression of Oniguruma. */
export function replace(
  pattern: { readonly String: string } | { readonly Regex: string },
  content: string,
): JsonFields {
  return { type: "Replace", pattern, content };
}

export function split(
  pattern: { readonly String: string } | { readonly Regex: string },
  behavior: "Isolated" | "Removed" | "MergedWithPrevious" | "Contiguous",
  invert = false,
): JsonFields {
  return { type: "Split", pattern, behavior, invert };
}

export function byteLevel({ addPrefixSpace = true, trimOffsets = true, useRegex = true } = {}): JsonFields {
  return { type: "ByteLevel", add_prefix_space: addPrefixSpace, trim_offsets: trimOffsets, use_regex: useRegex };
}

export type PrependScheme = "always" | "first" | "never";

export function metaspace(scheme: PrependScheme, splits = true): JsonFields {
  return { type: "Metaspace", replacement: "▁", prepend_scheme: scheme, split: splits };
}

/** BERT's normalizer; it always removes control characters. */
export function bertNormalizer(options: { chinese: Json; accents: Json; lower: Json }): JsonFields {
  const { chinese, accents, lower } = options;
  return {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: chinese,
    strip_accents: accents,
    lowercase: lower,
  };
}

/** A special token with its number. */
export type NumberedToken = readonly [string, number];

/**
 * A template from the notation of the tokenizers: pieces with blanks between them, `$A` and `$B` for the texts, `:1`
 * behind a piece for its token type. `specials` are the tokens in it, with their numbers.
 */
export function template(single: string, pair: string, specials: readonly NumberedToken[]): JsonFields {
  return templateOf(single.split(" "), pair.split(" "), specials);
}

/** The same, piece by piece. Throws FormatError for a piece that the notation cannot hold. */
export function templateOf(
  single: readonly string[],
  pair: readonly string[],
  specials: readonly NumberedToken[],
): JsonFields {
  const entries = specials.map(([id, number]) => [id, { id, ids: [number], tokens: [id] }] as const);
  return {
    type: "TemplateProcessing",
    single: single.map(templatePiece),
    pair: pair.map(templatePiece),
    special_tokens: Object.fromEntries(entries),
  };
}

function templatePiece(piece: string): JsonFields {
  const parts = piece.split(":");
  const [id = "", type = "0"] = parts;
  if (parts.length > 2 || id === "" || !/^\d+$/.test(type)) {
    throw new FormatError(`special token ${JSON.stringify(piece)} cannot stand in a template: it has blanks or colons`);
  }
  const type_id = Number(type);
  return /^\$[AB]$/.test(id) ? { Sequence: { id: id.slice(1), type_id } } : { SpecialToken: { id, type_id } };
}
