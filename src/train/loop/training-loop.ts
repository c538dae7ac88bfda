/** The steps of a run, with its reports, evaluations, checkpoints and callbacks. Loaded when the first run begins. */
import type { Spell } from "../../core/options.ts";
import type { TrainingExample } from "../check-examples.ts";
import type { Evaluated, EvaluateOptions } from "../evaluation/evaluate.ts";
import { evaluationLog } from "../evaluation/evaluation-log.ts";
import { evaluateIn, metricsOf, type OutputsUse } from "../evaluation/run-evaluation.ts";
import type { Profiler } from "../profiler.ts";
import { atStart, type LogEntry, type Progress } from "../run/progress.ts";
import type { RunIdentity } from "../run/run-identity.ts";
import type { RunOutput } from "../run/run-output.ts";
import type { StepSchedule } from "../step-schedule.ts";
import type { ProgressReport, TrainResult } from "../train-result.ts";
import { expectMetric, isBetter, rankOf } from "./best-model.ts";
import { Callbacks, type TrainerCallback, type TrainerState } from "./callbacks.ts";
import { type StepContext, type Taken, takeStep } from "./optimizer-step.ts";

/** What a run is made of. */
export interface RunParts extends StepContext {
  readonly schedule: StepSchedule;
  readonly evaluated: Evaluated;
  readonly evalExamples: readonly TrainingExample[] | null;
  readonly evaluation: EvaluateOptions;
  readonly uses: OutputsUse;
  readonly identity: RunIdentity;
  /** Null if the run has no output folder. */
  readonly output: RunOutput | null;
  readonly profiler: Profiler | null;
  readonly callbacks: readonly TrainerCallback[];
  readonly signal: AbortSignal | undefined;
  readonly spell: Spell;
  readonly onProgress: (report: ProgressReport) => unknown;
  readonly onLog: (entry: LogEntry) => unknown;
}

/** Parts of the curve of losses. */
const CURVE_PARTS = 32;

export class TrainingLoop {
  readonly #run: RunParts;
  readonly #callbacks: Callbacks;
  #progress: Progress;

  constructor(run: RunParts, start: Progress) {
    this.#run = run;
    this.#progress = start;
    this.#callbacks = new Callbacks(run.callbacks, run.args, run.model);
  }

  /** Runs to the end, to the signal, or until a callback or the patience ends it. */
  async train(): Promise<TrainResult> {
    const { signal, schedule, profiler, model } = this.#run;
    const { control } = this.#callbacks;
    const start = this.#progress;
    const began = performance.now();
    let training = 0;
    await this.#expectMetric();
    await this.#call("onTrainBegin");
    while (this.#progress.step < schedule.steps && !this.#endsEarly && !control.shouldTrainingStop) {
      if (signal?.aborted) return this.#abort();
      const { epoch, position } = this.#progress;
      if (position === 0) await this.#call("onEpochBegin");
      await this.#call("onStepBegin");
      const stepBegan = performance.now();
      const step = () => takeStep(this.#run, this.#progress, schedule.epoch(epoch)[position]!);
      const taken = await (profiler ? profiler.during(model.engine, step) : step());
      this.#advance(taken);
      training += (performance.now() - stepBegan) / 1000;
      await this.#run.onProgress(this.#progressReport(taken, training, start));
      await this.#afterStep(taken);
      if (this.#progress.position === 0) await this.#call("onEpochEnd");
    }
    return this.#finish(start, (performance.now() - began) / 1000);
  }

  /** Throws before the first step where the metric of the best model is none of the task's; own metrics are known later. */
  async #expectMetric(): Promise<void> {
    const { evaluated, args, uses, spell, evalExamples } = this.#run;
    if (args.metricForBestModel === null || uses.computeMetrics || evalExamples === null) return;
    const metrics = await metricsOf(evaluated.model);
    expectMetric(["loss", "perplexity", ...Object.keys(metrics?.score([], []) ?? {})], args, spell);
  }

  async #call(moment: keyof TrainerCallback, about: { logs?: LogEntry; metrics?: LogEntry } = {}): Promise<void> {
    await this.#callbacks.call(moment, () => this.#state, about);
  }

  get #state(): TrainerState {
    const { step, tokens, log, best } = this.#progress;
    return {
      globalStep: step,
      maxSteps: this.#run.schedule.steps,
      epoch: this.#epoch,
      numInputTokensSeen: tokens,
      logHistory: log,
      bestMetric: best === null ? null : (best.metric ?? best.loss),
      bestGlobalStep: best?.step ?? null,
    };
  }

  get #epoch(): number {
    return this.#run.schedule.epochsDone(this.#progress);
  }

  get #endsEarly(): boolean {
    const { earlyStoppingPatience } = this.#run.args;
    return earlyStoppingPatience !== null && this.#progress.evaluationsSinceBest >= earlyStoppingPatience;
  }

  #advance({ loss, tokens, microBatches }: Taken): void {
    const progress = this.#progress;
    const { unreported } = progress;
    this.#progress = {
      ...progress,
      ...this.#run.schedule.after(progress),
      step: progress.step + 1,
      microStep: progress.microStep + microBatches,
      tokens: progress.tokens + tokens,
      lossSum: progress.lossSum + loss,
      lastLoss: loss,
      curve: this.#extended(progress.curve ?? [], loss),
      unreported: { lossSum: unreported.lossSum + loss, steps: unreported.steps + 1 },
    };
  }

  /** Adds a step to the last part of the curve, or begins a new one. */
  #extended(curve: NonNullable<Progress["curve"]>, loss: number): NonNullable<Progress["curve"]> {
    const most = Math.ceil(this.#run.schedule.steps / CURVE_PARTS);
    const [sum, steps] = curve.at(-1) ?? [0, most];
    return steps < most ? [...curve.slice(0, -1), [sum + loss, steps + 1]] : [...curve, [loss, 1]];
  }

  #progressReport({ loss, learningRate, gradNorm }: Taken, seconds: number, start: Progress): ProgressReport {
    const { step, tokens } = this.#progress;
    const { steps } = this.#run.schedule;
    return {
      ...{ step, steps, loss, learningRate, gradNorm, tokens },
      tokensPerSecond: (tokens - start.tokens) / seconds,
      secondsLeft: ((steps - step) * seconds) / (step - start.step),
      epoch: this.#epoch,
    };
  }

  /** Reports, evaluates and saves as the settings and the callbacks specify. */
  async #afterStep(taken: Taken): Promise<void> {
    const { args, schedule, evalExamples } = this.#run;
    const { control } = this.#callbacks;
    const { step } = this.#progress;
    const last = step === schedule.steps;
    const evalEvery = args.evalSteps ?? Math.ceil(schedule.steps / 10);
    control.shouldLog ||= step % args.loggingSteps === 0;
    control.shouldEvaluate ||= evalExamples !== null && (last || step % evalEvery === 0);
    control.shouldSave ||= last || (args.saveSteps !== null && step % args.saveSteps === 0);
    await this.#call("onStepEnd");
    if (this.#callbacks.take("shouldLog")) await this.#report(taken);
    if (this.#callbacks.take("shouldEvaluate")) await this.#evaluateAndKeepBest();
    const saves = this.#callbacks.take("shouldSave");
    if (saves || control.shouldTrainingStop || this.#endsEarly) await this.#save();
  }

  async #report({ gradNorm, learningRate }: Taken): Promise<void> {
    const { lossSum, steps } = this.#progress.unreported;
    await this.#log({ loss: lossSum / steps, grad_norm: gradNorm, learning_rate: learningRate });
    this.#progress = { ...this.#progress, unreported: atStart.unreported };
  }

  async #log(numbers: LogEntry): Promise<void> {
    const entry = { ...numbers, epoch: this.#epoch, step: this.#progress.step };
    await this.#run.output?.append(entry);
    this.#progress = { ...this.#progress, log: [...this.#progress.log, entry] };
    await this.#run.onLog(entry);
    await this.#call("onLog", { logs: entry });
  }

  async #evaluateAndKeepBest(): Promise<void> {
    const { args, bytes, evaluated, evaluation, uses, spell, optimizer, output } = this.#run;
    const examples = this.#run.evalExamples;
    if (examples === null) return; // a callback asked for it
    const found = await evaluateIn(bytes, evaluated, examples, evaluation, uses);
    const metric = rankOf(found, args, spell);
    const { best, evaluationsSinceBest, step } = this.#progress;
    if (isBetter(metric, best && (best.metric ?? best.loss), args)) {
      await output?.saveBest(optimizer, step);
      this.#progress = { ...this.#progress, best: { loss: found.loss, step, metric }, evaluationsSinceBest: 0 };
    } else this.#progress = { ...this.#progress, evaluationsSinceBest: evaluationsSinceBest + 1 };
    const entry = evaluationLog(found, examples.length);
    await this.#log(entry);
    await this.#call("onEvaluate", { metrics: entry });
  }

  async #save(): Promise<void> {
    const { output, optimizer, identity } = this.#run;
    if (output === null) return;
    await output.save(optimizer, identity, this.#progress);
    await this.#call("onSave");
  }

  async #abort(): Promise<TrainResult> {
    await this.#save();
    return this.#result("aborted");
  }

  async #finish(start: Progress, seconds: number): Promise<TrainResult> {
    const byCallback = this.#callbacks.control.shouldTrainingStop && this.#progress.step < this.#run.schedule.steps;
    const result = this.#result(this.#endsEarly ? "early" : byCallback ? "callback" : "finished");
    const { step, tokens } = this.#progress;
    await this.#log({
      train_loss: result.trainLoss,
      train_runtime: seconds,
      train_steps_per_second: (step - start.step) / seconds,
      train_tokens_per_second: (tokens - start.tokens) / seconds,
    });
    await this.#call("onTrainEnd");
    await this.#run.output?.finish(this.#run.optimizer, this.#progress);
    return result;
  }

  #result(stopped: TrainResult["stopped"]): TrainResult {
    const { step, lossSum, lastLoss, best, log, curve = [] } = this.#progress;
    const evalLoss = log.findLast((entry) => entry.eval_loss !== undefined)?.eval_loss ?? null;
    const last = lastLoss ?? log.findLast((entry) => entry.loss !== undefined)?.loss ?? 0; // absent in older checkpoints
    const trainLoss = step === 0 ? 0 : lossSum / step;
    return {
      stopped,
      step,
      trainLoss,
      lastLoss: last,
      evalLoss,
      curve: curve.map(([sum, steps]) => sum / steps),
      best,
    };
  }
}
