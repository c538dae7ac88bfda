/**
 * Training. The loss of an optimizer step is the mean over all label tokens of all its micro-batches, so splitting a step into
 * more micro-batches changes only rounding.
 *
 * A run is a pure function of model, data and settings: the order of the data and the dropout masks come from
 * counter-based generators, so a run that stops at a checkpoint and resumes ends with the same bits as one that never
 * stopped.
 */
import { openOutput } from "../checkpoint/open.ts";
import { callOptions } from "../core/call-options.ts";
import { StateError } from "../core/errors.ts";
import type { RunFolder } from "../core/host.ts";
import { asNamed, option, type Spell } from "../core/options.ts";
import { expectTrainedClasses } from "../data/classes.ts";
import type { ModelUse } from "../nn/tasks/model-uses.ts";
import type { Optimizer } from "../optim/define-optimizer.ts";
import { schedule } from "../optim/schedules.ts";
import { completeArguments, type Settings, type TrainingArguments } from "./arguments.ts";
import { checkExamples, fingerprint, type TrainingExample } from "./check-examples.ts";
import type { ComputeMetrics, EvalPrediction } from "./evaluation/eval-prediction.ts";
import { type Evaluated, type EvaluateOptions, evaluationBytes } from "./evaluation/evaluate.ts";
import type { OutputsUse } from "./evaluation/run-evaluation.ts";
import { FrozenCache, type FrozenCacheReport } from "./frozen-cache.ts";
import { expectCallbacks } from "./loop/callbacks.ts";
import { makeOptimizer } from "./make-optimizer.ts";
import { largestBatch, type MemoryPlan, planOf } from "./memory-plan.ts";
import { plannedBytes, trainingBytes } from "./micro-batch.ts";
import { Objective, tokensOf } from "./objective.ts";
import { atStart, type LogEntry } from "./run/progress.ts";
import { RESUME_NAME, type Resume } from "./run/resume.ts";
import type { RunIdentity } from "./run/run-identity.ts";
import type { RunOutput } from "./run/run-output.ts";
import { StepSchedule } from "./step-schedule.ts";
import type { TrainResult } from "./train-result.ts";
import type { Trainable } from "./trainable.ts";
import { checkTrainerOptions, type ExampleSource, type TrainerOptions } from "./trainer-options.ts";

/** The number of optimizer steps of training on these examples. */
export function countSteps(examples: readonly TrainingExample[], args: TrainingArguments): number {
  return new StepSchedule(examples.map(tokensOf), completeArguments(args)).steps;
}

/** The loss in a report, by its name. */
export type LossOf<P extends string> = Readonly<Record<`${P}_loss`, number>>;

/** The predictions of a model for a data set, and how good they are. */
export interface PredictionOutput<E extends TrainingExample = TrainingExample, P extends string = "test">
  extends EvalPrediction<E> {
  /** `test_loss`, the metrics as `test_accuracy`, and so on. */
  readonly metrics: LogEntry & LossOf<P>;
}

/** The examples of a run, and which step uses which. */
interface RunData<E> {
  readonly train: readonly E[];
  readonly evaluation: readonly E[] | null;
  readonly schedule: StepSchedule;
}

/**
 * Trains the trainable parameters of a model.
 *
 * @example
 * const trainer = new Trainer({ model, args: { maxSteps: 100, learningRate: 1e-3 }, trainDataset, outputDir: "out" });
 * const { trainLoss, lastLoss } = await trainer.train();
 */
export class Trainer<M extends Trainable = Trainable, E extends TrainingExample = TrainingExample> {
  readonly args: Readonly<Settings>;
  readonly #options: TrainerOptions<M, E>;
  readonly #model: M;
  readonly #folder: RunFolder | null;
  readonly #spell: Spell;
  readonly #objective: Objective;
  #data: RunData<E> | null = null;
  #planned: number | null = null;
  #cache: FrozenCache | null = null;

  /** Throws FormatError that lists every problem with the options, with the settings, or with the examples. */
  constructor(options: TrainerOptions<M, E>) {
    checkTrainerOptions(options);
    expectCallbacks(options.callbacks ?? []);
    this.#spell = options.spell ?? asNamed;
    this.args = completeArguments(options.args ?? {}, this.#spell);
    this.#options = options;
    this.#model = options.model;
    this.#folder = openOutput(options.outputDir ?? null);
    this.#objective = new Objective(this.#model, options);
    this.#expectUsable();
    const { trainDataset, evalDataset = null } = options;
    if (isHeld(trainDataset) && (evalDataset === null || isHeld(evalDataset))) this.#hold(trainDataset, evalDataset);
  }

  #expectUsable(): void {
    const { earlyStoppingPatience, loadBestModelAtEnd, metricForBestModel, cacheFrozen } = this.args;
    const asking = { loadBestModelAtEnd, metricForBestModel, earlyStoppingPatience };
    const [asks] = Object.entries(asking).find(([, value]) => value !== null && value !== false) ?? [];
    const { evalDataset, computeMetrics } = this.#options;
    const spell = this.#spell;
    if (asks !== undefined && !evalDataset)
      throw new StateError(`${spell(asks)} needs evaluation data: set ${spell("evalDataset")}`);
    if (computeMetrics && !evalDataset && this.#options.evalDataset !== undefined)
      throw new StateError(`computeMetrics needs evaluation data: set ${spell("evalDataset")}`);
    if (loadBestModelAtEnd && this.#folder === null) {
      const setting = spell("loadBestModelAtEnd");
      throw new StateError(`${setting} needs an output folder for the best model: set ${spell("outputDir")}`);
    }
    if (cacheFrozen > 0 && !this.#objective.isPlain) {
      const own = this.#objective.hasOwnLoss ? "computeLoss" : "dataCollator";
      throw new StateError(
        `${spell("cacheFrozen")} keeps rows for the model's own loss of whole examples: leave it out with ${own}`,
      );
    }
  }

  /**
   * Reads data that is a stream: see `trainDataset`. `train` does it; call it before to plan such a run.
   */
  async prepare(): Promise<void> {
    if (this.#data !== null) return;
    const { readStream, neededBy } = await import("./read-stream.ts");
    const all = { rows: Number.POSITIVE_INFINITY, tokens: Number.POSITIVE_INFINITY };
    const read = (what: string, source: ExampleSource<E>, limit: typeof all) =>
      isHeld(source) ? source : readStream(what, source, limit);
    const { trainDataset, evalDataset = null } = this.#options;
    const train = await read("training data", trainDataset, neededBy(this.args));
    this.#hold(train, evalDataset && (await read("evaluation data", evalDataset, all)));
  }

  #hold(train: readonly E[], evaluation: readonly E[] | null): void {
    const limits = { model: this.#model, tokensPerBatch: this.args.tokensPerBatch };
    checkExamples("training data", train, limits);
    if (evaluation) {
      checkExamples("evaluation data", evaluation, limits);
      expectTrainedClasses(train, evaluation, this.#model.labelNames, "evaluation data");
    }
    const { sampler, groupBy } = this.#options;
    const groups = groupBy ? numbered(train.map(groupBy)) : undefined;
    this.#data = { train, evaluation, schedule: new StepSchedule(train.map(tokensOf), this.args, { sampler, groups }) };
  }

  get #held(): RunData<E> {
    if (this.#data !== null) return this.#data;
    throw new StateError("the data of this trainer is a stream that is not read yet: call prepare() or train() first");
  }

  /** Optimizer steps of the run. */
  get steps(): number {
    return this.#held.schedule.steps;
  }

  /**
   * The peak of the working memory over every batch of the run, in bytes: training and evaluation use exactly that
   * much. Found by one dry run per batch shape.
   */
  plan(): number {
    this.#planned ??= this.#withDropout(() => {
      const { train: examples, evaluation, schedule } = this.#held;
      const { gradientCheckpointing: checkpointing, activations, cacheFrozen, seed } = this.args;
      const warn = (text: string) => this.#options.onWarning?.(text);
      if (cacheFrozen > 0)
        this.#cache = FrozenCache.open(this.#model, examples, cacheFrozen, { warn, spell: this.#spell });
      const how = { checkpointing, activations, given: this.#cache?.planned };
      const batches = { examples, batches: schedule.microBatches(), training: true, seed };
      const bytesOf = (batch: Parameters<typeof trainingBytes>[1]) => trainingBytes(this.#objective, batch, how);
      const training = plannedBytes(this.#objective, batches, bytesOf);
      const below = this.#cache?.plannedBytes(schedule.microBatches()) ?? 0;
      const evaluating = evaluation ? evaluationBytes(this.#evaluated(), evaluation, this.#evaluation) : 0;
      return Math.max(training, below, evaluating);
    });
    return this.#planned;
  }

  /** The engine memory that the run needs, including the model. */
  memory(): MemoryPlan {
    const working = this.plan();
    return planOf(this.#model, this.#objective, this.args, largestBatch(this.#held.train, this.args), working);
  }

  /** Throws StateError that lists settings that would fit, if the run does not fit into memory. */
  async #expectRoom(): Promise<void> {
    const plan = this.memory();
    const allowed = this.#model.engine.memory.offer(plan.total, plan.memories);
    if (plan.total <= allowed) return;
    const { fittingSettings, tooLittleMemory } = await import("./memory-fit.ts");
    const run = { model: this.#model, args: this.args, trainDataset: this.#held.train, own: this.#options };
    throw tooLittleMemory(plan, allowed, await fittingSettings(run, allowed), this.#spell);
  }

  /** The number of examples that `cacheFrozen` has cached so far; null if it is disabled or nothing can be cached. */
  get frozenCache(): FrozenCacheReport | null {
    return this.#cache?.report ?? null;
  }

  get #evaluation(): EvaluateOptions {
    const { perDeviceEvalBatchSize: batchSize, tokensPerBatch } = this.args;
    return { batchSize, tokensPerBatch };
  }

  get #uses(): OutputsUse {
    const { computeMetrics, preprocessLogitsForMetrics: preprocess } = this.#options;
    return { computeMetrics: computeMetrics as ComputeMetrics | null | undefined, preprocess };
  }

  #evaluated(usesOutputs = Boolean(this.#options.computeMetrics)): Evaluated {
    return { model: this.#model, objective: this.#objective, usesOutputs, seed: this.args.seed };
  }

  /**
   * Trains to the end, or until the signal. With `resume` it continues from the newest checkpoint in `outputDir`, or
   * starts from the beginning if there is none; `resume: "checkpoint-300"` names one. A damaged checkpoint is passed over for
   * the one before it, which `onWarning` says. Throws StateError if another run is using `outputDir` or the model is being
   * trained already; before the first step if the run does not fit into memory; and when the loss or the gradient is no
   * longer finite: parameters then keep their values from the previous step.
   */
  train(options: { resume?: Resume } = {}): Promise<TrainResult> {
    return this.#model.uses.during(training, async () => {
      this.#model.watch("train"); // throws where the model is gone
      return this.#train(options);
    });
  }

  async #train(options: { resume?: Resume }): Promise<TrainResult> {
    const { resume } = callOptions("train", { resume: resumeOption }, options);
    await this.prepare();
    await this.#expectRoom();
    const bytes = this.plan();
    this.#cache?.clear();
    const { engine } = this.#model;
    const output = await this.#openOutput(resume);
    const optimizer = makeOptimizer(this.#model, this.args, this.#spell);
    try {
      engine.takeArena(bytes);
      engine.returnArena();
      const identity = { ...this.#options.identity, ...(output && (await this.#ownIdentity())) };
      await output?.prepare(resume);
      const progress = resume !== false && output ? await output.restore(resume, optimizer, identity) : atStart;
      const loop = await this.#loop({ optimizer, bytes, identity, output }, progress);
      return await this.#withDropout(() => loop.train());
    } finally {
      optimizer.dispose();
      await this.#writeProfile().finally(() => output?.close());
    }
  }

  async #openOutput(resume: Resume): Promise<RunOutput | null> {
    const folder = this.#folder;
    if (folder === null) {
      if (resume !== false) throw new StateError("train: resume needs outputDir, the folder of the run to continue");
      return null;
    }
    const { RunOutput } = await files();
    return new RunOutput({
      folder,
      model: this.#model,
      args: this.args,
      schedule: this.#held.schedule,
      warn: (text) => this.#options.onWarning?.(text),
      spell: this.#spell,
    });
  }

  async #ownIdentity(): Promise<RunIdentity> {
    const { train, evaluation, schedule } = this.#held;
    const { sampler, groupBy } = this.#options;
    const identity = await (await files()).identityOf(this.#model, this.args, train, evaluation);
    return sampler || groupBy ? { ...identity, order: orderOf(schedule) } : identity;
  }

  async #loop(
    own: { optimizer: Optimizer; bytes: number; identity: RunIdentity; output: RunOutput | null },
    start: typeof atStart,
  ) {
    const [{ TrainingLoop }, { eventLoopYield }] = await Promise.all([
      import("./loop/training-loop.ts"),
      import("./yield-to-event-loop.ts"),
    ]);
    const { train, evaluation, schedule: steps } = this.#held;
    const { callbacks = [], profiler, signal, onProgress, onLog } = this.#options;
    const { lrSchedulerType, warmupSteps } = this.args;
    return new TrainingLoop(
      {
        ...own,
        model: this.#model,
        objective: this.#objective,
        args: this.args,
        examples: train,
        rate: schedule(lrSchedulerType, { steps: steps.steps, warmupSteps }),
        cache: this.#cache,
        breathe: eventLoopYield(),
        schedule: steps,
        evaluated: this.#evaluated(),
        evalExamples: evaluation,
        evaluation: this.#evaluation,
        uses: this.#uses,
        profiler: profiler ?? null,
        callbacks,
        signal,
        spell: this.#spell,
        onProgress: (report) => onProgress?.(report),
        onLog: (entry) => onLog?.(entry),
      },
      start,
    );
  }

  /**
   * Loss and metrics of `examples`, the evaluation data by default, with the keys of reports: `eval_loss`, `eval_accuracy`, ...;
   * `perplexity` of language models. Another prefix than `eval` gives `test_loss`.
   *
   * @example
   * const { eval_loss, perplexity } = await trainer.evaluate();
   * const { test_accuracy } = await trainer.evaluate(testDataset, { metricKeyPrefix: "test" });
   */
  async evaluate<P extends string = "eval">(
    examples: readonly E[] | null = null,
    options: { metricKeyPrefix?: P } = {},
  ): Promise<LogEntry & LossOf<P>> {
    const { metricKeyPrefix } = callOptions("evaluate", { metricKeyPrefix: prefix("eval") }, options);
    if (examples === null) await this.prepare();
    const chosen = examples ?? this.#held.evaluation;
    if (chosen === null) throw new StateError("evaluate: this trainer has no evalDataset; pass examples");
    const usesOutputs = Boolean(this.#options.computeMetrics);
    return (await this.#measure(chosen, usesOutputs, metricKeyPrefix as P)).metrics;
  }

  /**
   * The model's outputs for labeled examples, and the metrics that `evaluate` has, with the prefix `test`.
   *
   * @example
   * const { predictions, labelIds, metrics } = await trainer.predict(testDataset);
   */
  async predict<P extends string = "test">(
    examples: readonly E[],
    options: { metricKeyPrefix?: P } = {},
  ): Promise<PredictionOutput<E, P>> {
    const { metricKeyPrefix } = callOptions("predict", { metricKeyPrefix: prefix("test") }, options);
    return this.#measure(examples, true, metricKeyPrefix as P);
  }

  async #measure<P extends string>(
    examples: readonly E[],
    usesOutputs: boolean,
    prefix: P,
  ): Promise<PredictionOutput<E, P>> {
    checkExamples("evaluation data", examples, { model: this.#model, tokensPerBatch: this.args.tokensPerBatch });
    const [{ evaluateIn }, { evaluationLog }] = await Promise.all([
      import("./evaluation/run-evaluation.ts"),
      import("./evaluation/evaluation-log.ts"),
    ]);
    const evaluated = this.#evaluated(usesOutputs);
    const bytes = evaluationBytes(evaluated, examples, this.#evaluation);
    const found = await evaluateIn(bytes, evaluated, examples, this.#evaluation, this.#uses);
    const metrics = evaluationLog(found, examples.length, prefix) as LogEntry & LossOf<P>;
    return { ...(found.prediction as EvalPrediction<E>), metrics };
  }

  async #writeProfile(): Promise<void> {
    const { profiler } = this.#options;
    if (profiler && profiler.steps > 0 && this.#folder) await profiler.write(this.#folder.target());
  }

  /** Runs `body` with the dropout from the settings, if any, and restores the model's own. */
  #withDropout<T>(body: () => T): T {
    const model = this.#model;
    const own = model.dropout;
    const putBack = () => {
      model.dropout = own;
    };
    if (this.args.dropout !== null) model.dropout = this.args.dropout;
    let result: T;
    try {
      result = body();
    } catch (error) {
      putBack();
      throw error;
    }
    if (result instanceof Promise) return result.finally(putBack) as T;
    putBack();
    return result;
  }
}

function isHeld<E>(source: ExampleSource<E>): source is readonly E[] {
  return Array.isArray(source);
}

/** A number for each key, counted in the order in which they first occur. */
function numbered(keys: readonly (string | number)[]): number[] {
  const numbers = new Map<string | number, number>();
  return keys.map((key) => {
    if (!numbers.has(key)) numbers.set(key, numbers.size);
    return numbers.get(key)!;
  });
}

/** Distinguishes own orders of the examples by the first epoch's. */
function orderOf(schedule: StepSchedule): string {
  const batches = schedule.epoch(0).flat();
  return fingerprint(batches.map((batch) => ({ inputIds: Int32Array.from(batch), labels: new Int32Array() })));
}

function prefix(fallback: string) {
  return option(fallback, "a word", (value) => typeof value === "string" && /^\w+$/.test(value));
}

const resumeOption = option<Resume>(
  false,
  'true, false or the name of a checkpoint, such as "checkpoint-300"',
  (value) => typeof value === "boolean" || (typeof value === "string" && RESUME_NAME.pattern.test(value)),
);

const training: ModelUse = {
  call: "train",
  what: "is being trained",
  next: "wait for that train() to end, or end it with its signal",
};

/** The code that writes and reads a run's files is loaded on first use. */
const files = () => import("./run/run-output.ts");
