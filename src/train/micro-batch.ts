/** One forward pass, with or without its backward pass, and the working memory that it needs. */
import { sizeOf } from "../core/shape.ts";
import type { GivenRows } from "../nn/pass/pass.ts";
import { concatenateLabelled, type LabelledSequences } from "../nn/pass/sequences.ts";
import { Tape, type TapeOptions, type Value } from "../tape/tape.ts";
import type { TrainingExample } from "./check-examples.ts";
import type { Trainable } from "./trainable.ts";

/** What computing a loss needs from a model. */
type Computing = Pick<Trainable, "engine" | "loss" | "countLabels">;

/** Concatenated examples with their counts. */
export interface MicroBatch {
  readonly sequences: LabelledSequences;
  readonly tokens: number;
  /** The number of positions whose label is not ignored. */
  readonly labels: number;
}

export function microBatch(
  model: Pick<Trainable, "countLabels">,
  examples: readonly TrainingExample[],
  indices: readonly number[],
): MicroBatch {
  const chosen = indices.map((i) => examples[i]!);
  return {
    sequences: concatenateLabelled(chosen),
    tokens: chosen.reduce((sum, example) => sum + tokensOf(example), 0),
    labels: chosen.reduce((sum, example) => sum + model.countLabels(example), 0),
  };
}

/** The size of an example in a batch: its number of tokens; an image counts as one. */
export function tokensOf({ inputIds }: TrainingExample): number {
  return Math.max(1, inputIds.length);
}

/**
 * The sum of all losses, in f64; adds the gradients of the losses divided by `divisor`, the number of labels of the
 * whole optimizer step. Nothing is added if the sum is not finite.
 */
export function lossAndGradients(
  model: Computing,
  bytes: number,
  { sequences }: MicroBatch,
  { divisor, seed, checkpointing = false, given }: { divisor: number; seed: readonly [number, number] } & HowToTrain,
): number {
  return Tape.run(model.engine, bytes, { ...trainingTape, seed, checkpointing }, (tape) => {
    const losses = model.loss(tape, sequences, { given });
    const sum = sumOf(tape, losses);
    if (Number.isFinite(sum)) tape.backward(losses, 1 / divisor);
    return sum;
  });
}

/** What a training step skips or computes twice; this changes its time and memory but not one bit of its result. */
export interface HowToTrain {
  readonly checkpointing?: boolean;
  readonly given?: GivenRows | undefined;
}

const trainingTape: TapeOptions = { recording: true, training: true };

/**
 * Bytes of working memory that the largest of `batches` of examples needs, found by one dry run per shape: a step's
 * memory depends on the numbers of tokens, labels and sequences, on the longest of them, and on the tasks they belong
 * to.
 */
export function plannedBytes(
  model: Computing,
  examples: readonly TrainingExample[],
  batches: Iterable<readonly number[]>,
  training: boolean,
  how: HowToTrain = {},
): number {
  const labels = examples.map((example) => model.countLabels(example));
  const seen = new Set<string>();
  let bytes = 0;
  for (const indices of batches) {
    const of = (sizes: readonly number[]) => `${sizes.reduce((sum, n) => sum + n, 0)}/${Math.max(...sizes)}`;
    const tokens = indices.map((i) => examples[i]!.inputIds.length);
    const targets = indices.map((i) => examples[i]!.labels.length);
    const given = indices.flatMap((i) => examples[i]!.inputs?.map(({ values }) => values.length) ?? []);
    const counted = indices.reduce((sum, i) => sum + labels[i]!, 0);
    const tasks = indices.map((i) => examples[i]!.taskId ?? 0); // each task of a batch has its own prompt
    const shape = `${of(tokens)} ${of(targets)} ${counted} ${tasks.join()} ${given.join()}`;
    if (seen.has(shape)) continue;
    seen.add(shape);
    const { sequences } = microBatch(model, examples, indices);
    bytes = Math.max(bytes, plannedBytesOf(model, sequences, training, how));
  }
  return bytes;
}

/** The same for one batch. Without the workspaces of kernels when `scratch` is false. */
export function plannedBytesOf(
  model: Computing,
  sequences: LabelledSequences,
  training: boolean,
  { checkpointing = false, given, scratch = true }: HowToTrain & { scratch?: boolean } = {},
): number {
  const step = (tape: Tape) => {
    const losses = model.loss(tape, sequences, { given });
    if (training) tape.backward(losses, 1);
  };
  return Tape.plan(model.engine, training ? { ...trainingTape, checkpointing } : {}, step, { scratch });
}

/** Sum of all losses, in f64. */
export function sumOf(tape: Tape, losses: Value): number {
  let sum = 0;
  for (const loss of tape.memory.f32(losses.ptr, sizeOf(losses.shape))) sum += loss;
  return sum;
}
