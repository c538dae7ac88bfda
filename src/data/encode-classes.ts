/**
 * Rows whose labels are classes or values: SEQ_CLS (a text or a pair), TOKEN_CLS (words) and IMAGE_CLS. Texts have the
 * tokenizer's special tokens around them and are cut as transformers cuts them. A word's label stands on its first
 * token; its other tokens and the special ones have -100.
 */
import type { Tokenizer } from "../text/tokenizer.ts";
import { type EncodeRowsOptions, type Example, IGNORED, inputOf, lengthLimit } from "./example.ts";
import { classOf, encodeLabel } from "./labels.ts";
import type { Label } from "./read-row.ts";
import type { Row } from "./rows.ts";

/** An example of SEQ_CLS, what is wrong with the row, or null for a kind that does not fit. */
export function encodeSequence(
  row: Row,
  tokenizer: () => Tokenizer,
  options: EncodeRowsOptions,
): Example | string | null {
  if (row.kind !== "text" && row.kind !== "tokens") return null;
  const labels = labelsOf(row.label, options);
  if (typeof labels === "string") return labels;
  const maxLength = lengthLimit(options);
  if (row.kind === "text") {
    return { ...inputOf(tokenizer().encodePair(row.text, row.textPair ?? null, { maxLength })), labels };
  }
  const kept = maxLength ?? row.inputIds.length;
  const { inputIds, tokenTypes = [] } = row;
  return { ...inputOf({ inputIds: inputIds.slice(0, kept), tokenTypes: tokenTypes.slice(0, kept) }), labels };
}

/** An example of IMAGE_CLS, what is wrong with the row, or null for a kind that does not fit. */
export function encodeImage(row: Row, options: EncodeRowsOptions): Example | string | null {
  if (row.kind === "image") return `is the image "${row.file}", which loadDataset decodes first`;
  if (row.kind !== "pixels") return null;
  const { imageShape = null } = options;
  const shape = `[${row.shape.join("][")}]`;
  if (imageShape !== null) {
    const fits =
      row.shape.length === 1
        ? row.pixels.length === imageShape.reduce((a, b) => a * b, 1)
        : imageShape.every((n, i) => row.shape[i] === n);
    if (!fits) return `"pixel_values" is ${shape}, the model takes [${imageShape.join("][")}]`;
  }
  const labels = labelsOf(row.label, options);
  return typeof labels === "string" ? labels : { inputIds: new Int32Array(), labels, pixels: row.pixels };
}

function labelsOf(label: Label | undefined, options: EncodeRowsOptions): Int32Array | Float32Array | string {
  const { labelNames = null, problemType = null, unlabelled = false } = options;
  if (label === undefined) return unlabelled ? new Int32Array() : 'has no "label"';
  return encodeLabel(label, labelNames ?? [], problemType ?? "single_label_classification");
}

/** An example of TOKEN_CLS, what is wrong with the row, or null for a kind that does not fit. */
export function encodeTokens(
  row: Row,
  tokenizer: () => Tokenizer,
  options: EncodeRowsOptions,
): Example | string | null {
  const maxLength = lengthLimit(options);
  if (row.kind === "tokens" && row.label === undefined) {
    const { inputIds, labels } = row;
    if (labels === null && !options.unlabelled) return 'has no "labels"';
    if (labels !== null && labels.length !== inputIds.length)
      return `"labels" has ${labels.length} numbers and "input_ids" ${inputIds.length}, they should be aligned`;
    const kept = maxLength ?? inputIds.length;
    const classes = classesOf(labels ?? inputIds.map(() => IGNORED), options);
    if (typeof classes === "string") return classes;
    return { ...inputOf({ inputIds: inputIds.slice(0, kept) }), labels: Int32Array.from(classes.slice(0, kept)) };
  }
  if (row.kind !== "words") return null;
  if (row.labels === null && !options.unlabelled) return 'has no "labels"';
  const classes = classesOf(row.labels ?? row.words.map(() => IGNORED), options);
  if (typeof classes === "string") return classes;
  const encoding = tokenizer().encodeWords(row.words, { maxLength });
  const { wordIds } = encoding;
  const labels = wordIds.map((word, i) => (word === null || word === wordIds[i - 1] ? IGNORED : classes[word]!));
  return { ...inputOf(encoding), labels: Int32Array.from(labels) };
}

function classesOf(labels: readonly (string | number)[], { labelNames = null }: EncodeRowsOptions): number[] | string {
  const found: number[] = [];
  for (const label of labels) {
    const known = label === IGNORED ? IGNORED : classOf(label, labelNames ?? []);
    if (typeof known === "string") return known;
    found.push(known);
  }
  return found;
}
