/** A model that classifies each token: named entities, parts of speech. */

import { StateError } from "../../core/errors.ts";
import { countLabelled, IGNORED } from "../../core/labels.ts";
import { wholeNumbers } from "../../core/whole-numbers.ts";
import { gatherRows } from "../../ops/embed/embedding.ts";
import { crossEntropy } from "../../ops/loss/cross-entropy.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import { tokenProblem } from "../pass/example-problems.ts";
import type { PassOptions } from "../pass/pass.ts";
import { expectAligned, expectIds, type Labelled, type LabelledSequences } from "../pass/sequences.ts";
import { LabellingModel } from "./labelling-model.ts";
import type { Measured } from "./task-model.ts";

/**
 * A model that classifies tokens, created by `AutoModelForTokenClassification`. There is one label per id; −100 means
 * no label.
 */
export class TokenClassifier extends LabellingModel {
  /** Rows without a label are dropped before the head. */
  override loss(tape: Tape, batch: LabelledSequences, options: PassOptions = {}): Value {
    return tape.scope(() => {
      const { rows, classes } = this.#labelled(batch);
      const pass = this.pass(tape, batch, options);
      return crossEntropy(this.body.forward(pass, rows), tape.ids(classes));
    });
  }

  override measure(tape: Tape, batch: LabelledSequences): Measured {
    const outputs = this.outputs(tape, batch);
    const rows = (s: number) =>
      [batch.starts[s]! + this.#virtual * (s + 1), batch.starts[s + 1]! + this.#virtual * (s + 1)] as const;
    const labelled = this.#labelled(batch);
    const losses = crossEntropy(gatherRows(outputs, tape.ids(labelled.rows)), tape.ids(labelled.classes));
    return { losses, outputs, rows };
  }

  get #virtual(): number {
    return this.virtual?.promptLength(this.stack) ?? 0;
  }

  /** Rows that have a label, and their labels. */
  #labelled({ ids, labels, starts, labelStarts }: LabelledSequences): { rows: Int32Array; classes: Int32Array } {
    expectAligned(ids.length, starts, labelStarts);
    const [rows, targets]: [number[], number[]] = [[], []];
    for (let s = 0; s + 1 < starts.length; s++) {
      for (let t = starts[s]!; t < starts[s + 1]!; t++) {
        if (labels[t] === IGNORED) continue;
        rows.push(t + this.#virtual * (s + 1));
        targets.push(labels[t]!);
      }
    }
    if (rows.length === 0) throw new StateError("loss: no token of the batch has a label");
    const classes = wholeNumbers("labels", targets);
    expectIds("labels", classes, this.numLabels);
    return { rows: Int32Array.from(rows), classes };
  }

  override countLabels({ labels }: Labelled): number {
    return countLabelled(labels);
  }

  override problemWith(example: Labelled): string | null {
    if (example.inputIds.length !== example.labels.length)
      return `${example.labels.length} labels for ${example.inputIds.length} tokens, expected one per token`;
    return tokenProblem(example, this, this.numLabels);
  }
}
