/** Texts and tokens with a label of the whole, and what labels become. Several tasks have such rows. */

import type { Label, RowOf } from "../kit/define-row.ts";
import { type EncodeContext, type Example, inputOf, lengthLimit } from "../kit/example.ts";
import { encodeLabel } from "../kit/labels.ts";
import type { textRow } from "./text.ts";
import type { tokensRow } from "./tokens.ts";

/**
 * A text, a pair or tokens as an example with a label. Texts have the tokenizer's special tokens around them and are cut as
 * transformers cuts them.
 */
export function encodeSequence(
  row: RowOf<typeof textRow | typeof tokensRow>,
  context: EncodeContext,
): Example | string {
  const labels = labelsOf(row.label, context);
  if (typeof labels === "string") return labels;
  const maxLength = lengthLimit(context);
  if (row.kind === "text") {
    return { ...inputOf(context.tokenizer().encodePair(row.text, row.textPair ?? null, { maxLength })), labels };
  }
  const kept = maxLength ?? row.inputIds.length;
  const { inputIds, tokenTypes = [] } = row;
  return { ...inputOf({ inputIds: inputIds.slice(0, kept), tokenTypes: tokenTypes.slice(0, kept) }), labels };
}

/** A row's label as numbers, or what is wrong with it. */
export function labelsOf(label: Label | undefined, context: EncodeContext): Int32Array | Float32Array | string {
  const { labelNames = null, problemType = null, unlabelled = false } = context;
  if (label === undefined) return unlabelled ? new Int32Array() : 'has no "label"';
  return encodeLabel(label, labelNames ?? [], problemType ?? "single_label_classification");
}
