/** One forward pass, with or without its backward pass, and the working memory that it needs. */
import type { GivenRows } from "../nn/pass/pass.ts";
import type { Labelled } from "../nn/pass/sequences.ts";
import { type ActivationDtype, Tape, type TapeOptions, type Value } from "../tape/tape.ts";
import type { TrainingExample } from "./check-examples.ts";
import { type MicroBatch, type Objective, sequencesOf } from "./objective.ts";
import { type BatchPart, partsOf, rowsOfParts, wholeBatch } from "./parts.ts";

/** The sum of the losses of a batch, in f64, and what they count for. */
export interface SummedLoss {
  readonly sum: number;
  readonly count: number;
}

/**
 * The sum of all losses; adds the gradients of the losses divided by `divisor`, up to the part whose sum is not finite. An own
 * loss is planned first, because its memory may depend on what is in the batch.
 */
export function lossAndGradients(
  objective: Objective,
  bytes: number,
  batch: MicroBatch,
  { divisor, seed, ...how }: { divisor: number; seed: readonly [number, number] } & HowToTrain,
): SummedLoss {
  const parts = partsToRun(objective, batch, how);
  const room = objective.hasOwnLoss ? Math.max(bytes, trainingBytes(objective, batch, how)) : bytes;
  return Tape.run(objective.engine, room, { ...tapeOf(how), seed }, (tape) =>
    passThrough(tape, objective, parts, divisor, how),
  );
}

/** What a training step skips, computes twice or keeps rounded. Only rounding changes its result. */
export interface HowToTrain {
  readonly checkpointing?: boolean;
  readonly activations?: ActivationDtype;
  readonly given?: GivenRows | undefined;
}

/** Forward and backward passes of the parts of a batch. Nothing of a part is left when the next one begins. */
function passThrough(
  tape: Tape,
  objective: Objective,
  parts: readonly BatchPart[],
  divisor: number,
  { given }: HowToTrain,
): SummedLoss {
  let [sum, counted] = [0, 0];
  for (const { batch, part } of parts) {
    tape.begin(part);
    const losses = tape.scope(() => {
      const found = objective.losses(tape, batch, { given });
      counted += found.count;
      return found.losses;
    });
    if (!tape.planning) sum = sumOf(tape, losses, sum);
    if (Number.isFinite(sum)) tape.backward(losses, 1 / divisor);
    tape.release(losses);
  }
  return { sum, count: counted };
}

const tapeOf = ({ given: _, ...how }: HowToTrain): TapeOptions => ({ ...trainingTape, ...how });

/**
 * The parts in which a step runs a batch: the batch as a whole if it needs little memory, or if its bits would be others. That is
 * found by a dry run for each shape.
 */
function partsToRun(objective: Objective, batch: MicroBatch, how: HowToTrain): readonly BatchPart[] {
  const whole = [wholeBatch(batch)];
  if (how.given !== undefined || partsOf(objective, batch) === null) return whole;
  const key = `${collatedShape(batch)} ${batch.labels}`;
  let rows = objective.cuts.get(key);
  if (rows === undefined) {
    let divisible = false;
    const dryRun = (tape: Tape) => {
      passThrough(tape, objective, whole, 1, how);
      divisible = tape.isDivisible && !(objective.model.hasTarget && tape.streams > 0);
    };
    const bytes = Tape.plan(objective.engine, tapeOf(how), dryRun, { scratch: false });
    rows = divisible ? rowsOfParts(batch, bytes) : 0;
    objective.cuts.set(key, rows);
  }
  return (rows > 0 && partsOf(objective, batch, rows)) || whole;
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
    const cuts = [...objective.cuts.values()].some(Boolean); // then it matters which sequences share a part
    const each = cuts ? indices.map((i) => `${examples[i]!.inputIds.length}:${labels[i]}`) : "";
    const shape = `${collated === null ? shapeOf(chosen) : collatedShape(collated)} ${counted} ${each}`;
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
  { scratch = true, ...how }: HowToTrain & { scratch?: boolean } = {},
): number {
  const parts = partsToRun(objective, batch, how);
  const step = (tape: Tape) => passThrough(tape, objective, parts, 1, how);
  return Tape.plan(objective.engine, tapeOf(how), step, { scratch });
}

/** Sum of all losses, in f64, after those before them. */
export function sumOf(tape: Tape, losses: Value, before = 0): number {
  let sum = before;
  for (const loss of tape.download(losses)) sum += loss;
  return sum;
}
