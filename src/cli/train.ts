/** lorikeet train: adapts a model folder to a data file. */
import { Command, Option } from "commander";
import { openRun } from "#host";
import type { MethodConfig } from "../adapt/define-method.ts";
import { configFromText, readAdapterConfig } from "../adapt/load.ts";
import { getPeftModel, PeftModel } from "../adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../auto/auto-model.ts";
import { readText } from "../checkpoint/checkpoint.ts";
import { openSource } from "../checkpoint/open.ts";
import type { Example } from "../data/examples.ts";
import { lora } from "../methods/lora.ts";
import type { CausalLM } from "../nn/causal-lm.ts";
import type { LogEntry } from "../train/progress.ts";
import { type ProgressReport, Trainer, type TrainingArguments, type TrainResult } from "../train/trainer.ts";
import { formatBytes } from "../wasm/memory.ts";
import { readExamples, splitPath } from "./data.ts";
import { type EngineFlags, openEngine, withEngineOptions } from "./model-options.ts";
import { alternatives, givenOptions, needs, number, probability, targetModules, whole } from "./options.ts";
import { applyRunFile } from "./run-file.ts";
import { expectSameAdapter } from "./same-adapter.ts";
import { duration, grouped, LiveLine, type LogFormat, notice, outliveReader, print } from "./terminal.ts";

interface Flags extends EngineFlags {
  model: string;
  data: string;
  valid?: string;
  output: string;
  adapterConfig?: string;
  initAdapter?: string;
  method: string;
  r: number;
  loraAlpha: number;
  loraDropout: number;
  targetModules?: string | string[];
  steps?: number;
  epochs?: number;
  batchSize: number;
  tokensPerBatch?: number;
  gradAccum: number;
  maxLength?: number;
  learningRate: number;
  lrScheduler: "constant" | "linear" | "cosine";
  warmupSteps: number;
  weightDecay: number;
  maxGradNorm: number;
  dropout?: number;
  seed: number;
  shuffle: boolean;
  evalSteps?: number;
  saveSteps?: number;
  saveTotalLimit: number;
  earlyStoppingPatience?: number;
  loggingSteps: number;
  overwrite?: boolean;
  resume?: boolean;
  config?: string;
  logFormat: LogFormat;
}

/** The options that say what the adapter is. */
const METHOD_OPTIONS = ["r", "loraAlpha", "loraDropout", "targetModules"];

export const command: Command = withEngineOptions(
  new Command("train")
    .description("Adapt a model to a data file and leave an adapter folder that PEFT loads.")
    .option("--model <dir>", "model folder: config.json, model.safetensors, tokenizer.json")
    .option("--data <file>", "training data: .jsonl rows (text; prompt and completion; messages; input_ids) or .txt")
    .option("--valid <file>", "data to evaluate on")
    .option("--output <dir>", "run folder: adapter/, best/, checkpoint-N/, metrics.jsonl, trainer_state.json")
    .option("--adapter-config <file>", "a PEFT adapter_config.json instead of the method's options")
    .option("--init-adapter <dir>", "go on training an adapter that exists")
    .addOption(new Option("--method <name>", "PEFT method").choices(["lora"]).default("lora"))
    .option("--r <n>", "rank of the adapter", whole(1), 8)
    .option("--lora-alpha <x>", "the adapter counts alpha / r times", number(0), 16)
    .option("--lora-dropout <p>", "dropout in front of the adapter", probability, 0)
    .option(
      "--target-modules <names>",
      'layers to adapt: names with commas, a regular expression, or "all-linear"',
      targetModules,
    )
    .option("--steps <n>", "optimiser steps, instead of --epochs", whole(1))
    .option("--epochs <n>", "times through the data (default: 3)", number(0))
    .option("--batch-size <n>", "rows per batch", whole(1), 8)
    .option("--tokens-per-batch <n>", "batches by tokens instead of rows", whole(1))
    .option("--grad-accum <n>", "batches per optimiser step", whole(1), 1)
    .option("--max-length <n>", "cut longer rows off after this many tokens", whole(2))
    .option("--learning-rate <x>", "peak learning rate", number(0), 2e-4)
    .addOption(
      new Option("--lr-scheduler <name>", "course of the learning rate")
        .choices(["constant", "linear", "cosine"])
        .default("linear"),
    )
    .option("--warmup-steps <n>", "steps of rising learning rate at the start", whole(0), 0)
    .option("--weight-decay <x>", "AdamW's decoupled weight decay", number(0), 0)
    .option("--max-grad-norm <x>", "clip the gradient to this norm, 0 = off", number(0), 1)
    .option("--dropout <p>", "replaces every dropout of the model's config and the adapter's", probability)
    .option("--seed <n>", "decides initialisation, order and dropout", whole(0), 0)
    .option("--no-shuffle", "take the rows in the file's order")
    .option("--eval-steps <n>", "evaluate on --valid after every n steps (default: at each tenth of the run)", whole(1))
    .option("--save-steps <n>", "write a checkpoint after every n steps (default: 500)", whole(1))
    .option("--save-total-limit <n>", "keep this many checkpoints", whole(1), 2)
    .option("--early-stopping-patience <n>", "stop after n evaluations without improvement", whole(1))
    .option("--logging-steps <n>", "report after every n steps", whole(1), 10)
    .option("--overwrite", "throw away a run that lies in --output already")
    .option("--resume", "go on from the newest checkpoint in --output, bit for bit as if never stopped")
    .option("--config <file>", "a YAML file with any of these options, one a line; the command line goes before it")
    .addOption(
      new Option("--log-format <name>", "live line, plain lines, or JSON lines on standard output")
        .choices(["auto", "plain", "json"])
        .default("auto"),
    ),
)
  .addHelpText(
    "after",
    `
Examples:
  $ lorikeet train --model examples/pocket --data examples/sonnets/train.jsonl --valid examples/sonnets/valid.jsonl \\
      --output runs/sonnets --r 8 --lora-alpha 16 --target-modules all-linear --epochs 4 --learning-rate 2e-3
  $ lorikeet train --model base --data chat.jsonl --output runs/chat --steps 500 --save-steps 100
  $ lorikeet train --model base --data chat.jsonl --output runs/chat --steps 500 --save-steps 100 --resume
  $ lorikeet train --config run.yaml`,
  )
  .hook("preAction", (_, command) => applyConfig(command))
  .action(run);

alternatives(command, ["steps"], ["epochs"]);
alternatives(command, ["adapterConfig"], METHOD_OPTIONS);
needs(command, "--model", "--data", "--output");

async function applyConfig(command: Command): Promise<void> {
  const { config } = command.opts<Flags>();
  if (config !== undefined) await applyRunFile(command, config);
}

async function run(flags: Flags): Promise<void> {
  const began = performance.now();
  outliveReader();
  const engine = await openEngine(flags);
  const base = await AutoModelForCausalLM.fromPretrained(flags.model, { engine });
  base.dropout = flags.dropout ?? null;
  const { vocabSize, contextLength } = base;
  const limits = { modelFolder: flags.model, vocabSize, contextLength, maxLength: flags.maxLength };
  const train = await readExamples(flags.data, limits);
  const valid = flags.valid === undefined ? null : await readExamples(flags.valid, limits);
  const model = await adapted(base, flags);
  const output = openRun(flags.output);
  if (flags.resume) await expectSameAdapter(output, model);
  const reporter = flags.logFormat === "json" ? new JsonReporter() : new LineReporter(flags);
  const stop = new AbortController();
  const trainer = new Trainer({
    model,
    args: trainingArguments(flags, valid !== null),
    trainDataset: train,
    evalDataset: valid,
    output,
    signal: stop.signal,
    onLog: (entry) => reporter.log(entry),
    onProgress: (progress) => reporter.progress(progress),
    onWarning: notice,
  });
  reporter.begin(model, train, trainer);
  const signalled = stopOnSignals(stop, reporter);
  const result = await trainer.train({ resume: flags.resume ?? false });
  reporter.end(result, (performance.now() - began) / 1000, flags.output);
  if (result.stopped === "aborted") process.exitCode = signalled();
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
  begin(model: PeftModel, examples: readonly Example[], trainer: Trainer): void;
  progress(report: ProgressReport): void;
  log(entry: LogEntry): void;
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
  pause(): void {}
  end(result: TrainResult, _seconds: number, output: string): void {
    print(JSON.stringify({ ...result, output }));
  }
}

/** A live line on a terminal, one plain line per report elsewhere. */
class LineReporter implements Reporter {
  readonly #line: LiveLine;
  readonly #flags: Flags;

  constructor(flags: Flags) {
    this.#line = new LiveLine(process.stdout, flags.logFormat);
    this.#flags = flags;
  }
  begin(model: PeftModel, examples: readonly Example[], trainer: Trainer): void {
    const tokens = examples.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
    print(`${model.base.modelType} from ${this.#flags.model}, ${model.engine.build} build`);
    print(model.describeTrainable());
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
  log({ step, eval_loss: loss, perplexity }: LogEntry): void {
    if (loss === undefined) return;
    this.#line.above(`step ${step}  eval loss ${loss.toFixed(4)}  perplexity ${perplexity!.toFixed(4)}`);
  }
  pause(): void {
    this.#line.end();
  }
  end({ stopped, step, loss }: TrainResult, seconds: number, output: string): void {
    this.#line.end();
    const at = `at step ${grouped(step)}, loss ${loss.toFixed(4)}, ${duration(seconds)}`;
    if (stopped === "aborted") print(`interrupted ${at}; --resume goes on from the checkpoint in ${output}`);
    else
      print(`${stopped === "early" ? "stopped early, no improvement," : "done"} ${at}; adapter in ${output}/adapter`);
  }
}

/** The base with the adapter that the flags describe, ready to train. */
async function adapted(base: CausalLM, flags: Flags): Promise<PeftModel> {
  const { initAdapter, dropout, seed } = flags;
  if (initAdapter === undefined) {
    const config = await methodConfig(flags);
    const values = { ...config.values, ...withDropout(config, dropout) };
    return getPeftModel(base, { ...config, values }, { seed, onWarning: notice });
  }
  const ignored = givenOptions(command, ["adapterConfig", ...METHOD_OPTIONS]).map(({ long }) => long);
  if (ignored.length > 0) notice(`--init-adapter brings its own options: ${ignored.join(", ")} not used`);
  const config = await readAdapterConfig(openSource(initAdapter), () => {}); // warnings come when it is loaded
  const values = withDropout(config, dropout);
  return PeftModel.fromPretrained(base, initAdapter, { isTrainable: true, values, onWarning: notice });
}

/** What --dropout makes of a method's own dropouts: all of them `p`. */
function withDropout({ values }: MethodConfig, p: number | undefined): Record<string, number> {
  if (p === undefined) return {};
  const names = Object.keys(values).filter((name) => /dropout$/i.test(name));
  return Object.fromEntries(names.map((name) => [name, p]));
}

async function methodConfig(flags: Flags): Promise<MethodConfig> {
  if (flags.adapterConfig !== undefined) {
    const [folder, file] = splitPath(flags.adapterConfig);
    const text = await readText(openSource(folder), file);
    return configFromText(text, { name: `"${flags.adapterConfig}"`, onWarning: notice });
  }
  const { r, loraAlpha, loraDropout, targetModules } = flags;
  const named = targetModules === undefined ? {} : { targetModules };
  return lora({ r, loraAlpha, loraDropout, taskType: "CAUSAL_LM", ...named });
}

function trainingArguments(flags: Flags, evaluates: boolean): TrainingArguments {
  return {
    ...(flags.steps === undefined ? { numTrainEpochs: flags.epochs ?? 3 } : { maxSteps: flags.steps }),
    perDeviceTrainBatchSize: flags.batchSize,
    ...(flags.tokensPerBatch !== undefined && { tokensPerBatch: flags.tokensPerBatch }),
    gradientAccumulationSteps: flags.gradAccum,
    learningRate: flags.learningRate,
    lrSchedulerType: flags.lrScheduler,
    warmupSteps: flags.warmupSteps,
    weightDecay: flags.weightDecay,
    maxGradNorm: flags.maxGradNorm,
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
