/** An example of any task for people to look at: what the model reads, and what of it or besides it is learned. */
import { IGNORED } from "../core/labels.ts";
import type { Task } from "../core/task.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { countLabels, type Example } from "./examples.ts";
import { taskDefinition } from "./known-tasks.ts";
import { type PreviewToken, previewTokens } from "./preview-tokens.ts";

export interface ExamplePreview {
  /** "file:line". */
  readonly where: string;
  /** What the model reads; none for images. Tokens that hold an answer, or have a label, count as learned. */
  readonly tokens: readonly PreviewToken[];
  /** The target of an encoder-decoder, else null. */
  readonly target: readonly PreviewToken[] | null;
  /** What is learned besides tokens: the class, the classes of words, the answer; null where that is the tokens. */
  readonly label: string | null;
  /** Labels that count. */
  readonly learned: number;
  /** Tokens before the row was cut, or null where it was not. */
  readonly uncut: number | null;
}

export interface PreviewOptions {
  readonly task: Task;
  /** Null where rows are tokens that nothing can write as text: their numbers are shown. */
  readonly tokenizer: Tokenizer | null;
  readonly labelNames: readonly string[] | null;
}

/** What an example teaches. */
export function previewExample(example: Example, options: PreviewOptions): ExamplePreview {
  const { task, tokenizer } = options;
  const { labelsAlign, labelsAreTokens = false } = taskDefinition(task);
  const inputIds = Array.from(example.inputIds);
  const labels = Array.from(example.labels);
  const tokensOf = (ids: number[], learned: number[], first = 0) =>
    tokenizer === null
      ? numbered(ids, learned, first)
      : previewTokens(tokenizer, { inputIds: ids, labels: learned }, first);
  const ofIds = labelsAlign === "ids" ? labels : inAnswer(example);
  return {
    where: example.where ?? "",
    tokens: tokensOf(inputIds, ofIds, labelsAlign === "ids" && labelsAreTokens ? 1 : 0),
    target: labelsAlign === "target" ? tokensOf(labels, labels) : null,
    label: labelsAreTokens ? null : labelText(example, options),
    learned: countLabels(example, task),
    uncut: example.uncut ?? null,
  };
}

function numbered(ids: readonly number[], labels: readonly number[], first: number): PreviewToken[] {
  return ids.map((id, i) => ({ id, text: `${i > 0 ? " " : ""}${id}`, learned: i >= first && labels[i] !== IGNORED }));
}

/** A label at each token of the answer in a text, and nowhere else. */
function inAnswer({ inputIds, labels, answer }: Example): number[] {
  const [first = -1, last = -1] = answer === undefined ? [] : labels;
  return Array.from(inputIds, (id, i) => (i >= first && i <= last ? id : IGNORED));
}

function labelText({ labels, inputIds, answer }: Example, { task, labelNames }: PreviewOptions): string {
  if (labels.length === 0) return "none";
  if (answer !== undefined) return answer.texts[0] ?? "no answer";
  const name = (label: number) => labelNames?.[label] ?? String(label);
  const values = Array.from(labels);
  if (!(labels instanceof Float32Array)) {
    const classes = values.filter((label) => label !== IGNORED).map(name);
    return inputIds.length > 0 && taskDefinition(task).labelsAlign === "ids" ? classes.join(" ") : classes.join(", ");
  }
  const marks = values.length > 1 && values.every((value) => value === 0 || value === 1);
  if (!marks) return values.map((value) => Number(value.toPrecision(6))).join(", ");
  return values.flatMap((value, i) => (value === 1 ? [name(i)] : [])).join(", ") || "none of the classes";
}
