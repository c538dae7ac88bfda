/** The options of a Trainer, and their check at run time. */
import { anObject, callback, callOptions, listOf } from "../core/call-options.ts";
import { FormatError } from "../core/errors.ts";
import type { RunFolder } from "../core/host.ts";
import { type Option, option, orNull, type Spell } from "../core/options.ts";
import type { TrainingArguments } from "./arguments.ts";
import type { TrainingExample } from "./check-examples.ts";
import type { ComputeMetrics, PreprocessLogits } from "./evaluation/eval-prediction.ts";
import type { TrainerCallback } from "./loop/callbacks.ts";
import type { ComputeLoss, DataCollator } from "./objective.ts";
import type { Profiler } from "./profiler.ts";
import type { LogEntry } from "./run/progress.ts";
import type { RunIdentity } from "./run/run-identity.ts";
import type { ProgressReport } from "./train-result.ts";
import type { Trainable } from "./trainable.ts";

/** Examples in memory, or a stream of them: see `TrainerOptions.trainDataset`. */
export type ExampleSource<E> = readonly E[] | AsyncIterable<E>;

/** What to train, on which data, how, and where results go. */
export interface TrainerOptions<M extends Trainable = Trainable, E extends TrainingExample = TrainingExample> {
  readonly model: M;
  readonly args?: TrainingArguments;
  /**
   * The examples. A stream is read into memory before the first step: with `maxSteps` only as far as the run needs, otherwise to its
   * end; at most 1 GiB of ids and labels. A resumed run reads it again from its beginning, and it must give the same examples.
   */
  readonly trainDataset: ExampleSource<E>;
  readonly evalDataset?: ExampleSource<E> | null;
  /**
   * Where checkpoints, the result and reports are written: a folder's path, or `memoryRun()`. If omitted, nothing is
   * written.
   */
  readonly outputDir?: string | RunFolder | null;
  /** The loss, in training and in evaluations, instead of the model's own. */
  readonly computeLoss?: ComputeLoss<M, E> | null;
  /** Metrics of evaluations, in addition to those of the task. */
  readonly computeMetrics?: ComputeMetrics<E> | null;
  /** Makes the outputs for `computeMetrics` smaller, sequence by sequence. */
  readonly preprocessLogitsForMetrics?: PreprocessLogits | null;
  /** Makes a batch of examples, instead of `concatenateLabelled`. */
  readonly dataCollator?: DataCollator<E> | null;
  /** Examples with the same key come into the same batch, in their order: pairs for a contrastive loss, for instance. */
  readonly groupBy?: ((example: E, index: number) => string | number) | null;
  /**
   * The order of the examples of an epoch (counted from 0), as indices below `count`; some may be left out or repeated. It must depend
   * on its arguments alone. `shuffle` does not apply.
   */
  readonly sampler?: ((epoch: number, count: number) => Iterable<number>) | null;
  readonly callbacks?: readonly TrainerCallback[];
  /** Called after each optimizer step. */
  readonly onProgress?: (report: ProgressReport) => unknown;
  /** Called with each report: every `loggingSteps`, after each evaluation, and at the end. */
  readonly onLog?: (entry: LogEntry) => unknown;
  readonly onWarning?: (text: string) => void;
  /** What else a resumed run must have the same, such as how its data was divided. */
  readonly identity?: RunIdentity;
  /** Times the kernels of some steps, and writes `profile.md` and `trace.json` to `outputDir` at the end. */
  readonly profiler?: Profiler | null;
  /** Ends the run after the current step, with a checkpoint. */
  readonly signal?: AbortSignal;
  /**
   * How messages spell the names of settings and of these options; unchanged by default. The command line uses flags.
   */
  readonly spell?: Spell;
}

const isFunction = (value: unknown) => typeof value === "function";
const isStream = (value: unknown) => isFunction((value as AsyncIterable<unknown> | null)?.[Symbol.asyncIterator]);
const isExamples = (value: unknown) => Array.isArray(value) || isStream(value);
const has = (method: string) => (value: unknown) => isFunction((value as Record<string, unknown> | null)?.[method]);
const isFolder = (value: unknown) => typeof value === "string" || has("replace")(value);

const EXAMPLES = "examples as loadDataset gives them, or an async iterable of such";
const FOLDER = "a folder's path, or memoryRun()";
const MODEL = "a model to train: getPeftModel(model, method), or fullTraining(model, save)";
const run = { is: has("during"), expected: "a Profiler" };

const trainerOptions: Readonly<Record<keyof TrainerOptions, Option<unknown>>> = {
  model: option<unknown>(undefined, MODEL, has("namedTrainable")),
  args: anObject("an object of settings"),
  trainDataset: option<unknown>(undefined, EXAMPLES, isExamples),
  evalDataset: orNull(option<unknown>(null, EXAMPLES, isExamples)),
  outputDir: orNull(option<unknown>(null, FOLDER, isFolder)),
  computeLoss: callback(),
  computeMetrics: callback(),
  preprocessLogitsForMetrics: callback(),
  dataCollator: callback(),
  groupBy: callback(),
  sampler: callback(),
  callbacks: listOf("a list of callbacks", (value) => typeof value === "object" && value !== null),
  onProgress: callback(),
  onLog: callback(),
  onWarning: callback(),
  identity: anObject(),
  profiler: orNull(option<unknown>(null, run.expected, run.is)),
  signal: orNull(option<unknown>(null, "an AbortSignal", has("throwIfAborted"))),
  spell: callback(),
};

/** Throws FormatError that lists every unknown, wrong or missing option, and options that exclude each other. */
export function checkTrainerOptions(options: unknown): void {
  const values = callOptions("Trainer", trainerOptions, options);
  const missing = (["model", "trainDataset"] as const).filter((name) => values[name] === undefined);
  if (missing.length > 0)
    throw new FormatError(
      missing.map((name) => `Trainer: "${name}" is missing, expected ${trainerOptions[name].expected}`).join("\n"),
    );
  if (values.sampler && values.groupBy)
    throw new FormatError('Trainer: "sampler" and "groupBy" both say how examples become batches: use one of them');
  if (values.preprocessLogitsForMetrics && !values.computeMetrics)
    throw new FormatError(
      'Trainer: "preprocessLogitsForMetrics" is for the outputs that "computeMetrics" uses: give that too',
    );
}
