/** One forward pass, with or without its backward pass, and the working memory that it needs. */
import { countLabels } from "../data/examples.ts";
import { concatenateLabelled, type LabelledSequences } from "../nn/sequences.ts";
import { Tape, type TapeOptions, type Value } from "../tape/tape.ts";
import { sizeOf } from "../core/shape.ts";
import type { TrainingExample } from "./check-examples.ts";
import type { Trainable } from "./trainable.ts";

/** Examples laid end to end, with what is counted of them. */
export interface MicroBatch {
  readonly sequences: LabelledSequences;
  readonly tokens: number;
  /** Positions whose label counts. */
  readonly labels: number;
}

export function microBatch(examples: readonly TrainingExample[], indices: readonly number[]): MicroBatch {
  const chosen = indices.map((i) => examples[i]!);
  return {
    sequences: concatenateLabelled(chosen),
    tokens: chosen.reduce((sum, { inputIds }) => sum + inputIds.length, 0),
    labels: chosen.reduce((sum, example) => sum + countLabels(example), 0),
  };
}

/** Sum of the losses of all labelled positions, in f64. */
export function lossOf(model: Pick<Trainable, "engine" | "loss">, bytes: number, { sequences }: MicroBatch): number {
  return Tape.run(model.engine, bytes, {}, (tape) => sumOf(tape, model.loss(tape, sequences)));
}

/**
 * The same, and adds the gradients of the losses divided by `divisor`, the labels of the whole optimiser step. Nothing is
 * added when the sum is not finite.
 */
export function lossAndGradients(
  model: Pick<Trainable, "engine" | "loss">,
  bytes: number,
  { sequences }: MicroBatch,
  { divisor, seed }: { divisor: number; seed: readonly [number, number] },
): number {
  return Tape.run(model.engine, bytes, { ...trainingTape, seed }, (tape) => {
    const losses = model.loss(tape, sequences);
    const sum = sumOf(tape, losses);
    if (Number.isFinite(sum)) tape.backward(losses, 1 / divisor);
    return sum;
  });
}

const trainingTape: TapeOptions = { recording: true, training: true };

/**
 * Bytes of working memory that the largest of `batches` needs, found by walking through each shape once without
 * computing: a step's memory depends on the numbers of tokens, labels and sequences only.
 */
export function plannedBytes(model: Pick<Trainable, "engine" | "loss">, batches: Iterable<MicroBatch>, training: boolean): number {
  const seen = new Set<string>();
  let bytes = 0;
  for (const { sequences, tokens, labels } of batches) {
    const shape = `${tokens} ${labels} ${sequences.starts.length}`;
    if (seen.has(shape)) continue;
    seen.add(shape);
    const planned = Tape.plan(model.engine, training ? trainingTape : {}, (tape) => {
      const losses = model.loss(tape, sequences);
      if (training) tape.backward(losses, 1);
    });
    bytes = Math.max(bytes, planned);
  }
  return bytes;
}

function sumOf(tape: Tape, losses: Value): number {
  let sum = 0;
  for (const loss of tape.memory.f32(losses.ptr, sizeOf(losses.shape))) sum += loss;
  return sum;
}
