/** The settings of a run, named as in transformers' TrainingArguments, in camelCase. */
import { FormatError } from "../core/errors.ts";
import { didYouMean } from "../core/similar.ts";
import type { OptimizerClass } from "../optim/define-optimizer.ts";
import {
  type OptimizerName,
  optimizerNamed,
  optimizerNames,
  optimizers,
  type PublishedOptimizerName,
} from "../optim/optimizers.ts";
import type { Options } from "../optim/options.ts";
import { type SchedulerType, schedulerTypes } from "../optim/schedules.ts";

/** What a user gives: any of the settings. Optimisers may have the names that transformers gives them. */
export type TrainingArguments = Partial<Omit<Settings, "optim">> & {
  optim?: OptimizerName | PublishedOptimizerName;
};

/** All settings of a run. Defaults are transformers' own, except that loggingSteps is 10 and saving and evaluating need no strategy. */
export interface Settings {
  /** Passes over the data; a fraction ends inside a pass. Ignored when `maxSteps` is given. */
  numTrainEpochs: number;
  /** Optimiser steps. */
  maxSteps: number | null;
  /** Examples of a micro-batch. */
  perDeviceTrainBatchSize: number;
  perDeviceEvalBatchSize: number;
  /** Tokens that a micro-batch may have at most, instead of a count of examples. */
  tokensPerBatch: number | null;
  /** Micro-batches of an optimiser step. */
  gradientAccumulationSteps: number;
  learningRate: number;
  lrSchedulerType: SchedulerType;
  warmupSteps: number;
  /** The optimiser. */
  optim: OptimizerName;
  /** Options of the optimiser, such as `{ momentum: 0.9 }` for "sgd". They go before settings that say the same. */
  optimArgs: Readonly<Record<string, number | boolean | null>>;
  /** Applied to everything that is trained, as torch's optimisers do with one group. */
  weightDecay: number;
  /** Of "adamw" and "adamw8bit", as the next two. */
  adamBeta1: number;
  adamBeta2: number;
  adamEpsilon: number;
  /** LoRA+: how many times the learning rate counts for lora_B; null is off. */
  loraplusLrRatio: number | null;
  /** LoRA+: the learning rate of adapted embeddings. */
  loraplusLrEmbedding: number;
  /** Gradients are scaled down to this global norm; 0 is off. */
  maxGradNorm: number;
  /** Steps between evaluations, of which one more is at the end; null takes a tenth of the run. */
  evalSteps: number | null;
  /** Steps between checkpoints, of which one more is at the end; null writes that one only. */
  saveSteps: number | null;
  /** How many checkpoints are kept; null keeps all. The best model is kept apart. */
  saveTotalLimit: number | null;
  loggingSteps: number;
  /** Decides the order of the data and every dropout mask. */
  seed: number;
  shuffle: boolean;
  /** Ends the run after so many evaluations in a row without a new best; null never does. */
  earlyStoppingPatience: number | null;
  /** Whether training ends with the parameters of the best evaluation instead of the last ones. */
  loadBestModelAtEnd: boolean;
  /** Replaces every dropout probability of model and adapter. */
  dropout: number | null;
  /**
   * Whether the backward pass computes each block's activations once more instead of keeping them: the same bits, about a third
   * more time, far less working memory.
   */
  gradientCheckpointing: boolean;
  /**
   * Bytes for hidden rows of the training data behind the lower blocks that training cannot change, kept outside the engine
   * for later epochs: the same bits without computing those blocks again. 0 is off.
   */
  cacheFrozen: number;
  /** Whether a run that already lies in the output folder may be thrown away. */
  overwriteOutputDir: boolean;
}

export const defaultArguments: Readonly<Settings> = {
  numTrainEpochs: 3,
  maxSteps: null,
  perDeviceTrainBatchSize: 8,
  perDeviceEvalBatchSize: 8,
  tokensPerBatch: null,
  gradientAccumulationSteps: 1,
  learningRate: 5e-5,
  lrSchedulerType: "linear",
  warmupSteps: 0,
  optim: "adamw",
  optimArgs: {},
  weightDecay: 0,
  adamBeta1: 0.9,
  adamBeta2: 0.999,
  adamEpsilon: 1e-8,
  loraplusLrRatio: null,
  loraplusLrEmbedding: 1e-6,
  maxGradNorm: 1,
  evalSteps: null,
  saveSteps: 500,
  saveTotalLimit: null,
  loggingSteps: 10,
  seed: 42,
  shuffle: true,
  earlyStoppingPatience: null,
  loadBestModelAtEnd: false,
  dropout: null,
  gradientCheckpointing: false,
  cacheFrozen: 0,
  overwriteOutputDir: false,
};

/** Settings that decide where a run goes: a resumed run must have the same. Its length may change. */
export const fixedOnResume = [
  "perDeviceTrainBatchSize",
  "tokensPerBatch",
  "gradientAccumulationSteps",
  "learningRate",
  "lrSchedulerType",
  "warmupSteps",
  "optim",
  "optimArgs",
  "weightDecay",
  "adamBeta1",
  "adamBeta2",
  "adamEpsilon",
  "loraplusLrRatio",
  "loraplusLrEmbedding",
  "maxGradNorm",
  "evalSteps",
  "loggingSteps",
  "seed",
  "shuffle",
  "earlyStoppingPatience",
  "loadBestModelAtEnd",
  "dropout",
] as const satisfies readonly (keyof Settings)[];

interface Rule {
  readonly is: (value: unknown) => boolean;
  readonly expected: string;
}

const whole = (value: unknown): value is number => Number.isSafeInteger(value);
const finite = (value: unknown): value is number => Number.isFinite(value);
const count: Rule = { is: (v) => whole(v) && v >= 1, expected: "a whole number of at least 1" };
const orZero: Rule = { is: (v) => whole(v) && v >= 0, expected: "a whole number of at least 0" };
const size: Rule = { is: (v) => finite(v) && v >= 0, expected: "a number of at least 0" };
const positive: Rule = { is: (v) => finite(v) && v > 0, expected: "a number above 0" };
const fraction: Rule = { is: (v) => finite(v) && v >= 0 && v < 1, expected: "a number from 0 to below 1" };
const flag: Rule = { is: (v) => typeof v === "boolean", expected: "true or false" };
const orNull = ({ is, expected }: Rule): Rule => ({ is: (v) => v === null || is(v), expected: `${expected}, or null` });

const rules: Record<keyof Settings, Rule> = {
  numTrainEpochs: positive,
  maxSteps: orNull(count),
  perDeviceTrainBatchSize: count,
  perDeviceEvalBatchSize: count,
  tokensPerBatch: orNull(count),
  gradientAccumulationSteps: count,
  learningRate: size,
  lrSchedulerType: {
    is: (v) => (schedulerTypes as readonly unknown[]).includes(v),
    expected: `one of ${schedulerTypes.join(", ")}`,
  },
  warmupSteps: orZero,
  optim: { is: (v) => optimizerNamed(v) !== null, expected: `one of ${optimizerNames.join(", ")}` },
  optimArgs: {
    is: (v) => typeof v === "object" && v !== null && !Array.isArray(v),
    expected: "an object of the optimiser's options",
  },
  weightDecay: size,
  adamBeta1: fraction,
  adamBeta2: fraction,
  adamEpsilon: size,
  loraplusLrRatio: orNull(positive),
  loraplusLrEmbedding: size,
  maxGradNorm: size,
  evalSteps: orNull(count),
  saveSteps: orNull(count),
  saveTotalLimit: orNull(count),
  loggingSteps: count,
  seed: orZero,
  shuffle: flag,
  earlyStoppingPatience: orNull(count),
  loadBestModelAtEnd: flag,
  dropout: orNull(fraction),
  gradientCheckpointing: flag,
  cacheFrozen: size,
  overwriteOutputDir: flag,
};

/** The given settings and defaults for the rest. Throws one FormatError that lists every unknown or wrong one. */
export function completeArguments(given: TrainingArguments): Settings {
  const names = Object.keys(rules);
  const problems: string[] = [];
  const known = Object.entries(given).filter(([name, value]) => {
    if (!Object.hasOwn(rules, name)) {
      problems.push(`"${name}" is not a setting.${didYouMean(name, names)}`);
      return false;
    }
    if (value === undefined) return false;
    const { is, expected } = rules[name as keyof Settings];
    if (!is(value)) problems.push(`${name} is ${JSON.stringify(value)}, expected ${expected}`);
    return true;
  });
  if (problems.length > 0) throw wrongArguments(problems);
  const all: Settings = { ...defaultArguments, ...Object.fromEntries(known) };
  const settings = { ...all, optim: optimizerNamed(all.optim)! };
  optimizerOf(settings);
  return settings;
}

function wrongArguments(problems: readonly string[]): FormatError {
  const counted = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return new FormatError([`training arguments (${counted})`, ...problems].join("\n  "));
}

/** The optimiser of a run and its options. Throws FormatError listing every option in `optimArgs` that it does not take. */
export function optimizerOf(settings: Settings): { kind: OptimizerClass<Options>; options: Record<string, unknown> } {
  const { optim, optimArgs, weightDecay, adamBeta1: beta1, adamBeta2: beta2, adamEpsilon: eps } = settings;
  const kind: OptimizerClass<Options> = optimizers[optim];
  const isAdam = optim === "adamw" || optim === "adamw8bit";
  try {
    const options = kind.complete({ weightDecay, ...(isAdam && { beta1, beta2, eps }), ...optimArgs });
    return { kind, options };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw wrongArguments(error.message.split("\n").map((line) => `optimArgs: ${line}`));
  }
}
