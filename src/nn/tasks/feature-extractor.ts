/** A bare encoder: hidden rows, and one vector per sequence. */
import { UnsupportedError } from "../../core/errors.ts";
import { gatherRows } from "../../ops/embed/embedding.ts";
import { meanRows } from "../../ops/layout/rows.ts";
import { Tape, type Value } from "../../tape/tape.ts";
import type { Encoder } from "../define-model.ts";
import { inputProblem } from "../pass/example-problems.ts";
import type { PassOptions } from "../pass/pass.ts";
import type { Labelled, Sequences } from "../pass/sequences.ts";
import { finiteOutputs } from "./finite-outputs.ts";
import { Model } from "./model.ts";

/** How the rows of a sequence become one vector: their mean, the first one, or the published pooler. */
export type Pooling = "mean" | "cls" | "pooler";

/** An encoder without a head, created by `AutoModel`. */
export class FeatureExtractor extends Model<Encoder> {
  /** Hidden rows after the last layer, [T, D]; virtual tokens also have rows. */
  override outputs(tape: Tape, sequences: Sequences, options: PassOptions = {}): Value {
    return tape.scope(() => this.body.forward(this.pass(tape, sequences, options)));
  }

  /** One vector per sequence, [sequences, D]. */
  pooled(tape: Tape, sequences: Sequences, pooling: Pooling = "mean", options: PassOptions = {}): Value {
    return tape.scope(() => {
      const pass = this.pass(tape, sequences, options);
      const hidden = this.body.forward(pass);
      if (pooling === "mean") return meanRows(hidden, pass.starts);
      if (pooling === "pooler" && this.body.pool) return this.body.pool(hidden, pass);
      if (pooling === "pooler") throw new UnsupportedError(`${this.architecture} has no pooler: use "mean" or "cls"`);
      const firsts = pass.starts.slice(0, -1);
      return gatherRows(hidden, tape.ids(firsts));
    });
  }

  /**
   * Vectors on the host, [sequences · D] row by row.
   *
   * @example
   * const vectors = encoder.embed(concatenate([tokenizer.encode("a text")]), "mean");
   */
  embed(sequences: Sequences, pooling: Pooling = "mean"): Float32Array {
    return Tape.once(
      this.engine,
      {},
      (tape) => finiteOutputs(tape, this.pooled(tape, sequences, pooling), "embed").data,
    );
  }

  override loss(): Value {
    throw new UnsupportedError(
      `${this.architecture} has no loss: load the model with a head (AutoModelForSequenceClassification, ...) to train it`,
    );
  }
  override countLabels(): number {
    return 0;
  }
  override problemWith(example: Labelled): string | null {
    return inputProblem(example, this);
  }
}
