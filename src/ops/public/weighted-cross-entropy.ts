import { StateError } from "../../core/errors.ts";
import { IGNORED } from "../../core/labels.ts";
import { completeOptions, oneOf, option, orNull, type ValuesOf } from "../../core/options.ts";
import type { Value } from "../../tape/tape.ts";
import { expectIndices, expectMatrix, expectOneEach } from "../checks.ts";
import { constant } from "../constant.ts";
import { crossEntropy as lossesOf } from "../loss/cross-entropy.ts";
import { multiplyElements, scaleBy } from "../pointwise/elementwise.ts";
import { sum } from "../reduce/sum.ts";

const isWeight = (w: unknown): boolean => typeof w === "number" && Number.isFinite(w) && w >= 0;
const isWeights = (value: unknown): boolean => {
  const listed = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
  return listed && Array.from(value as ArrayLike<unknown>).every(isWeight);
};

const options = {
  classWeights: orNull(
    option<ArrayLike<number>>(
      [],
      "finite numbers of at least 0, one for each class",
      isWeights,
      "factor of each class",
    ),
  ),
  reduction: oneOf(["mean", "sum", "none"], "mean", "what becomes of the losses"),
};

/** The options of `crossEntropy`, with the names and meanings of torch.nn.CrossEntropyLoss. */
export type CrossEntropyOptions = Partial<ValuesOf<typeof options>>;

/**
 * Cross-entropy in nats of logits [T, N] against one class a row; −100 means no label: that row's loss is 0 and has no gradient.
 * `classWeights` [N] multiplies the losses of each class. "mean", the default, divides their sum by the sum of the weights of all
 * labels, as torch does: [1, 1]; "sum" is [1, 1], "none" [T, 1]. Throws ShapeError for a label that is no class, StateError for
 * the mean of no labels.
 *
 * @example
 * const loss = ops.crossEntropy(model.outputs(tape, batch), batch.labels, { classWeights: [1, 4] });
 */
export function crossEntropy(logits: Value, labels: ArrayLike<number>, given: CrossEntropyOptions = {}): Value {
  const { classWeights, reduction } = completeOptions("crossEntropy", options, given);
  const { tape } = logits;
  const [rows, classes] = expectMatrix("crossEntropy", logits.shape);
  expectOneEach("crossEntropy: labels", labels, rows, "rows");
  if (classWeights !== null) expectOneEach("crossEntropy: classWeights", classWeights, classes, "classes");
  const ignored = Array.from(labels, (label) => label === IGNORED);
  const classOf = Array.from(labels, (label) => (label === IGNORED ? 0 : label));
  expectIndices("crossEntropy: labels", classOf, classes);
  const known = Int32Array.from(classOf);
  const weights = Float32Array.from(known, (label, i) => (ignored[i] ? 0 : (classWeights?.[label] ?? 1)));
  const losses = lossesOf(logits, tape.ids(known));
  const plain = classWeights === null && !ignored.includes(true);
  const weighted = plain ? losses : multiplyElements(losses, constant(tape, weights, [rows, 1]));
  if (reduction === "none") return weighted;
  if (reduction === "sum") return sum(weighted);
  const total = weights.reduce((all, weight) => all + weight, 0);
  if (total === 0) throw new StateError("crossEntropy: no row has a label with a weight, so there is no mean");
  return scaleBy(sum(weighted), 1 / total);
}
