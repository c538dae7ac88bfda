/** Runs an evaluation: losses, outputs and metrics of examples, batch by batch. */
import { FormatError, StateError } from "../../core/errors.ts";
import type { Metrics, Prediction, Scored } from "../../metrics/metrics.ts";
import { Tape } from "../../tape/tape.ts";
import { formatBytes } from "../../wasm/memory.ts";
import { nameExample, type TrainingExample } from "../check-examples.ts";
import { sumOf } from "../micro-batch.ts";
import { type MicroBatch, sequencesOf } from "../objective.ts";
import { eventLoopYield } from "../yield-to-event-loop.ts";
import type { ComputeMetrics, EvalPrediction, Numbers, PreprocessLogits } from "./eval-prediction.ts";
import {
  computeBatch,
  type Evaluable,
  type Evaluated,
  type EvaluateOptions,
  type Evaluation,
  evaluationBatches,
} from "./evaluate.ts";

/** What is computed from outputs, besides the metrics of the task. */
export interface OutputsUse {
  readonly computeMetrics?: ComputeMetrics | null | undefined;
  readonly preprocess?: PreprocessLogits | null | undefined;
}

/** An evaluation in a run. */
export interface RunEvaluation extends Evaluation {
  /** Whether the loss is that of a language model, so that it has a perplexity. */
  readonly isText: boolean;
  /** The outputs, if they are used. */
  readonly prediction: EvalPrediction;
}

/** The most bytes of outputs that are kept for metrics. */
export const MOST_OUTPUTS = 2 ** 30;

/** Evaluates in `bytes` of working memory, for examples that are already checked. */
export async function evaluateIn(
  bytes: number,
  evaluated: Evaluated,
  examples: readonly TrainingExample[],
  options: EvaluateOptions,
  { computeMetrics = null, preprocess = null }: OutputsUse = {},
): Promise<RunEvaluation> {
  const { model, objective, usesOutputs, seed } = evaluated;
  const began = performance.now();
  const breathe = eventLoopYield();
  const expectUnchanged = model.watch("evaluation");
  const kept = new KeptOutputs(preprocess);
  const metrics = new TaskMetrics(model);
  let [sum, tokens, count, done] = [0, 0, 0, 0];
  for (const [number, indices] of evaluationBatches(examples, options).entries()) {
    options.signal?.throwIfAborted();
    expectUnchanged();
    const chosen = indices.map((i) => examples[i]!);
    const batch = objective.batch(chosen, { seed: [seed, number], training: false });
    const found = lossAndOutputs(evaluated, bytes, batch);
    if (!Number.isFinite(found.sum)) {
      const named = indices.map((i) => nameExample(examples, i)).join(", ");
      throw new StateError(`evaluation: loss is ${found.sum}, expected a finite number (${named})`);
    }
    sum += found.sum;
    count += found.count;
    tokens += batch.labels;
    if (found.isMeasured) await metrics.add(found.outputs, batch);
    if (usesOutputs) kept.add(found, batch);
    done += indices.length;
    await options.onProgress?.(done, examples.length);
    await breathe();
  }
  const prediction = { ...kept.all, examples };
  const own = computeMetrics === null ? {} : checkedMetrics(await computeMetrics(prediction));
  const loss = sum / count;
  const seconds = (performance.now() - began) / 1000;
  const ofTask = metrics.score();
  const isText = Object.keys(ofTask).length === 0 && !objective.hasOwnLoss;
  return { loss, perplexity: Math.exp(loss), metrics: { ...ofTask, ...own }, tokens, seconds, isText, prediction };
}

/** The sum of the losses of a batch, and the outputs of each sequence where they are used. */
interface Found {
  readonly sum: number;
  readonly count: number;
  readonly outputs: readonly Float32Array[];
  readonly columns: number;
  readonly isMeasured: boolean;
}

function lossAndOutputs(evaluated: Evaluated, bytes: number, batch: MicroBatch): Found {
  const { engine, hasOwnLoss } = evaluated.objective;
  const step = (tape: Tape): Found => {
    const { losses, count, outputs, rows, isMeasured } = computeBatch(tape, evaluated, batch);
    const columns = outputs?.shape[1] ?? 0;
    const all = outputs === null ? null : tape.download(outputs);
    const each = batch.sequences.starts.subarray(1);
    const part = (_: number, s: number) => all!.slice(rows(s)[0] * columns, rows(s)[1] * columns);
    const parts = all === null ? [] : Array.from(each, part);
    return { sum: tape.planning ? 0 : sumOf(tape, losses), count, outputs: parts, columns, isMeasured };
  };
  return hasOwnLoss ? Tape.once(engine, {}, step) : Tape.run(engine, bytes, {}, step);
}

/** Outputs and labels for own metrics. */
class KeptOutputs {
  readonly #preprocess: PreprocessLogits | null;
  readonly #predictions: Numbers[] = [];
  readonly #labelIds: Numbers[] = [];
  #columns = 0;
  #bytes = 0;

  constructor(preprocess: PreprocessLogits | null) {
    this.#preprocess = preprocess;
  }

  get all(): Omit<EvalPrediction, "examples"> {
    return { predictions: this.#predictions, labelIds: this.#labelIds, columns: this.#columns };
  }

  add({ outputs, columns }: Found, { sequences }: MicroBatch): void {
    this.#columns = columns;
    sequencesOf(sequences).forEach(({ labels }, s) => {
      const made = this.#preprocess?.(outputs[s]!, labels as Numbers, columns) ?? outputs[s]!;
      if (!(made instanceof Float32Array || made instanceof Int32Array))
        throw new FormatError("preprocessLogitsForMetrics: expected a Float32Array or an Int32Array for each sequence");
      this.#predictions.push(made);
      this.#labelIds.push(labels as Numbers);
      this.#bytes += made.byteLength;
    });
    if (this.#bytes > MOST_OUTPUTS)
      throw new StateError(
        `evaluation: the outputs for computeMetrics need more than ${formatBytes(MOST_OUTPUTS)}: make them smaller with preprocessLogitsForMetrics, or evaluate on fewer examples`,
      );
  }
}

/** The metrics of the model's task; they are loaded only if there is something to measure. */
class TaskMetrics {
  readonly #model: Evaluable;
  readonly #predictions: Prediction[] = [];
  readonly #scored: Scored[] = [];
  #metrics: Metrics<Prediction> | null = null;

  constructor(model: Evaluable) {
    this.#model = model;
  }

  async add(outputs: readonly Float32Array[], { sequences }: MicroBatch): Promise<void> {
    this.#metrics ??= await metricsOf(this.#model);
    const answers = sequences.examples.length === outputs.length ? sequences.examples : [];
    for (const [s, { labels }] of sequencesOf(sequences).entries()) {
      const { answer } = answers[s] ?? {};
      const scored = { labels, ...(answer && { answer }) };
      if (this.#metrics) this.#predictions.push(this.#metrics.predict(outputs[s]!, scored));
      this.#scored.push(scored);
    }
  }

  score(): Readonly<Record<string, number>> {
    return this.#metrics?.score(this.#predictions, this.#scored) ?? {};
  }
}

function checkedMetrics(found: unknown): Readonly<Record<string, number>> {
  const isObject = typeof found === "object" && found !== null && !Array.isArray(found);
  const wrong = isObject ? Object.entries(found).find(([, value]) => typeof value !== "number") : undefined;
  if (isObject && wrong === undefined) return found as Readonly<Record<string, number>>;
  const what =
    wrong === undefined ? `returned ${found === null ? "null" : typeof found}` : `"${wrong[0]}" is not a number`;
  throw new FormatError(`computeMetrics: ${what}, expected numbers by name, such as { accuracy: 0.9 }`);
}

/** The metrics of the model's task, or null. */
export async function metricsOf({
  task,
  labelNames,
  problemType,
}: Pick<Evaluable, "task" | "labelNames" | "problemType">): Promise<Metrics<Prediction> | null> {
  const { taskDefinition } = await import("../../data/known-tasks.ts");
  return (await taskDefinition(task).metrics?.({ labelNames: labelNames ?? [], problemType })) ?? null;
}
