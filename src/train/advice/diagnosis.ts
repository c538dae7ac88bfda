/** Says of a finished run whether it learned anything, and what to change if it did not. */
import { asNamed, type Spell } from "../../core/options.ts";
import type { Settings } from "../arguments.ts";
import type { TrainResult } from "../train-result.ts";

/** What is wrong with a run: too few steps, a loss that did not fall, or one that rose. */
export interface Finding {
  readonly kind: "few steps" | "guessing" | "flat" | "rising";
  readonly message: string;
}

/** A finished run. */
export interface FinishedRun {
  readonly result: Pick<TrainResult, "step" | "curve">;
  readonly args: Readonly<Settings>;
  /** The number of examples. */
  readonly examples: number;
  /** How many examples each class has, for a classifier of one class each. */
  readonly classCounts?: readonly number[] | null;
  /** How messages spell the names of settings. */
  readonly spell?: Spell;
}

/** Fewer steps than this are few, unless the loss fell by this part all the same. */
const FEW = 10;
const CLEAR = 0.2;
/** The number of steps that is proposed. */
const ENOUGH = 60;
/** A loss that fell by less than this part did not move, nor one that fell by less than its own noise. */
const MOVED = 0.02;
/** A loss below this needs no improvement. */
const SOLVED = 0.05;
/** A classifier is guessing if its loss is at least this part of what the shares of the classes give. */
const GUESSING = 0.97;

/**
 * The findings about a run, none if it learned. It compares the first quarter of the run with the last one, and does not alarm where
 * the difference could be noise in the direction of learning.
 */
export function diagnoseRun(run: FinishedRun): Finding[] {
  const { step, curve } = run.result;
  if (step === 0 || curve.length === 0) return [];
  const { first, last, noise } = ends(curve);
  const fell = first - last;
  if (last <= SOLVED) return [];
  if (-fell > Math.max(3 * noise, (CLEAR / 4) * first)) return [rising(run, first, last)];
  if (step < FEW) return fell > CLEAR * first ? [] : [fewSteps(run)];
  const chance = entropyOf(run.classCounts ?? []);
  if (chance > 0 && last >= GUESSING * chance) return [guessing(run, last, chance)];
  return fell < MOVED * first && fell <= 4 * noise ? [flat(run, first, last)] : [];
}

/** Mean losses of the first and of the last quarter, and the standard error of their difference. */
function ends(curve: readonly number[]): { first: number; last: number; noise: number } {
  const part = Math.max(1, Math.floor(curve.length / 4));
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const changes = curve.slice(1).map((value, i) => (value - curve[i]!) ** 2 / 2);
  const noise = changes.length === 0 ? 0 : Math.sqrt((mean(changes) * 2) / part);
  return { first: mean(curve.slice(0, part)), last: mean(curve.slice(-part)), noise };
}

/** The loss of a classifier that only knows how frequent each class is. */
function entropyOf(counts: readonly number[]): number {
  const all = counts.reduce((sum, count) => sum + count, 0);
  return counts.filter((count) => count > 0).reduce((sum, count) => sum - (count / all) * Math.log(count / all), 0);
}

function fewSteps({ result, args, examples, spell = asNamed }: FinishedRun): Finding {
  const { perDeviceTrainBatchSize: size, gradientAccumulationSteps: batches, maxSteps, tokensPerBatch } = args;
  const smaller = tokensPerBatch === null && examples < 4 * size ? Math.max(1, Math.floor(examples / 4)) : size;
  const perEpoch = Math.max(1, Math.ceil(examples / (smaller * batches)));
  const more =
    maxSteps === null ? `${spell("numTrainEpochs")} ${Math.ceil(ENOUGH / perEpoch)}` : `${spell("maxSteps")} ${ENOUGH}`;
  const and = maxSteps === null && smaller < size ? ` and ${spell("perDeviceTrainBatchSize")} ${smaller}` : "";
  const steps = result.step === 1 ? "one step teaches" : `${result.step} steps teach`;
  return {
    kind: "few steps",
    message: `${steps} a model almost nothing: try ${more}${and}, which is about ${ENOUGH} steps`,
  };
}

function guessing(run: FinishedRun, last: number, chance: number): Finding {
  const message = `the model is guessing: its loss is ${shown(last)}, and ${shown(chance)} is that of knowing only how frequent each class is. ${higher(run)}`;
  return { kind: "guessing", message };
}

function flat(run: FinishedRun, first: number, last: number): Finding {
  const message = `the loss did not move: ${shown(first)} in the first quarter of the run, ${shown(last)} in the last. ${higher(run)}; if the model knew these examples before, nothing is wrong`;
  return { kind: "flat", message };
}

function rising({ args, spell = asNamed }: FinishedRun, first: number, last: number): Finding {
  const rate = round(args.learningRate / 5);
  const message = `the loss rose from ${shown(first)} in the first quarter of the run to ${shown(last)} in the last: try ${spell("learningRate")} ${rate}`;
  return { kind: "rising", message };
}

/** A rate that is high already was too high rather than too low. */
function higher({ args, spell = asNamed }: FinishedRun): string {
  const { learningRate, numTrainEpochs, maxSteps } = args;
  const factor = learningRate >= 5e-3 ? 1 / 5 : learningRate >= 5e-4 ? 3 : 10;
  const longer =
    maxSteps === null
      ? `${spell("numTrainEpochs")} ${Math.ceil(numTrainEpochs * 3)}`
      : `${spell("maxSteps")} ${maxSteps * 3}`;
  return `Try ${spell("learningRate")} ${round(learningRate * factor)}, then ${longer}`;
}

function round(rate: number): string {
  return String(Number(rate.toPrecision(1)));
}

function shown(loss: number): string {
  return loss.toFixed(4);
}
