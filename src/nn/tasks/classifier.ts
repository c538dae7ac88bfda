/** Models that predict a class, several classes, or numbers for each sequence, text or image. */

import { ShapeError } from "../../core/errors.ts";
import type { ProblemType } from "../../core/labels.ts";
import { wholeNumbers } from "../../core/whole-numbers.ts";
import { crossEntropy } from "../../ops/loss/cross-entropy.ts";
import { binaryCrossEntropy, squaredError } from "../../ops/loss/losses.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import { inputProblem } from "../pass/example-problems.ts";
import type { PassOptions } from "../pass/pass.ts";
import { expectIds, type Labelled, type LabelledSequences } from "../pass/sequences.ts";
import { LabellingModel } from "./labelling-model.ts";
import type { Measured } from "./task-model.ts";

/** A model that classifies whole sequences, created by `AutoModelForSequenceClassification`. */
export class SequenceClassifier extends LabellingModel {
  /**
   * The meaning of the outputs: the config's `problem_type`; otherwise, a single output is a number and several are
   * classes.
   */
  override get problemType(): ProblemType {
    const named = this.config.problem_type as ProblemType | null | undefined;
    return named ?? (this.numLabels === 1 ? "regression" : "single_label_classification");
  }

  override loss(tape: Tape, batch: LabelledSequences, options: PassOptions = {}): Value {
    return tape.scope(() => this.#lossesOf(this.outputs(tape, batch, options), batch));
  }

  override measure(tape: Tape, batch: LabelledSequences): Measured {
    const outputs = this.outputs(tape, batch);
    return { losses: this.#lossesOf(outputs, batch), outputs, rows: (s) => [s, s + 1] };
  }

  #lossesOf(logits: Value, { labels }: LabelledSequences): Value {
    const { tape } = logits;
    if (this.problemType === "single_label_classification") {
      const classes = wholeNumbers("labels", labels);
      expectIds("labels", classes, this.numLabels);
      return crossEntropy(logits, tape.ids(classes));
    }
    const targets = Float32Array.from(labels);
    const wanted = logits.shape[0]! * this.numLabels;
    if (targets.length !== wanted) throw new ShapeError(`loss: ${targets.length} labels, expected ${wanted}`);
    return this.problemType === "regression" ? squaredError(logits, targets) : binaryCrossEntropy(logits, targets);
  }

  override countLabels(): number {
    return this.problemType === "single_label_classification" ? 1 : this.numLabels;
  }

  override problemWith(example: Labelled): string | null {
    return inputProblem(example, this) ?? this.#labelProblem(example.labels);
  }

  #labelProblem(labels: Labelled["labels"]): string | null {
    const wanted = this.countLabels();
    if (labels.length !== wanted) return `${labels.length} labels, expected ${wanted} (${this.problemType})`;
    if (this.problemType !== "single_label_classification") {
      return Array.from(labels).every(Number.isFinite) ? null : "a label is not a finite number";
    }
    const [label] = labels;
    const known = Number.isInteger(label) && label! >= 0 && label! < this.numLabels;
    return known ? null : `label ${label} must be from 0 to ${this.numLabels - 1}, the model's classes`;
  }
}

/** A model that classifies images, created by `AutoModelForImageClassification`. */
export class ImageClassifier extends SequenceClassifier {}
