/** A decoder-only language model: running, training and saving. */
import { StateError } from "../../core/errors.ts";
import { countLabelled } from "../../core/labels.ts";
import { gatherRows } from "../../ops/embed/embedding.ts";
import { crossEntropy, headCrossEntropy } from "../../ops/loss/cross-entropy.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import type { Decoder } from "../define-model.ts";
import { tokenProblem } from "../pass/example-problems.ts";
import { KvCache } from "../pass/kv-cache.ts";
import type { Pass, PassOptions } from "../pass/pass.ts";
import { expectIds, type Labelled, type LabelledSequences, type Sequences, targetsOf } from "../pass/sequences.ts";
import { Model } from "./model.ts";

/** A decoder-only language model in an engine, created by `AutoModelForCausalLM`. */
export class CausalLM extends Model<Decoder> {
  override get headName(): string {
    return this.body.head.name;
  }

  /** Hidden rows after the last norm [T, D], recorded on `tape`. Virtual tokens have rows too. */
  hidden(tape: Tape, sequences: Sequences, options: PassOptions = {}): Value {
    return this.#run(this.pass(tape, sequences, options));
  }

  #run(pass: Pass): Value {
    const hidden = this.body.forward(pass);
    pass.finish();
    return hidden;
  }

  /** Rows without a label are dropped before the output projection. */
  override loss(tape: Tape, batch: LabelledSequences, options: PassOptions = {}): Value {
    const virtual = this.virtual?.promptLength(this.stack) ?? 0;
    const { rows, targets } = targetsOf(batch, () => virtual);
    if (rows.length === 0) throw new StateError("loss: no position of the batch has a label");
    expectIds("labels", targets, this.vocabSize);
    const { head } = this.body;
    return tape.scope(() => {
      const pass = this.pass(tape, batch, options);
      const hidden = gatherRows(this.#run(pass), tape.ids(rows));
      return head.isPlain
        ? headCrossEntropy(hidden, head.weight, tape.ids(targets))
        : crossEntropy(head.forward(hidden, pass.picked(rows)), tape.ids(targets));
    });
  }

  /** The label of the first token counts only if virtual tokens precede it. */
  override countLabels({ labels }: Labelled): number {
    return countLabelled(labels, (this.virtual?.promptLength(this.stack) ?? 0) > 0 ? 0 : 1);
  }

  override problemWith(example: Labelled): string | null {
    if (example.inputIds.length !== example.labels.length)
      return `${example.labels.length} labels for ${example.inputIds.length} tokens, expected one per token`;
    return tokenProblem(example, this, this.vocabSize);
  }

  override outputs(tape: Tape, sequences: Sequences, options: PassOptions = {}): Value {
    return this.logits(tape, sequences, undefined, options);
  }

  /** Logits [R, V] of the given rows of the batch, all rows by default. */
  logits(tape: Tape, sequences: Sequences, rows?: Int32Array, options: PassOptions = {}): Value {
    return tape.scope(() => {
      const pass = this.pass(tape, sequences, options);
      const hidden = this.#run(pass);
      if (!rows) return this.body.head.forward(hidden, pass);
      const picked = gatherRows(hidden, tape.ids(rows));
      return this.body.head.forward(picked, pass.picked(rows));
    });
  }

  /** Logits after the last token of each sequence, [sequences, V]. */
  lastLogits(tape: Tape, sequences: Sequences, options: PassOptions = {}): Value {
    return tape.scope(() => {
      const pass = this.pass(tape, sequences, options);
      const hidden = this.#run(pass);
      const rows = pass.starts.subarray(1).map((end) => end - 1);
      const picked = gatherRows(hidden, tape.ids(rows));
      return this.body.head.forward(picked, pass.picked(rows));
    });
  }

  /** An empty key-value cache for `sequences` sequences of up to `capacity` tokens, not counting virtual ones. */
  cache(capacity: number, sequences = 1): KvCache {
    this.expectLive("cache");
    const withVirtual = capacity + this.virtualLength(this.stack);
    return new KvCache(this.engine, { ...this.body.cache, capacity: withVirtual, sequences });
  }
}
