/**
 * The settings of a run, named as in transformers' TrainingArguments, in camelCase. Each is declared only here: checks,
 * defaults, what a resumed run must share, flags, help, keys of a --config file and docs/training-settings.md come from
 * the declaration.
 */
import { FormatError } from "../core/errors.ts";
import {
  aboveZero,
  asNamed,
  atLeastZero,
  bytes,
  completeOptions,
  flag,
  fraction,
  number,
  type Options,
  oneOf,
  option,
  orNull,
  type Spell,
  text,
  type ValuesOf,
  whole,
  wholeOrNull,
} from "../core/options.ts";
import type { OptimizerClass } from "../optim/define-optimizer.ts";
import {
  type OptimizerName,
  optimizerNames,
  optimizers,
  type PublishedOptimizerName,
  publishedOptimizers,
} from "../optim/optimizers.ts";
import { schedulerTypes } from "../optim/schedules.ts";
import { activationDtypes } from "../tape/tape.ts";

const fixedOnResume = true;
const EVERY = "--eval-steps, --save-steps and --logging-steps say after how many steps";

/**
 * Every setting. Defaults are those of transformers, except that loggingSteps is 10, and saving and evaluating need no
 * strategy.
 */
export const settings = {
  /** Passes over the data; a fraction ends inside a pass. Ignored when `maxSteps` is given. */
  numTrainEpochs: number(
    3,
    {
      help: "number of passes over the data",
      spelled: "epochs",
      placeholder: "n",
      alsoSpelled: ["num-epochs"],
      common: true,
      cli: { default: 3, shown: "by rows", reason: "3 passes, or as many as make 100 steps of few rows" },
    },
    { above: 0, most: 100_000 },
  ),
  /** Optimizer steps, instead of `numTrainEpochs`. */
  maxSteps: wholeOrNull(1, {
    help: "number of optimizer steps, instead of epochs",
    spelled: "steps",
    alsoSpelled: ["num-steps"],
    insteadOf: { iters: "--steps counts optimizer steps, --epochs passes over the data" },
    common: true,
  }),
  /** Examples per micro-batch. */
  perDeviceTrainBatchSize: whole(8, 1, {
    help: "rows per batch",
    spelled: "batch-size",
    alsoSpelled: ["train-batch-size", "micro-batch-size"],
    fixedOnResume,
    common: true,
  }),
  /** Examples per batch of an evaluation. */
  perDeviceEvalBatchSize: whole(8, 1, { help: "rows per batch in evaluations", spelled: "eval-batch-size" }),
  /** The maximum number of tokens in a micro-batch, instead of a number of examples. */
  tokensPerBatch: wholeOrNull(1, { help: "limit batches by tokens instead of rows", fixedOnResume }),
  /** Micro-batches per optimizer step. */
  gradientAccumulationSteps: whole(1, 1, {
    help: "batches per optimizer step",
    spelled: "grad-accum",
    alsoSpelled: ["grad-accumulation-steps"],
    fixedOnResume,
    common: true,
  }),
  /** The peak learning rate. */
  learningRate: atLeastZero(5e-5, {
    help: "peak learning rate",
    alsoSpelled: ["lr"],
    common: true,
    cli: {
      default: 2e-4,
      shown: "by model",
      reason: "adapters need higher rates than whole models, and small models higher ones than large",
    },
    fixedOnResume,
  }),
  /** The learning-rate schedule. */
  lrSchedulerType: oneOf(schedulerTypes, "linear", {
    help: "learning-rate schedule",
    spelled: "lr-scheduler",
    fixedOnResume,
  }),
  /** Steps over which the learning rate rises at the start. */
  warmupSteps: whole(0, 0, {
    help: "steps over which the learning rate rises at the start",
    insteadOf: { "warmup-ratio": "--warmup-steps is a number of steps: the ratio times the steps of the run" },
    fixedOnResume,
  }),
  /** The optimizer. */
  optim: oneOf(
    optimizerNames,
    "adamw",
    { help: "optimizer", alsoSpelled: ["optimizer"], fixedOnResume },
    publishedOptimizers,
  ),
  /** Options of the optimizer, such as `{ momentum: 0.9 }` for "sgd". They override settings with the same meaning. */
  optimArgs: option<Readonly<Record<string, number | boolean | null>>>(
    {},
    "an object of the optimizer's options",
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    { help: "the optimizer's own options, such as momentum=0.9,nesterov=true", fixedOnResume },
    "pairs",
  ),
  /** Applied to all trained parameters, as torch's optimizers do with one group. */
  weightDecay: atLeastZero(0, { help: "weight decay, decoupled except for sgd", fixedOnResume }),
  /** Used by "adamw" and "adamw8bit", like the next two. */
  adamBeta1: fraction(0.9, { help: "adamw: decay of the first moment", fixedOnResume }),
  /** See `adamBeta1`. */
  adamBeta2: fraction(0.999, { help: "adamw: decay of the second moment", fixedOnResume }),
  /** See `adamBeta1`. */
  adamEpsilon: atLeastZero(1e-8, { help: "adamw: added to the root of the second moment", fixedOnResume }),
  /** LoRA+: learning-rate multiplier for lora_B; null disables LoRA+. */
  loraplusLrRatio: orNull(aboveZero(16, { help: "LoRA+: learning-rate multiplier for lora_B", fixedOnResume })),
  /** LoRA+: the learning rate of adapted embeddings. */
  loraplusLrEmbedding: atLeastZero(1e-6, { help: "LoRA+: learning rate of adapted embeddings", fixedOnResume }),
  /** Gradients are clipped to this global norm; 0 disables clipping. */
  maxGradNorm: atLeastZero(1, { help: "clip gradients to this norm; 0 disables clipping", fixedOnResume }),
  /** Steps between evaluations. The run always ends with one. null evaluates after every tenth of the run. */
  evalSteps: wholeOrNull(1, {
    help: "evaluate after every n steps (default: every tenth of the run)",
    insteadOf: {
      "eval-strategy": EVERY,
      "evaluation-strategy": EVERY,
      "save-strategy": EVERY,
      "logging-strategy": EVERY,
    },
    fixedOnResume,
  }),
  /** Steps between checkpoints. The run always ends with one; null writes only that one. */
  saveSteps: orNull(whole(500, 1, { help: "write a checkpoint after every n steps" }), 500),
  /** The number of checkpoints to keep; null keeps all of them. The best model is kept separately. */
  saveTotalLimit: wholeOrNull(1, {
    help: "keep only this many checkpoints",
    cli: { default: 2, reason: "checkpoints fill the disk, and resuming needs only the newest one" },
  }),
  /** Steps between reports. */
  loggingSteps: whole(10, 1, { help: "report after every n steps", fixedOnResume }),
  /** Determines the order of the data and every dropout mask. */
  seed: whole(42, 0, { help: "seed of initialization, data order and dropout", fixedOnResume }),
  /** Whether each pass visits the data in a new random order. */
  shuffle: flag(true, { help: "keep the rows in the order of the file", spelled: "no-shuffle", fixedOnResume }),
  /** The metric of evaluations that ranks them, such as "accuracy" or "f1"; null is the loss. */
  metricForBestModel: text({ help: "the metric of evaluations that ranks them (default: loss)", fixedOnResume }),
  /** Whether a larger value of that metric is better; null decides by its name: larger, except for losses and errors. */
  greaterIsBetter: orNull(
    flag(true, { help: "a larger value of --metric-for-best-model is better (default: by its name)", fixedOnResume }),
  ),
  /** Ends the run after this many consecutive evaluations without a new best; null disables this. */
  earlyStoppingPatience: wholeOrNull(1, { help: "stop after n evaluations without improvement", fixedOnResume }),
  /** Whether training ends with the parameters of the best evaluation instead of the last ones. */
  loadBestModelAtEnd: flag(false, { help: "end with the parameters of the best evaluation", fixedOnResume }),
  /** Replaces every dropout probability of model and adapter. */
  dropout: orNull(fraction(0, { help: "replace every dropout of model and adapter", placeholder: "p", fixedOnResume })),
  /**
   * Whether the backward pass recomputes each block's activations instead of keeping them: the same bits, about a third more time,
   * far less working memory.
   */
  gradientCheckpointing: flag(false, {
    help: "recompute activations instead of keeping them: far less memory, a third slower",
    common: true,
  }),
  /**
   * The dtype of activations that only the backward pass still reads: "bf16" halves them, which changes gradients by less than one
   * part in a hundred.
   */
  activations: oneOf(activationDtypes, "f32", {
    help: "dtype of activations kept for the backward pass: bf16 halves them",
    fixedOnResume,
  }),
  /**
   * Bytes, outside the engine, for the outputs of the lower blocks that training does not change, kept for later
   * epochs: the same bits without recomputing those blocks. 0 disables the cache.
   */
  cacheFrozen: bytes(0, { help: "keep outputs of frozen lower blocks for later epochs, up to 500MB or 2GB" }),
  /** Whether an existing run in the output folder may be deleted. */
  overwriteOutputDir: flag(false, {
    help: "delete an existing run in the output folder",
    spelled: "overwrite",
    common: true,
  }),
} satisfies Options;

/** All settings of a run. */
export interface Settings extends ValuesOf<typeof settings> {}

/** Any subset of these values. */
export type SomeOf<Values> = { -readonly [Name in keyof Values]?: Values[Name] };

/** The user's input: any of the settings. */
export type TrainingArguments = SomeOf<Omit<Settings, "optim">> & {
  /** The optimizer, by its name here or in transformers. */
  optim?: OptimizerName | PublishedOptimizerName;
};

/**
 * The given settings and defaults for the rest. Throws one FormatError that lists every unknown or invalid one, with
 * names spelled by `spell`.
 */
export function completeArguments(given: TrainingArguments, spell: Spell = asNamed): Settings {
  const all: Settings = completeOptions("training arguments", settings, given, { spell });
  optimizerOf(all, spell);
  return all;
}

/**
 * The optimizer of a run and its options. Throws FormatError that lists every option in `optimArgs` that it does not
 * accept.
 */
export function optimizerOf(
  { optim, optimArgs, weightDecay, adamBeta1: beta1, adamBeta2: beta2, adamEpsilon: eps }: Settings,
  spell: Spell = asNamed,
): { kind: OptimizerClass<Options>; options: Record<string, unknown> } {
  const kind: OptimizerClass<Options> = optimizers[optim];
  const isAdam = optim === "adamw" || optim === "adamw8bit";
  try {
    const options = kind.complete({ weightDecay, ...(isAdam && { beta1, beta2, eps }), ...optimArgs });
    return { kind, options };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new FormatError(error.message.replace(/^/gm, `${spell("optimArgs")}: `));
  }
}
