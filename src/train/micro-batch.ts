/** One forward pass, with or without its backward pass, and the working memory that it needs. */
import type { GivenRows } from "../nn/pass/pass.ts";
import type { Labelled } from "../nn/pass/sequences.ts";
import { Tape, type TapeOptions, type Value } from "../tape/tape.ts";
import type { TrainingExample } from "./check-examples.ts";
import { type MicroBatch, type Objective, sequencesOf } from "./objective.ts";

/** The sum of the losses of a batch, in f64, and what they count for. */
export interface SummedLoss {
  readonly sum: number;
  readonly count: number;
}

/**
 * The sum of all losses; adds the gradients of the losses divided by `divisor`. Nothing is added if the sum is not finite. An own
 * loss is planned first, because its memory may depend on what is in the batch.
 */
export function lossAndGradients(
  objective: Objective,
  bytes: number,
  batch: MicroBatch,
  { divisor, seed, checkpointing = false, given }: { divisor: number; seed: readonly [number, number] } & HowToTrain,
): SummedLoss {
  const room = objective.hasOwnLoss ? Math.max(bytes, trainingBytes(objective, batch, { checkpointing })) : bytes;
  return Tape.run(objective.engine, room, { ...trainingTape, seed, checkpointing }, (tape) => {
    const { losses, count } = objective.losses(tape, batch, { given });
    const sum = sumOf(tape, losses);
    if (Number.isFinite(sum)) tape.backward(losses, 1 / divisor);
    return { sum, count };
  });
}

/** What a training step skips or computes twice; this changes its time and memory but not one bit of its result. */
export interface HowToTrain {
  readonly checkpointing?: boolean;
  readonly given?: GivenRows | undefined;
}

const trainingTape: TapeOptions = { recording: true, training: true };

/** Batches as indices into examples, and whether they are trained on. */
export interface PlannedBatches {
  readonly examples: readonly TrainingExample[];
  readonly batches: Iterable<readonly number[]>;
  readonly training: boolean;
  /** The seed of the run, for own collators. */
  readonly seed: number;
}

/**
 * Bytes of working memory that the largest of `batches` needs, found by one dry run per shape: a step's memory depends on the
 * numbers of tokens, labels and sequences, on the longest of them, and on the tasks they belong to.
 */
export function plannedBytes(
  objective: Objective,
  { examples, batches, training, seed }: PlannedBatches,
  bytesOf: (batch: MicroBatch) => number,
): number {
  const labels = examples.map((example) => objective.model.countLabels(example));
  const seen = new Set<string>();
  let bytes = 0;
  let number = 0;
  for (const indices of batches) {
    const chosen = indices.map((i) => examples[i]!);
    const context = { seed: [seed, number++] as const, training };
    const collated = objective.hasCollator ? objective.batch(chosen, context) : null;
    const counted = collated?.labels ?? indices.reduce((sum, i) => sum + labels[i]!, 0);
    const shape = `${collated === null ? shapeOf(chosen) : collatedShape(collated)} ${counted}`;
    if (seen.has(shape)) continue;
    seen.add(shape);
    bytes = Math.max(bytes, bytesOf(collated ?? objective.batch(chosen, context)));
  }
  return bytes;
}

function shapeOf(parts: readonly (Labelled & Pick<TrainingExample, "inputs">)[]): string {
  const of = (sizes: readonly number[]) => `${sizes.reduce((sum, n) => sum + n, 0)}/${Math.max(...sizes)}`;
  const given = parts.flatMap(({ inputs = [] }) => inputs.map(({ values }) => values.length));
  const tasks = parts.map(({ taskId }) => taskId ?? 0); // each task of a batch has its own prompt
  return `${of(parts.map((e) => e.inputIds.length))} ${of(parts.map((e) => e.labels.length))} ${tasks} ${given}`;
}

function collatedShape({ sequences }: MicroBatch): string {
  const { inputs = [], taskIds = [] } = sequences;
  return `${shapeOf(sequencesOf(sequences))} ${taskIds} ${inputs.map(({ values }) => values.length)}`;
}

/** The working memory of a training step on one batch. Without the workspaces of kernels when `scratch` is false. */
export function trainingBytes(
  objective: Objective,
  batch: MicroBatch,
  { checkpointing = false, given, scratch = true }: HowToTrain & { scratch?: boolean } = {},
): number {
  const step = (tape: Tape) => {
    const { losses } = objective.losses(tape, batch, { given });
    tape.backward(losses, 1);
  };
  return Tape.plan(objective.engine, { ...trainingTape, checkpointing }, step, { scratch });
}

/** Sum of all losses, in f64. */
export function sumOf(tape: Tape, losses: Value): number {
  let sum = 0;
  for (const loss of tape.download(losses)) sum += loss;
  return sum;
}
