/**
 * The training loop. The loss of an optimizer step is the mean over all label tokens of all its micro-batches, so
 * splitting a step into more micro-batches changes only rounding.
 *
 * A run is a pure function of model, data and settings: the order of the data and the dropout masks come from
 * counter-based generators, so a run that stops at a checkpoint and resumes ends with the same bits as one that never
 * stopped.
 */

import { openOutput } from "../checkpoint/open.ts";
import { FormatError, StateError } from "../core/errors.ts";
import type { RunFolder } from "../core/host.ts";
import { asNamed, type Spell } from "../core/options.ts";
import { didYouMean } from "../core/similar.ts";
import type { ModelUse } from "../nn/tasks/model-uses.ts";
import { clipScale, gradientNorm } from "../optim/clip.ts";
import type { Optimizer } from "../optim/define-optimizer.ts";
import { type Schedule, schedule } from "../optim/schedules.ts";
import { completeArguments, type Settings, type TrainingArguments } from "./arguments.ts";
import { checkExamples, nameExample, type TrainingExample } from "./check-examples.ts";
import { type EvaluateOptions, type Evaluation, evaluateIn, evaluateLoss, evaluationBytes } from "./evaluate.ts";
import { FrozenCache, type FrozenCacheReport } from "./frozen-cache.ts";
import { makeOptimizer } from "./make-optimizer.ts";
import { largestBatch, type MemoryPlan, planOf } from "./memory-plan.ts";
import { lossAndGradients, microBatch, plannedBytes, tokensOf } from "./micro-batch.ts";
import type { Profiler } from "./profiler.ts";
import { atStart, type LogEntry, type Progress } from "./run/progress.ts";
import type { RunIdentity } from "./run/run-identity.ts";
import type { RunOutput } from "./run/run-output.ts";
import { type StepBatches, StepSchedule } from "./step-schedule.ts";
import type { Trainable } from "./trainable.ts";
import { eventLoopYield } from "./yield-to-event-loop.ts";

export type { TrainingArguments } from "./arguments.ts";

/** What to train, on which data, how, and where results go. */
export interface TrainerOptions {
  readonly model: Trainable;
  readonly args?: TrainingArguments;
  readonly trainDataset: readonly TrainingExample[];
  readonly evalDataset?: readonly TrainingExample[] | null;
  /**
   * Where checkpoints, the result and reports are written: a folder's path, or `memoryRun()`. If omitted, nothing is
   * written.
   */
  readonly outputDir?: string | RunFolder | null;
  /**
   * Called after each optimizer step. The run waits for a promise that it returns, and meanwhile the model may be read;
   * it ends with the callback's error.
   */
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

const optionNames: Readonly<Record<keyof TrainerOptions, true>> = {
  model: true,
  args: true,
  trainDataset: true,
  evalDataset: true,
  outputDir: true,
  onProgress: true,
  onLog: true,
  onWarning: true,
  identity: true,
  profiler: true,
  signal: true,
  spell: true,
};

function expectKnown(options: TrainerOptions): void {
  const known = Object.keys(optionNames);
  const unknown = Object.keys(options).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const problems = unknown.map((name) => `"${name}" is not an option.${didYouMean(name, known)}`);
  throw new FormatError(`Trainer: ${problems.join(" ")} Expected some of ${known.join(", ")}; settings belong in args`);
}

/** The progress of a run after a step. */
export interface ProgressReport {
  readonly step: number;
  readonly steps: number;
  /** The mean loss of the step, in nats. */
  readonly loss: number;
  readonly learningRate: number;
  /** Global norm of the gradients before clipping. */
  readonly gradNorm: number;
  readonly tokensPerSecond: number;
  readonly secondsLeft: number;
  readonly epoch: number;
  /** Tokens trained on since the start. */
  readonly tokens: number;
}

/** The number of optimizer steps of training on these examples. */
export function countSteps(examples: readonly TrainingExample[], args: TrainingArguments): number {
  return new StepSchedule(examples.map(tokensOf), completeArguments(args)).steps;
}

/** How a training run ended, and how far it got. */
export interface TrainResult {
  readonly stopped: "finished" | "aborted" | "early";
  readonly step: number;
  /** Mean of the losses of all steps, in nats. */
  readonly loss: number;
  readonly best: { readonly loss: number; readonly step: number } | null;
}

/** One completed optimizer step. */
interface Taken {
  readonly loss: number;
  readonly gradNorm: number;
  readonly learningRate: number;
  readonly tokens: number;
  readonly microBatches: number;
}

/** The state of a running training. */
interface Run {
  readonly optimizer: Optimizer;
  readonly rate: Schedule;
  readonly bytes: number;
  readonly identity: RunIdentity;
  /** Null if the run has no output folder. */
  readonly output: RunOutput | null;
  readonly breathe: () => Promise<void>;
}

/**
 * Trains the trainable parameters of a model.
 *
 * @example
 * const trainer = new Trainer({ model, args: { maxSteps: 100, learningRate: 1e-3 }, trainDataset, outputDir: "out" });
 * const { loss } = await trainer.train();
 */
export class Trainer {
  readonly args: Readonly<Settings>;
  readonly #options: TrainerOptions;
  readonly #model: Trainable;
  readonly #folder: RunFolder | null;
  readonly #schedule: StepSchedule;
  readonly #spell: Spell;
  #planned: number | null = null;
  #cache: FrozenCache | null = null;

  /** Throws FormatError that lists every problem with the settings, or with the examples. */
  constructor(options: TrainerOptions) {
    this.#spell = options.spell ?? asNamed;
    expectKnown(options);
    this.args = completeArguments(options.args ?? {}, this.#spell);
    this.#options = options;
    this.#model = options.model;
    this.#folder = openOutput(options.outputDir ?? null);
    const limits = { model: this.#model, tokensPerBatch: this.args.tokensPerBatch };
    checkExamples("training data", options.trainDataset, limits);
    if (options.evalDataset) checkExamples("evaluation data", options.evalDataset, limits);
    this.#expectUsable();
    this.#schedule = new StepSchedule(options.trainDataset.map(tokensOf), this.args);
  }

  #expectUsable(): void {
    const { earlyStoppingPatience, loadBestModelAtEnd } = this.args;
    const asks = loadBestModelAtEnd
      ? "loadBestModelAtEnd"
      : earlyStoppingPatience !== null
        ? "earlyStoppingPatience"
        : null;
    const spell = this.#spell;
    if (asks !== null && !this.#options.evalDataset) {
      throw new StateError(`${spell(asks)} needs evaluation data: set ${spell("evalDataset")}`);
    }
    if (loadBestModelAtEnd && this.#folder === null) {
      const setting = spell("loadBestModelAtEnd");
      throw new StateError(`${setting} needs an output folder for the best model: set ${spell("outputDir")}`);
    }
  }

  /** Optimizer steps of the run. */
  get steps(): number {
    return this.#schedule.steps;
  }

  /**
   * The peak of the working memory over every batch of the run, in bytes: training and evaluation use exactly that
   * much. Found by one dry run per batch shape.
   */
  plan(): number {
    this.#planned ??= this.#withDropout(() => {
      const { trainDataset, evalDataset } = this.#options;
      const { gradientCheckpointing: checkpointing, cacheFrozen } = this.args;
      const warn = (text: string) => this.#options.onWarning?.(text);
      if (cacheFrozen > 0)
        this.#cache = FrozenCache.open(this.#model, trainDataset, cacheFrozen, { warn, spell: this.#spell });
      const how = { checkpointing, given: this.#cache?.planned };
      const training = plannedBytes(this.#model, trainDataset, this.#schedule.microBatches(), true, how);
      const below = this.#cache?.plannedBytes(this.#schedule.microBatches()) ?? 0;
      const evaluating = evalDataset ? evaluationBytes(this.#model, evalDataset, this.#evaluation) : 0;
      return Math.max(training, below, evaluating);
    });
    return this.#planned;
  }

  /** The engine memory that the run needs, including the model. */
  memory(): MemoryPlan {
    const working = this.plan();
    return planOf(this.#model, this.args, largestBatch(this.#options.trainDataset, this.args), working);
  }

  /** Throws StateError that lists settings that would fit, if the run does not fit into memory. */
  async #expectRoom(): Promise<void> {
    const plan = this.memory();
    const allowed = this.#model.engine.memory.offer(plan.total);
    if (plan.total <= allowed) return;
    const { fittingSettings, tooLittleMemory } = await import("./memory-fit.ts");
    const run = { model: this.#model, args: this.args, trainDataset: this.#options.trainDataset };
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

  /**
   * Trains to the end, or until the signal. With `resume` it continues from the newest checkpoint in `outputDir`, or
   * starts from the beginning if there is none. Throws StateError before the first step if the run does not fit into
   * memory, if the model is being trained already, and also when the loss or the gradient is no longer finite: parameters then keep their values from the
   * previous step.
   */
  train(options: { resume?: boolean } = {}): Promise<TrainResult> {
    return this.#model.uses.during(training, async () => {
      this.#model.watch("train"); // throws where the model is gone
      return this.#train(options);
    });
  }

  async #train({ resume = false }: { resume?: boolean }): Promise<TrainResult> {
    await this.#expectRoom();
    const bytes = this.plan();
    this.#cache?.clear();
    const { engine } = this.#model;
    const optimizer = makeOptimizer(this.#model, this.args, this.#spell);
    try {
      engine.takeArena(bytes);
      engine.returnArena();
      const output = await this.#openOutput(resume);
      const identity = { ...this.#options.identity, ...(output && (await this.#ownIdentity())) };
      await output?.prepare(resume);
      const progress = resume && output ? await output.restore(optimizer, identity) : atStart;
      const rate = schedule(this.args.lrSchedulerType, { steps: this.steps, warmupSteps: this.args.warmupSteps });
      const run = { optimizer, rate, bytes, identity, output, breathe: eventLoopYield() };
      return await this.#withDropout(() => this.#loop(run, progress));
    } finally {
      optimizer.dispose();
      await this.#writeProfile();
    }
  }

  async #openOutput(resume: boolean): Promise<RunOutput | null> {
    const folder = this.#folder;
    if (folder === null) {
      if (resume) throw new StateError("train: resume needs outputDir, the folder of the run to continue");
      return null;
    }
    const { RunOutput } = await files();
    return new RunOutput({
      folder,
      model: this.#model,
      args: this.args,
      steps: this.steps,
      epochOf: (progress) => this.#schedule.epochsDone(progress),
      warn: (text) => this.#options.onWarning?.(text),
      spell: this.#spell,
    });
  }

  async #ownIdentity(): Promise<RunIdentity> {
    const { trainDataset, evalDataset = null } = this.#options;
    return (await files()).identityOf(this.#model, this.args, trainDataset, evalDataset);
  }

  async #loop(run: Run, start: Progress): Promise<TrainResult> {
    const began = performance.now();
    let training = 0;
    let progress = start;
    const { profiler } = this.#options;
    while (progress.step < this.steps && !this.#endsEarly(progress)) {
      if (this.#options.signal?.aborted) return this.#abort(run, progress);
      const stepBegan = performance.now();
      const step = () => this.#step(run, progress);
      const taken = await (profiler ? profiler.during(this.#model.engine, step) : step());
      progress = this.#advance(progress, taken);
      training += (performance.now() - stepBegan) / 1000;
      await this.#options.onProgress?.(this.#progressReport(progress, taken, training, start));
      progress = await this.#afterStep(run, progress, taken);
    }
    return this.#finish(run, progress, start, (performance.now() - began) / 1000);
  }

  /** Forward and backward passes of all micro-batches, then one update. */
  async #step(run: Run, { step, epoch, position, microStep }: Progress): Promise<Taken> {
    const { optimizer, rate, bytes } = run;
    const indices = this.#schedule.epoch(epoch)[position]!;
    const batches = indices.map((chosen) => microBatch(this.#model, this.#options.trainDataset, chosen));
    const labels = batches.reduce((sum, batch) => sum + batch.labels, 0);
    optimizer.zeroGrad();
    let loss = 0;
    for (const [i, batch] of batches.entries()) {
      const seed = [this.args.seed, microStep + i] as const;
      const how = { checkpointing: this.args.gradientCheckpointing, given: this.#cache?.rowsOf(indices[i]!) };
      const sum = lossAndGradients(this.#model, bytes, batch, { divisor: labels, seed, ...how });
      if (!Number.isFinite(sum)) throw this.#notFinite("loss", sum, step, indices, i);
      loss += sum;
      await run.breathe();
    }
    const gradNorm = gradientNorm(this.#model.engine, this.#model.namedTrainable().values());
    if (!Number.isFinite(gradNorm)) throw this.#notFinite("gradient norm", gradNorm, step, indices, null);
    const learningRate = this.args.learningRate * rate(step);
    const gradScale = clipScale(gradNorm, this.args.maxGradNorm);
    optimizer.step(learningRate, gradScale);
    this.#model.afterStep?.(step + 1, gradScale);
    const tokens = batches.reduce((sum, batch) => sum + batch.tokens, 0);
    return { loss: loss / labels, gradNorm, learningRate, tokens, microBatches: batches.length };
  }

  /** `at` is the micro-batch, or null if it may be any of the step. */
  #notFinite(what: string, value: number, step: number, indices: StepBatches, at: number | null): StateError {
    const named = (at === null ? indices.flat() : indices[at]!).map((i) => nameExample(this.#options.trainDataset, i));
    const shown = named.length > 20 ? [...named.slice(0, 20), `${named.length - 20} more`] : named;
    const batch = at === null ? "" : ` in micro-batch ${at + 1} of ${indices.length}`;
    return new StateError(
      `step ${step + 1}: ${what} is ${value}${batch}, expected a finite number (${shown.join(", ")}). ` +
        "Parameters and checkpoints are unchanged by this step; lower learningRate, or check these examples.",
    );
  }

  #advance(progress: Progress, { loss, tokens, microBatches }: Taken): Progress {
    const { unreported } = progress;
    return {
      ...progress,
      ...this.#schedule.after(progress),
      step: progress.step + 1,
      microStep: progress.microStep + microBatches,
      tokens: progress.tokens + tokens,
      lossSum: progress.lossSum + loss,
      unreported: { lossSum: unreported.lossSum + loss, steps: unreported.steps + 1 },
    };
  }

  #progressReport(progress: Progress, taken: Taken, seconds: number, start: Progress): ProgressReport {
    const { step, tokens } = progress;
    const { steps } = this;
    const { loss, learningRate, gradNorm } = taken;
    const tokensPerSecond = (tokens - start.tokens) / seconds;
    const secondsLeft = ((steps - step) * seconds) / (step - start.step);
    return {
      step,
      steps,
      loss,
      learningRate,
      gradNorm,
      tokensPerSecond,
      secondsLeft,
      epoch: this.#schedule.epochsDone(progress),
      tokens,
    };
  }

  /** Reports, evaluates and saves as the settings specify. */
  async #afterStep(run: Run, progress: Progress, taken: Taken): Promise<Progress> {
    const { loggingSteps, evalSteps, saveSteps } = this.args;
    const { step } = progress;
    const last = step === this.steps;
    const evalEvery = evalSteps ?? Math.ceil(this.steps / 10);
    let next = progress;
    if (step % loggingSteps === 0) next = await this.#report(run, next, taken);
    if (this.#options.evalDataset && (last || step % evalEvery === 0)) {
      next = await this.#evaluateAndKeepBest(run, next);
    }
    const saves = last || (saveSteps !== null && step % saveSteps === 0) || this.#endsEarly(next);
    if (saves) await this.#save(run, next);
    return next;
  }

  async #report(run: Run, progress: Progress, { gradNorm, learningRate }: Taken): Promise<Progress> {
    const { lossSum, steps } = progress.unreported;
    const numbers = { loss: lossSum / steps, grad_norm: gradNorm, learning_rate: learningRate };
    return { ...(await this.#log(run, progress, numbers)), unreported: atStart.unreported };
  }

  async #log(run: Run, progress: Progress, numbers: LogEntry): Promise<Progress> {
    const entry = { ...numbers, epoch: this.#schedule.epochsDone(progress), step: progress.step };
    await run.output?.append(entry);
    await this.#options.onLog?.(entry);
    return { ...progress, log: [...progress.log, entry] };
  }

  async #evaluateAndKeepBest(run: Run, progress: Progress): Promise<Progress> {
    const examples = this.#options.evalDataset!;
    const evaluation = await evaluateIn(run.bytes, this.#model, examples, this.#evaluation);
    const { loss, perplexity, metrics, seconds } = evaluation;
    const isText = Object.keys(metrics).length === 0;
    const logged = await this.#log(run, progress, {
      eval_loss: loss,
      ...(isText && { perplexity }),
      ...Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`eval_${name}`, value])),
      eval_runtime: seconds,
      eval_samples_per_second: examples.length / seconds,
    });
    if (progress.best && loss >= progress.best.loss) {
      return { ...logged, evaluationsSinceBest: progress.evaluationsSinceBest + 1 };
    }
    await run.output?.saveBest(run.optimizer);
    return { ...logged, best: { loss, step: progress.step }, evaluationsSinceBest: 0 };
  }

  #endsEarly({ evaluationsSinceBest }: Progress): boolean {
    const { earlyStoppingPatience } = this.args;
    return earlyStoppingPatience !== null && evaluationsSinceBest >= earlyStoppingPatience;
  }

  /** Loss and perplexity of `examples`, the evaluation data by default. */
  async evaluate(examples: readonly TrainingExample[] | null = this.#options.evalDataset ?? null): Promise<Evaluation> {
    if (examples === null) throw new StateError("evaluate: this trainer has no evalDataset; pass examples");
    return evaluateLoss(this.#model, examples, this.#evaluation);
  }

  async #save({ output, optimizer, identity }: Run, progress: Progress): Promise<void> {
    await output?.save(optimizer, identity, progress);
  }

  async #writeProfile(): Promise<void> {
    const { profiler } = this.#options;
    if (profiler && profiler.steps > 0 && this.#folder) await profiler.write(this.#folder.target());
  }

  async #abort(run: Run, progress: Progress): Promise<TrainResult> {
    await this.#save(run, progress);
    return this.#result("aborted", progress);
  }

  async #finish(run: Run, progress: Progress, start: Progress, seconds: number): Promise<TrainResult> {
    const stopped = this.#endsEarly(progress) ? "early" : "finished";
    const result = this.#result(stopped, progress);
    const steps = progress.step - start.step;
    const final = await this.#log(run, progress, {
      train_loss: result.loss,
      train_runtime: seconds,
      train_steps_per_second: steps / seconds,
      train_tokens_per_second: (progress.tokens - start.tokens) / seconds,
    });
    await run.output?.finish(run.optimizer, final);
    return result;
  }

  #result(stopped: TrainResult["stopped"], { step, lossSum, best }: Progress): TrainResult {
    return { stopped, step, loss: step === 0 ? 0 : lossSum / step, best };
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

const training: ModelUse = {
  call: "train",
  what: "is being trained",
  next: "wait for that train() to end, or end it with its signal",
};

/** The code that writes and reads a run's files is loaded on first use. */
const files = () => import("./run/run-output.ts");
