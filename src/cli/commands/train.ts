/** lorikeet train: adapts a model to a data file. */
import { Command, Option } from "commander";
import { openRun } from "#host";
import { PeftModel } from "../../adapt/peft-model.ts";
import { trainableLine } from "../../adapt/trainable-line.ts";
import { readJson } from "../../checkpoint/checkpoint.ts";
import { openSource } from "../../checkpoint/open.ts";
import type { Task } from "../../core/task.ts";
import type { Example } from "../../data/examples.ts";
import type { Row } from "../../data/rows.ts";
import type { RawConfig } from "../../nn/config.ts";
import { labelNames } from "../../nn/tasks/label-names.ts";
import type { Model } from "../../nn/tasks/model.ts";
import type { KeptWeights } from "../../nn/tensors/kept-dtype.ts";
import { saveModel } from "../../nn/tensors/save-model.ts";
import { type OptimizerName, optimizerNames } from "../../optim/optimizers.ts";
import type { FrozenCacheReport } from "../../train/frozen-cache.ts";
import { Profiler } from "../../train/profiler.ts";
import type { LogEntry } from "../../train/progress.ts";
import { fullTraining, type Trainable } from "../../train/trainable.ts";
import {
  countSteps,
  type ProgressReport,
  Trainer,
  type TrainingArguments,
  type TrainResult,
} from "../../train/trainer.ts";
import { formatBytes } from "../../wasm/memory.ts";
import { adapted, type TrainingMethod } from "../adapted.ts";
import { copyCompanions } from "../companions.ts";
import { configForLabels, examplesOf, rowsOf, taskOfRows } from "../data.ts";
import { expectRoom, measuredBase } from "../memory.ts";
import { addMethodOptions, methodOption, optionNames } from "../method-options.ts";
import {
  type EngineFlags,
  headFrom,
  loadBase,
  openEngine,
  taskOption,
  toldByAdapter,
  weightsOption,
  withEngineOptions,
} from "../model-options.ts";
import { alternatives, bytes, needs, number, optimizer, optimizerArgs, probability, whole } from "../options.ts";
import { applyRunFile } from "../run-file.ts";
import { expectSameAdapter } from "../same-adapter.ts";
import { duration, grouped, LiveLine, type LogFormat, notice, outliveReader, print } from "../terminal.ts";

interface Flags extends EngineFlags {
  model: string;
  weights?: KeptWeights;
  data: string;
  valid?: string;
  output: string;
  adapterConfig?: string;
  initAdapter?: string;
  method: string;
  task?: Task;
  steps?: number;
  epochs?: number;
  batchSize: number;
  tokensPerBatch?: number;
  gradAccum: number;
  maxLength?: number;
  maxTargetLength?: number;
  learningRate?: number;
  lrScheduler: "constant" | "linear" | "cosine";
  warmupSteps: number;
  optim: OptimizerName;
  optimArgs?: Record<string, number | boolean | null>;
  loraplusLrRatio?: number;
  loraplusLrEmbedding: number;
  weightDecay: number;
  maxGradNorm: number;
  dropout?: number;
  gradientCheckpointing?: boolean;
  cacheFrozen?: number;
  seed: number;
  shuffle: boolean;
  evalSteps?: number;
  saveSteps?: number;
  saveTotalLimit: number;
  earlyStoppingPatience?: number;
  loggingSteps: number;
  profile?: boolean;
  profileSteps: number;
  overwrite?: boolean;
  resume?: boolean;
  config?: string;
  logFormat: LogFormat;
}

/** The command, with the options of one method beside its own. */
export function trainCommand({ name, method }: TrainingMethod): Command {
  const command = withEngineOptions(withTrainingOptions(new Command("train")));
  if (method) addMethodOptions(command, method, name);
  command
    .addHelpText("after", EXAMPLES)
    .hook("preAction", (_, command) => applyConfig(command))
    .action((flags: Flags) => run(flags, command, { name, method }));
  alternatives(command, ["steps"], ["epochs"]);
  if (method) alternatives(command, ["adapterConfig"], optionNames(method));
  needs(command, "--model", "--data", "--output");
  return command;
}

function withTrainingOptions(command: Command): Command {
  return command
    .description("Adapt a model to a data file and leave an adapter folder that PEFT loads.")
    .option("--model <dir>", "model folder (config.json, model.safetensors, tokenizer.json), or a name on the hub")
    .option("--data <file>", "training data: .jsonl rows, whose keys say the task, or .txt")
    .option("--valid <file>", "data to evaluate on")
    .option("--output <dir>", "run folder: adapter/, best/, checkpoint-N/, metrics.jsonl, trainer_state.json")
    .option("--adapter-config <file>", "a PEFT adapter_config.json instead of the method's options")
    .option("--init-adapter <dir>", "go on training an adapter that exists")
    .addOption(methodOption())
    .addOption(weightsOption())
    .addOption(taskOption())
    .option("--steps <n>", "optimiser steps, instead of --epochs", whole(1))
    .option("--epochs <n>", "times through the data (default: 3)", number(0))
    .option("--batch-size <n>", "rows per batch", whole(1), 8)
    .option("--tokens-per-batch <n>", "batches by tokens instead of rows", whole(1))
    .option("--grad-accum <n>", "batches per optimiser step", whole(1), 1)
    .option("--max-length <n>", "cut longer rows off after this many tokens", whole(2))
    .option("--max-target-length <n>", "the same for the targets of an encoder-decoder", whole(2))
    .option("--learning-rate <x>", "peak learning rate (default: what suits the method)", number(0))
    .addOption(
      new Option("--lr-scheduler <name>", "course of the learning rate")
        .choices(["constant", "linear", "cosine"])
        .default("linear"),
    )
    .option("--warmup-steps <n>", "steps of rising learning rate at the start", whole(0), 0)
    .option("--optim <name>", `optimiser: ${optimizerNames.join(", ")}`, optimizer, "adamw")
    .option("--optim-args <list>", "its own options, such as momentum=0.9,nesterov=true", optimizerArgs)
    .option("--loraplus-lr-ratio <x>", "LoRA+: lora_B learns so many times as fast as lora_A", number(0))
    .option("--loraplus-lr-embedding <x>", "LoRA+: learning rate of adapted embeddings", number(0), 1e-6)
    .option("--weight-decay <x>", "weight decay, decoupled but in sgd", number(0), 0)
    .option("--max-grad-norm <x>", "clip the gradient to this norm, 0 = off", number(0), 1)
    .option("--dropout <p>", "replaces every dropout of the model's config and the adapter's", probability)
    .option(
      "--gradient-checkpointing",
      "compute activations twice instead of keeping them: far less memory, a third slower",
    )
    .option(
      "--cache-frozen <size>",
      "keep what frozen lower layers make of the data for later epochs: up to 500MB, 2GB",
      bytes,
    )
    .option("--seed <n>", "decides initialisation, order and dropout", whole(0), 0)
    .option("--no-shuffle", "take the rows in the file's order")
    .option("--eval-steps <n>", "evaluate on --valid after every n steps (default: at each tenth of the run)", whole(1))
    .option("--save-steps <n>", "write a checkpoint after every n steps (default: 500)", whole(1))
    .option("--save-total-limit <n>", "keep this many checkpoints", whole(1), 2)
    .option("--early-stopping-patience <n>", "stop after n evaluations without improvement", whole(1))
    .option("--logging-steps <n>", "report after every n steps", whole(1), 10)
    .option("--profile", "time kernels and layers: profile.md, and trace.json for the performance panel of a browser")
    .option("--profile-steps <n>", "how many steps, after one that warms up", whole(1), 10)
    .option("--overwrite", "throw away a run that lies in --output already")
    .option("--resume", "go on from the newest checkpoint in --output, bit for bit as if never stopped")
    .option("--config <file>", "a YAML file with any of these options, one a line; the command line goes before it")
    .addOption(
      new Option("--log-format <name>", "live line, plain lines, or JSON lines on standard output")
        .choices(["auto", "plain", "json"])
        .default("auto"),
    );
}

const EXAMPLES = `
Examples:
  $ lorikeet train --model examples/pocket --data examples/sonnets/train.jsonl --valid examples/sonnets/valid.jsonl \\
      --output runs/sonnets --r 8 --lora-alpha 16 --target-modules all-linear --epochs 4 --learning-rate 2e-3
  $ lorikeet train --model base --data chat.jsonl --output runs/chat --steps 500 --save-steps 100
  $ lorikeet train --model base --data chat.jsonl --output runs/chat --steps 500 --save-steps 100 --resume
  $ lorikeet train --model base --data chat.jsonl --output runs/plus --learning-rate 1e-4 --loraplus-lr-ratio 16
  $ lorikeet train --model base --data chat.jsonl --output runs/sgd --optim sgd --optim-args momentum=0.9,nesterov=true
  $ lorikeet train --model base --data chat.jsonl --output runs/full --method full --optim adamw8bit
  $ lorikeet train --model base --data chat.jsonl --output runs/look --steps 12 --profile
  $ lorikeet train --method ia3 --help
  $ lorikeet train --config run.yaml`;

async function applyConfig(command: Command): Promise<void> {
  const { config } = command.opts<Flags>();
  if (config !== undefined) await applyRunFile(command, config);
}

async function run(flags: Flags, command: Command, chosen: TrainingMethod): Promise<void> {
  const began = performance.now();
  outliveReader();
  const engine = await openEngine(flags);
  const rows = await rowsOf(flags.data, flags.model);
  const validRows = flags.valid === undefined ? null : await rowsOf(flags.valid, flags.model);
  const told = flags.initAdapter === undefined ? null : await toldByAdapter(flags.initAdapter);
  const task = flags.task ?? told?.task ?? taskOfRows(rows);
  const config =
    told?.config ?? (task === null ? {} : await labelsFor(flags.model, [...rows, ...(validRows ?? [])], task));
  const full = chosen.method === null && flags.adapterConfig === undefined && flags.initAdapter === undefined;
  const loading = {
    ...(told === null ? { config, ignoreMismatchedSizes: true } : headFrom(told)), // the head is for the labels of the data
    ...(flags.weights && { weights: flags.weights }),
    trainable: full,
    seed: flags.seed,
  };
  const shapes = await measuredBase(flags.model, engine, task, loading);
  const { maxLength, maxTargetLength } = flags;
  const limits = { modelFolder: flags.model, maxLength, maxTargetLength };
  const train = await examplesOf(flags.data, rows, shapes, limits);
  const valid = validRows === null ? null : await examplesOf(flags.valid!, validRows, shapes, limits);
  const args = trainingArguments(flags, valid !== null, chosen);
  const made = async (base: Model, warn: (text: string) => void): Promise<Trainable> => {
    base.dropout = flags.dropout ?? null;
    if (full) return wholeModel(base, flags.model);
    return adapted(base, flags, command, chosen, { steps: countSteps(train, args), warn });
  };
  const remade = async (weights: KeptWeights) =>
    made(await measuredBase(flags.model, engine, task, { ...loading, weights }), () => {});
  await expectRoom(engine, {
    model: await made(shapes, () => {}),
    ...{ trainDataset: train, evalDataset: valid, args },
    ...(!full && { weights: flags.weights, remade }),
  });
  const base = await loadBase(flags.model, engine, task, loading);
  const model = await made(base, notice);
  const output = openRun(flags.output);
  if (flags.resume && model instanceof PeftModel) await expectSameAdapter(output, model);
  const reporter = flags.logFormat === "json" ? new JsonReporter() : new LineReporter(flags, base);
  const stop = new AbortController();
  const profiler = flags.profile ? new Profiler({ steps: flags.profileSteps }) : null;
  const trainer = new Trainer({
    model,
    args,
    trainDataset: train,
    evalDataset: valid,
    outputDir: output,
    signal: stop.signal,
    onLog: (entry) => reporter.log(entry),
    onProgress: (progress) => reporter.progress(progress),
    onWarning: notice,
    profiler,
  });
  reporter.begin(model, train, trainer);
  const signalled = stopOnSignals(stop, reporter);
  const result = await trainer.train({ resume: flags.resume ?? false });
  if (trainer.frozenCache) reporter.cache(trainer.frozenCache);
  if (profiler) reporter.profile(profiler.steps, flags.output);
  reporter.end(result, (performance.now() - began) / 1000, flags.output);
  if (result.stopped === "aborted") process.exitCode = signalled();
}

/** What the model's config must say to fit the labels: nothing if it names them already. */
async function labelsFor(model: string, rows: readonly Row[], task: Task): Promise<RawConfig> {
  const wanted = configForLabels(rows, task);
  const source = openSource(model);
  try {
    const own = labelNames((await readJson(source, "config.json")) as RawConfig);
    const names = labelNames(wanted);
    const known = own !== null && names?.every((name) => own.includes(name));
    return known ? {} : wanted;
  } finally {
    await source.close();
  }
}

/** Every weight of a model as what is trained; saving writes a model folder, with the tokenizer's files beside. */
function wholeModel(base: Model, folder: string): Trainable {
  return fullTraining(base, async (target) => {
    await saveModel(base, target);
    await copyCompanions(folder, target);
  });
}

/**
 * Ends the run with a checkpoint on Ctrl-C or when the system asks; at once when asked again. The function returned gives the
 * exit code that says so: 128 and the signal's number.
 */
function stopOnSignals(stop: AbortController, reporter: Reporter): () => number {
  let code = 0;
  for (const [signal, number] of [
    ["SIGINT", 2],
    ["SIGTERM", 15],
  ] as const) {
    process.on(signal, () => {
      if (code > 0) process.exit(128 + number);
      code = 128 + number;
      reporter.pause();
      notice("stopping after this step, with a checkpoint (again to quit at once)");
      stop.abort();
    });
  }
  return () => code;
}

/** How a run tells of itself on standard output. */
interface Reporter {
  begin(model: Trainable, examples: readonly Example[], trainer: Trainer): void;
  progress(report: ProgressReport): void;
  log(entry: LogEntry): void;
  cache(report: FrozenCacheReport): void;
  profile(steps: number, output: string): void;
  /** Leaves the terminal clean for a notice. */
  pause(): void;
  end(result: TrainResult, seconds: number, output: string): void;
}

/** One JSON object a line: each report, and the result. */
class JsonReporter implements Reporter {
  begin(): void {}
  progress(): void {}
  log(entry: LogEntry): void {
    print(JSON.stringify(entry));
  }
  cache({ blocks, kept, examples, bytes }: FrozenCacheReport): void {
    print(JSON.stringify({ frozen_blocks: blocks, frozen_kept: kept, frozen_examples: examples, frozen_bytes: bytes }));
  }
  profile(steps: number, output: string): void {
    const files = steps > 0 && { profile: `${output}/profile.md`, trace: `${output}/trace.json` };
    print(JSON.stringify({ profile_steps: steps, ...files }));
  }
  pause(): void {}
  end(result: TrainResult, _seconds: number, output: string): void {
    print(JSON.stringify({ ...result, output }));
  }
}

/** A live line on a terminal, one plain line per report elsewhere. */
class LineReporter implements Reporter {
  readonly #line: LiveLine;
  readonly #flags: Flags;

  readonly #base: Model;
  /** What is trained. It is written to adapter/ whichever it is, so that scripts find it. */
  #what = "adapter";

  constructor(flags: Flags, base: Model) {
    this.#line = new LiveLine(process.stdout, flags.logFormat);
    this.#flags = flags;
    this.#base = base;
  }
  begin(model: Trainable, examples: readonly Example[], trainer: Trainer): void {
    const tokens = examples.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
    const { architecture } = this.#base;
    if (!(model instanceof PeftModel)) this.#what = "model";
    print(`${architecture} from ${this.#flags.model}, ${model.engine.build} build`);
    const all = Array.from(model.namedTrainable().values()).reduce((sum, { size }) => sum + size, 0);
    print(model instanceof PeftModel ? model.describeTrainable() : trainableLine(all, all));
    print(
      `${grouped(examples.length)} rows, ${grouped(tokens)} tokens; ${grouped(trainer.steps)} steps; ` +
        `working memory ${formatBytes(trainer.plan())}`,
    );
  }
  progress({ step, steps, loss, tokensPerSecond, secondsLeft }: ProgressReport): void {
    this.#line.show(
      `step ${step}/${steps}  loss ${loss.toFixed(4)}  ${grouped(tokensPerSecond)} tokens/s  ${duration(secondsLeft)} left`,
      step === 1 || step % this.#flags.loggingSteps === 0 || step === steps,
    );
  }
  log({ step, eval_loss: loss, ...numbers }: LogEntry): void {
    if (loss === undefined) return;
    const hidden = /^(epoch|eval_runtime|eval_samples_per_second)$/;
    const shown = Object.entries(numbers).filter(([name]) => !hidden.test(name));
    const metrics = shown.map(([name, value]) => `${name.replace(/^eval_/, "")} ${value.toFixed(4)}`);
    this.#line.above([`step ${step}`, `eval loss ${loss.toFixed(4)}`, ...metrics].join("  "));
  }
  cache({ blocks, kept, examples, bytes }: FrozenCacheReport): void {
    const share = `${grouped(kept)} of ${grouped(examples)} rows, ${formatBytes(bytes)}`;
    this.#line.above(`frozen blocks left out where their result was kept: ${blocks}, for ${share}`);
  }
  profile(steps: number, output: string): void {
    this.#line.above(
      steps > 0
        ? `profile of ${steps} steps in ${output}/profile.md; ${output}/trace.json opens in the performance panel of a browser`
        : "no profile: the run ended with its first step, which only warms up",
    );
  }
  pause(): void {
    this.#line.end();
  }
  end({ stopped, step, loss }: TrainResult, seconds: number, output: string): void {
    this.#line.end();
    const at = `at step ${grouped(step)}, loss ${loss.toFixed(4)}, ${duration(seconds)}`;
    if (stopped === "aborted") print(`interrupted ${at}; --resume goes on from the checkpoint in ${output}`);
    else {
      const how = stopped === "early" ? "stopped early, no improvement," : "done";
      print(`${how} ${at}; ${this.#what} in ${output}/adapter`);
    }
  }
}

/** Peak learning rate where the method says none. */
const LEARNING_RATE = 2e-4;
const FULL_LEARNING_RATE = 5e-5;

function trainingArguments(flags: Flags, evaluates: boolean, { method }: TrainingMethod): TrainingArguments {
  const suits = method === null ? FULL_LEARNING_RATE : (method.about.learningRate ?? LEARNING_RATE);
  return {
    ...(flags.steps === undefined ? { numTrainEpochs: flags.epochs ?? 3 } : { maxSteps: flags.steps }),
    perDeviceTrainBatchSize: flags.batchSize,
    ...(flags.tokensPerBatch !== undefined && { tokensPerBatch: flags.tokensPerBatch }),
    gradientAccumulationSteps: flags.gradAccum,
    learningRate: flags.learningRate ?? suits,
    lrSchedulerType: flags.lrScheduler,
    warmupSteps: flags.warmupSteps,
    optim: flags.optim,
    optimArgs: flags.optimArgs ?? {},
    ...(flags.loraplusLrRatio !== undefined && { loraplusLrRatio: flags.loraplusLrRatio }),
    loraplusLrEmbedding: flags.loraplusLrEmbedding,
    weightDecay: flags.weightDecay,
    maxGradNorm: flags.maxGradNorm,
    gradientCheckpointing: flags.gradientCheckpointing ?? false,
    cacheFrozen: flags.cacheFrozen ?? 0,
    seed: flags.seed,
    shuffle: flags.shuffle,
    ...(evaluates && flags.evalSteps !== undefined && { evalSteps: flags.evalSteps }),
    ...(flags.saveSteps !== undefined && { saveSteps: flags.saveSteps }),
    saveTotalLimit: flags.saveTotalLimit,
    loggingSteps: flags.loggingSteps,
    overwriteOutputDir: flags.overwrite ?? false,
    ...(flags.earlyStoppingPatience !== undefined && { earlyStoppingPatience: flags.earlyStoppingPatience }),
  };
}
