/** A model that finds the answer to a question as a span of the text. */
import { wholeNumbers } from "../../core/whole-numbers.ts";
import { spanCrossEntropy } from "../../ops/loss/span-cross-entropy.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import type { Headed } from "../define-model.ts";
import { inputProblem } from "../pass/example-problems.ts";
import type { PassOptions } from "../pass/pass.ts";
import type { Labelled, LabelledSequences, Sequences } from "../pass/sequences.ts";
import { Model } from "./model.ts";
import type { Measured } from "./task-model.ts";

/**
 * Extractive question answering, created by `AutoModelForQuestionAnswering`. Labels are the first and last token of the
 * answer.
 */
export class QuestionAnswerer extends Model<Headed> {
  /** Scores [T, 2] of each row as a first and as a last token; virtual tokens also have rows. */
  override outputs(tape: Tape, sequences: Sequences, options: PassOptions = {}): Value {
    return tape.scope(() => this.body.forward(this.pass(tape, sequences, options)));
  }

  override loss(tape: Tape, batch: LabelledSequences, options: PassOptions = {}): Value {
    return tape.scope(() => this.measure(tape, batch, options).losses);
  }

  /**
   * Positions count the given tokens, independent of preceding virtual ones (PEFT leaves them unshifted, at the wrong
   * tokens).
   */
  override measure(tape: Tape, batch: LabelledSequences, options: PassOptions = {}): Measured {
    const pass = this.pass(tape, batch, options);
    const outputs = this.body.forward(pass);
    const targets = wholeNumbers("labels", batch.labels).map((position, i) => position + pass.promptLength(i >> 1));
    const losses = spanCrossEntropy(outputs, pass.starts, targets);
    return { losses, outputs, rows: (s) => [pass.starts[s]! + pass.promptLength(s), pass.starts[s + 1]!] };
  }

  override countLabels(): number {
    return 2;
  }

  override problemWith(example: Labelled): string | null {
    const { inputIds, labels } = example;
    if (labels.length !== 2) return `${labels.length} labels, expected two: first and last token of the answer`;
    const outside = Array.from(labels).find((at) => !Number.isInteger(at) || at < 0 || at >= inputIds.length);
    if (outside !== undefined)
      return `position ${outside} must be from 0 to ${inputIds.length - 1}, the tokens of the example`;
    return inputProblem(example, this);
  }
}
