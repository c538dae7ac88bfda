import { StateError } from "../../core/errors.ts";
import { scaleBy } from "../../ops/pointwise/elementwise.ts";
import { segmentSum } from "../../ops/reduce/segment-sum.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import type { LabelledSequences } from "../pass/sequences.ts";
import type { TaskModel } from "./task-model.ts";

/**
 * The log-probability in nats that a model gives to the labels of each sequence: Σ ln p(label), [sequences, 1]. The first step of
 * DPO and its relatives. Logits never exist as a whole. Throws StateError where the model has other than one loss
 * for each label, as under a composition that repeats the batch.
 *
 * @example
 * const logProbs = ops.sequenceLogProbs(model, tape, concatenateLabelled(examples));
 */
export function sequenceLogProbs(
  model: Pick<TaskModel, "loss" | "countLabels">,
  tape: Tape,
  batch: LabelledSequences,
): Value {
  const { ids, starts, labels, labelStarts } = batch;
  const ends = new Int32Array(starts.length);
  for (let s = 0; s + 1 < starts.length; s++) {
    const example = {
      inputIds: ids.subarray(starts[s], starts[s + 1]),
      labels: labels.subarray(labelStarts[s], labelStarts[s + 1]),
    };
    ends[s + 1] = ends[s]! + model.countLabels(example);
  }
  return tape.scope(() => {
    const losses = model.loss(tape, batch);
    if (losses.shape[0] !== ends.at(-1)) {
      throw new StateError(
        `sequenceLogProbs: the model has ${losses.shape[0]} losses for ${ends.at(-1)} labels, expected one for each; a composition that repeats the batch has no such sum`,
      );
    }
    return scaleBy(segmentSum(losses, ends), -1);
  });
}
