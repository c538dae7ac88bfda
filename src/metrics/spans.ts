/**
 * Names found in text, from a label per word such as B-PER, I-PER, O: counts the spans that are found with the correct
 * kind, start and end. Labels are read as leniently as in the CoNLL script and seqeval: an I- after O or after another
 * kind starts a new span, and E-, L-, S- and U- end one.
 *
 *   precision = correct / predicted      recall = correct / true      F1 = 2·correct / (predicted + true)
 */
import { f1Of } from "./classification.ts";

const MARKED = /^([BIELSU])-/;

/** Whether labels mark spans: each is O or starts with B-, I- or a similar prefix, and at least one has a prefix. */
export function marksSpans(labelNames: readonly string[]): boolean {
  return labelNames.some((name) => MARKED.test(name)) && labelNames.every((name) => name === "O" || MARKED.test(name));
}

/** The spans of one sentence, each as "kind start end". */
export function spansOf(labels: readonly string[]): string[] {
  const found: string[] = [];
  let [mark, kind, begin] = ["O", "", 0];
  [...labels, "O"].forEach((label, i) => {
    const nextMark = label === "O" ? "O" : label[0]!;
    const nextKind = label === "O" ? "" : label.slice(2);
    if (ends(mark, nextMark, kind, nextKind)) found.push(`${kind} ${begin} ${i}`);
    if (begins(mark, nextMark, kind, nextKind)) begin = i;
    [mark, kind] = [nextMark, nextKind];
  });
  return found;
}

function ends(mark: string, next: string, kind: string, nextKind: string): boolean {
  if (mark === "O") return false;
  return /[ELSU]/.test(mark) || /[BSUO]/.test(next) || kind !== nextKind;
}

function begins(mark: string, next: string, kind: string, nextKind: string): boolean {
  if (next === "O") return false;
  return /[BSU]/.test(next) || /[ELSUO]/.test(mark) || kind !== nextKind;
}

/** Precision, recall and F1 over all sentences; labels by name, one per word. */
export function spanScores(
  predicted: readonly (readonly string[])[],
  labels: readonly (readonly string[])[],
): Record<string, number> {
  let [right, found, wanted] = [0, 0, 0];
  labels.forEach((sentence, i) => {
    const known = new Set(spansOf(sentence));
    const told = spansOf(predicted[i]!);
    wanted += known.size;
    found += told.length;
    right += told.filter((span) => known.has(span)).length;
  });
  return {
    precision: right / Math.max(1, found),
    recall: right / Math.max(1, wanted),
    f1: f1Of({ tp: right, fp: found - right, fn: wanted - right }),
  };
}
