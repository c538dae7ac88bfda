/** An encoder-decoder language model: reads a source, writes a target. */
import { StateError } from "../core/errors.ts";
import { crossEntropy, headCrossEntropy } from "../ops/cross-entropy.ts";
import { gatherRows, type Ids } from "../ops/embedding.ts";
import { Tape, type Value } from "../tape/tape.ts";
import type { CrossAttention, EncoderDecoder } from "./define-model.ts";
import { tokenProblem } from "./example-problems.ts";
import { KvCache } from "./kv-cache.ts";
import { CrossCache, memoryOf } from "./memory.ts";
import { Model } from "./model.ts";
import type { PassOptions } from "./pass.ts";
import { expectIds, IGNORED, type Labelled, type LabelledSequences, type Sequences } from "./sequences.ts";

/** An encoder-decoder language model, made by `AutoModelForSeq2SeqLM`. Labels are the ids of the target; −100 is none. */
export class Seq2SeqLM extends Model<EncoderDecoder> {
  readonly task = "SEQ_2_SEQ_LM";

  override get headName(): string {
    return this.body.head.name;
  }
  /** The id that every target begins from. */
  get decoderStartTokenId(): number {
    return this.body.decoderStartTokenId;
  }

  override loss(tape: Tape, batch: LabelledSequences): Value {
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
    const labels = Int32Array.from(targets);
    expectIds("labels", labels, this.vocabSize);
    const ids = (data: Int32Array): Ids => ({ tape, ptr: tape.upload(data), count: data.length });
    const { head } = this.body;
    return tape.scope(() => {
      const hidden = gatherRows(this.#decoded(tape, batch, this.shiftRight(batch)), ids(Int32Array.from(rows)));
      const plain = head.deltas.length === 0 && head.bias === null && head.stored === "out-in";
      return plain
        ? headCrossEntropy(hidden, head.weight, ids(labels))
        : crossEntropy(head.forward(hidden), ids(labels));
    });
  }

  /** What the decoder is given: the labels one place later, behind the start token; an ignored label is the padding token. */
  shiftRight({ labels, labelStarts, taskIds }: LabelledSequences): Sequences {
    const padding = (this.config.pad_token_id as number | undefined) ?? 0;
    const ids = new Int32Array(labels.length);
    labelStarts.slice(0, -1).forEach((start, s) => {
      ids[start] = this.decoderStartTokenId;
      for (let t = start + 1; t < labelStarts[s + 1]!; t++)
        ids[t] = labels[t - 1] === IGNORED ? padding : labels[t - 1]!;
    });
    return { ids, starts: labelStarts, ...(taskIds && { taskIds }) };
  }

  /** Hidden rows of the decoder [T, D] for targets given as they go in. */
  #decoded(tape: Tape, sources: Sequences, targets: Sequences, options: PassOptions = {}): Value {
    const encoder = this.pass(tape, sources, options, "encoder");
    const rows = encoder.within(() => this.body.encode(encoder));
    const decoder = this.pass(tape, targets, options, "decoder");
    return decoder.within(() => this.body.decode(decoder, memoryOf(encoder, rows)));
  }

  /** Logits [T, V] of the targets of a batch as teacher forcing gives them: labels shifted right. Virtual tokens have rows too. */
  override outputs(tape: Tape, sequences: Sequences, options: PassOptions = {}): Value {
    const targets = "labels" in sequences ? this.shiftRight(sequences as LabelledSequences) : null;
    if (targets === null)
      throw new StateError("outputs: an encoder-decoder needs the target of each sequence as labels");
    return tape.scope(() => this.body.head.forward(this.#decoded(tape, sequences, targets, options)));
  }

  /** Logits on the host: see `outputs`. */
  forward(batch: LabelledSequences): Float32Array {
    return Tape.once(this.engine, {}, (tape) => tape.download(this.outputs(tape, batch)));
  }

  /** Reads the sources, once for all steps of decoding, and keeps what cross-attention needs of them. */
  encode(sources: Sequences, options: PassOptions = {}): CrossCache {
    const virtual = this.virtual?.promptLength("encoder") ?? 0;
    const starts = sources.starts.map((start, s) => start + virtual * s);
    const cache = new CrossCache(this.engine, this.body.cache, starts);
    Tape.once(this.engine, {}, (tape) => {
      const encoder = this.pass(tape, sources, options, "encoder");
      const rows = encoder.within(() => this.body.encode(encoder));
      this.body.project(rows, encoder, cache);
    });
    return cache;
  }

  /** Logits after the last of the ids given to each decoder sequence, [sequences, V]. */
  lastLogits(tape: Tape, targets: Sequences, memory: CrossAttention, options: PassOptions = {}): Value {
    return tape.scope(() => {
      const pass = this.pass(tape, targets, options, "decoder");
      const hidden = pass.within(() => this.body.decode(pass, memory));
      pass.finish();
      const rows = pass.starts.subarray(1).map((end) => end - 1);
      const picked = gatherRows(hidden, { tape, ptr: tape.upload(rows), count: rows.length });
      return pass.withinRows(rows, () => this.body.head.forward(picked));
    });
  }

  /** An empty key-value cache of the decoder for `sequences` targets of up to `capacity` tokens, besides virtual ones. */
  cache(capacity: number, sequences = 1): KvCache {
    const whole = capacity + this.virtualLength("decoder");
    return new KvCache(this.engine, { ...this.body.cache, capacity: whole, sequences });
  }

  override countLabels({ labels }: Labelled): number {
    return Array.from(labels).filter((label) => label !== IGNORED).length;
  }

  override problemWith(example: Labelled): string | null {
    return tokenProblem(example, this, this.vocabSize);
  }
}
