/** An encoder-decoder language model: reads a source, writes a target. */

import { StateError } from "../../core/errors.ts";
import { countLabelled, IGNORED } from "../../core/labels.ts";
import { wholeNumbers } from "../../core/whole-numbers.ts";
import { gatherRows } from "../../ops/embed/embedding.ts";
import { crossEntropy, headCrossEntropy } from "../../ops/loss/cross-entropy.ts";
import { Tape, type Tensor, type Value } from "../../tape/tape.ts";
import type { EncoderDecoder } from "../define-model.ts";
import { type CrossAttention, CrossCache, memoryOf } from "../pass/cross-attention.ts";
import { inputProblem, tokenProblem } from "../pass/example-problems.ts";
import { KvCache } from "../pass/kv-cache.ts";
import { allBlocks, type Pass, type PassOptions } from "../pass/pass.ts";
import { expectIds, type Labelled, type LabelledSequences, type Sequences } from "../pass/sequences.ts";
import { shiftRight } from "../pass/shift-right.ts";
import { finiteOutputs } from "./finite-outputs.ts";
import { Model } from "./model.ts";

/**
 * An encoder-decoder language model, created by `AutoModelForSeq2SeqLM`. Labels are the ids of the target; −100 means
 * no label.
 */
export class Seq2SeqLM extends Model<EncoderDecoder> {
  override get headName(): string {
    return this.body.head.name;
  }
  /** The id that starts every target. */
  get decoderStartTokenId(): number {
    return this.body.decoderStartTokenId;
  }

  override loss(tape: Tape, batch: LabelledSequences, options: PassOptions = {}): Value {
    const virtual = this.virtual?.promptLength("decoder") ?? 0;
    const [rows, targets]: [number[], number[]] = [[], []];
    batch.labelStarts.slice(0, -1).forEach((start, s) => {
      for (let t = start; t < batch.labelStarts[s + 1]!; t++) {
        if (batch.labels[t] === IGNORED) continue;
        rows.push(t + virtual * (s + 1));
        targets.push(batch.labels[t]!);
      }
    });
    if (rows.length === 0) throw new StateError("loss: no position of the batch has a label");
    const labels = wholeNumbers("labels", targets);
    expectIds("labels", labels, this.vocabSize);
    const { head } = this.body;
    return tape.scope(() => {
      const decoded = this.#decoded(tape, batch, this.shiftRight(batch), options);
      const picked = Int32Array.from(rows);
      const hidden = gatherRows(decoded.hidden, tape.ids(picked));
      return head.isPlain
        ? headCrossEntropy(hidden, head.weight, tape.ids(labels))
        : crossEntropy(head.forward(hidden, decoded.pass.picked(picked)), tape.ids(labels));
    });
  }

  /**
   * The decoder's input: the labels shifted by one position, after the start token; an ignored label becomes the
   * padding token.
   */
  shiftRight({ labels, labelStarts, taskIds }: LabelledSequences): Sequences {
    const padding = (this.config.pad_token_id as number | undefined) ?? 0;
    const given = wholeNumbers(
      "labels",
      Array.from(labels, (label) => (label === IGNORED ? padding : label)),
    );
    const ids = shiftRight(given, labelStarts, this.decoderStartTokenId);
    return { ids, starts: labelStarts, ...(taskIds && { taskIds }) };
  }

  /** Hidden rows of the decoder [T, D] for already shifted targets, and their pass. */
  #decoded(
    tape: Tape,
    sources: Sequences,
    targets: Sequences,
    options: PassOptions = {},
  ): { pass: Pass; hidden: Value } {
    const encoder = this.pass(tape, sources, options, "encoder");
    const rows = this.body.encode(encoder);
    const pass = this.pass(tape, targets, allBlocks(options), "decoder");
    return { pass, hidden: this.body.decode(pass, memoryOf(encoder, rows)) };
  }

  /**
   * Logits [T, V] of the targets of a batch with teacher forcing: labels shifted right. Virtual tokens also have rows.
   */
  override outputs(tape: Tape, sequences: Sequences, options: PassOptions = {}): Value {
    const targets = "labels" in sequences ? this.shiftRight(sequences as LabelledSequences) : null;
    if (targets === null)
      throw new StateError("outputs: an encoder-decoder needs the target of each sequence as labels");
    return tape.scope(() => {
      const { pass, hidden } = this.#decoded(tape, sequences, targets, options);
      return this.body.head.forward(hidden, pass);
    });
  }

  /** Logits on the host: see `outputs`. */
  override forward(batch: LabelledSequences): Tensor {
    return Tape.once(this.engine, {}, (tape) => finiteOutputs(tape, this.outputs(tape, batch), "forward"));
  }

  /** Encodes the sources, once for all decoding steps, and keeps what cross-attention needs. */
  encode(sources: Sequences, options: PassOptions = {}): CrossCache {
    let cache: CrossCache | undefined;
    try {
      Tape.once(this.engine, {}, (tape) => {
        const pass = this.pass(tape, sources, options, "encoder");
        const rows = this.body.encode(pass);
        cache ??= new CrossCache(this.engine, this.body.cache, pass.starts);
        this.body.project(rows, pass, cache);
      });
      return cache!;
    } catch (error) {
      cache?.dispose();
      throw error;
    }
  }

  /** Logits after the last given id of each decoder sequence, [sequences, V]. */
  lastLogits(tape: Tape, targets: Sequences, memory: CrossAttention, options: PassOptions = {}): Value {
    return tape.scope(() => {
      const pass = this.pass(tape, targets, options, "decoder");
      const hidden = this.body.decode(pass, memory);
      pass.finish();
      const rows = pass.starts.subarray(1).map((end) => end - 1);
      const picked = gatherRows(hidden, tape.ids(rows));
      return this.body.head.forward(picked, pass.picked(rows));
    });
  }

  /**
   * An empty key-value cache of the decoder for `sequences` targets of up to `capacity` tokens, not counting virtual
   * ones.
   */
  cache(capacity: number, sequences = 1): KvCache {
    this.expectLive("cache");
    const withVirtual = capacity + this.virtualLength("decoder");
    return new KvCache(this.engine, { ...this.body.cache, capacity: withVirtual, sequences });
  }

  override countLabels({ labels }: Labelled): number {
    return countLabelled(labels);
  }

  override problemWith(example: Labelled): string | null {
    const problem = inputProblem(example, this);
    if (problem !== null) return problem;
    if (this.countLabels(example) === 0) return "nothing to learn: no token of the target has a label";
    return tokenProblem(example, this, this.vocabSize);
  }
}
