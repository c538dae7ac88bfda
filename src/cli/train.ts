/** lorikeet train: adapts a model folder to a data file. */
import { Command, Option } from "commander";
import { parse as parseYaml } from "yaml";
import { openRun } from "#host";
import type { MethodConfig } from "../adapt/define-method.ts";
import { configFromJson } from "../adapt/load.ts";
import { getPeftModel, PeftModel } from "../adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../auto/auto-model.ts";
import { readJson } from "../checkpoint/checkpoint.ts";
import { openSource } from "../checkpoint/open.ts";
import { FormatError } from "../core/errors.ts";
import { nearest } from "../core/similar.ts";
import { lora } from "../methods/lora.ts";
import type { CausalLM } from "../nn/causal-lm.ts";
import { Trainer, type TrainingArguments } from "../train/trainer.ts";
import { formatBytes } from "../wasm/memory.ts";
import { readExamples, splitPath } from "./data.ts";
import { type EngineFlags, loadTokenizer, openEngine, withEngineOptions } from "./model-options.ts";
import { needs, number, targetModules, whole } from "./options.ts";
import { duration, grouped, LiveLine, type LogFormat, notice, print } from "./terminal.ts";

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
    .option("--lora-dropout <p>", "dropout in front of the adapter", number(0, 1), 0)
    .option(
      "--target-modules <names>",
      'layers to adapt: names with commas, a regular expression, or "all-linear"',
      targetModules,
    )
    .addOption(new Option("--steps <n>", "optimiser steps").argParser(whole(1)).conflicts("epochs"))
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
    .option("--dropout <p>", "replaces every dropout of the model's config and the adapter's", number(0, 1))
    .option("--seed <n>", "decides initialisation, order and dropout", whole(0), 0)
    .option("--no-shuffle", "take the rows in the file's order")
    .option("--eval-steps <n>", "evaluate on --valid after every n steps (default: at each tenth of the run)", whole(1))
    .option("--save-steps <n>", "write a checkpoint after every n steps (default: 500)", whole(1))
    .option("--save-total-limit <n>", "keep this many checkpoints", whole(1), 2)
    .option("--early-stopping-patience <n>", "stop after n evaluations without improvement", whole(1))
    .option("--logging-steps <n>", "report after every n steps", whole(1), 10)
    .option("--overwrite", "throw away a run that lies in --output already")
    .option("--resume", "go on from the newest checkpoint in --output, bit for bit as if never stopped")
    .option("--config <file>", "a YAML file with any of these options; the command line goes before it")
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
  .hook("preAction", applyYaml)
  .action(run);

needs(command, "--model", "--data", "--output");

/** Fills in options that the command line left out from --config. Runs before required options would be missed: see main.ts. */
async function applyYaml(command: Command): Promise<void> {
  const path = command.opts<Flags>().config;
  if (path === undefined) return;
  await mergeYaml(command, path);
}

async function mergeYaml(command: Command, path: string): Promise<void> {
  const [folder, file] = splitPath(path);
  const text = new TextDecoder().decode(await openSource(folder).read(file));
  const given: unknown = parseYaml(text);
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new FormatError(`${path}: expected option names with values, one a line, such as "learning-rate: 2e-4"`);
  }
  for (const [key, value] of Object.entries(given)) {
    const flag = `--${key.replaceAll("_", "-")}`;
    const option = command.options.find((o) => o.long === flag || o.long === flag.replace("--", "--no-"));
    if (!option) {
      const close = nearest(
        flag,
        command.options.map((o) => o.long ?? ""),
      )[0];
      throw new FormatError(`${path}: unknown option "${key}"${close ? `, did you mean "${close.slice(2)}"?` : ""}`);
    }
    const name = option.attributeName();
    if (command.getOptionValueSource(name) === "cli") continue;
    const text = Array.isArray(value) ? value.join(",") : String(value);
    const parsed = typeof value === "boolean" ? value : option.parseArg ? option.parseArg(text, undefined) : text;
    command.setOptionValueWithSource(name, parsed, "config");
  }
}

async function run(flags: Flags): Promise<void> {
  const started = performance.now();
  const tokenizer = await loadTokenizer(flags.model);
  const engine = await openEngine(flags);
  const base = await AutoModelForCausalLM.fromPretrained(flags.model, { engine });
  base.dropout = flags.dropout ?? null;
  const maxLength = flags.maxLength ?? null;
  const train = await readExamples(flags.data, tokenizer, base, maxLength);
  const valid = flags.valid === undefined ? null : await readExamples(flags.valid, tokenizer, base, maxLength);
  const model = await adapted(base, flags);
  const line = new LiveLine(flags.logFormat);
  const stop = new AbortController();
  const trainer = new Trainer({
    model,
    args: trainingArguments(flags, valid !== null),
    trainDataset: train,
    evalDataset: valid,
    output: openRun(flags.output),
    signal: stop.signal,
    onLog: (log) => {
      if (flags.logFormat === "json") print(JSON.stringify(log));
      else if ("eval_loss" in log)
        line.above(
          `step ${log.step}  eval loss ${format(log.eval_loss)}  perplexity ${format(Math.exp(log.eval_loss as number))}`,
        );
    },
    onProgress: (p) => {
      if (flags.logFormat === "json") return;
      line.show(
        `step ${p.step}/${p.steps}  loss ${p.loss.toFixed(4)}  ${grouped(p.tokensPerSecond)} tokens/s  ${duration(p.secondsLeft)} left`,
        p.step === 1 || p.step % flags.loggingSteps === 0 || p.step === p.steps,
      );
    },
  });
  if (flags.logFormat !== "json") {
    notice(`${base.modelType} from ${flags.model}, ${engine.build} build`);
    notice(model.describeTrainable());
    const tokens = train.reduce((sum, e) => sum + e.inputIds.length, 0);
    notice(
      `${grouped(train.length)} rows, ${grouped(tokens)} tokens; ${grouped(trainer.steps)} steps; working memory ${formatBytes(trainer.plan())}`,
    );
  }
  const interrupt = () => {
    line.above("stopping after this step, with a checkpoint (again to quit at once)");
    stop.abort();
    process.once("SIGINT", () => process.exit(130));
  };
  process.once("SIGINT", interrupt);
  const result = await trainer.train({ resume: flags.resume ?? false });
  process.removeListener("SIGINT", interrupt);
  line.end();
  const took = duration((performance.now() - started) / 1000);
  if (flags.logFormat === "json") print(JSON.stringify({ ...result, output: flags.output }));
  else
    notice(
      `${describe(result.stopped)} at step ${result.step}, loss ${result.loss.toFixed(4)}, ${took}; adapter in ${flags.output}/adapter`,
    );
  if (result.stopped === "aborted") process.exitCode = 130;
}

function describe(stopped: string | null): string {
  if (stopped === "aborted") return "interrupted; --resume goes on";
  return stopped === "early" ? "stopped early, no improvement," : "done";
}

function format(value: unknown): string {
  return typeof value === "number" ? value.toFixed(4) : String(value);
}

/** The base with the adapter that the flags describe, ready to train. */
async function adapted(base: CausalLM, flags: Flags): Promise<PeftModel> {
  if (flags.initAdapter !== undefined) {
    return PeftModel.fromPretrained(base, flags.initAdapter, { isTrainable: true, onWarning: notice });
  }
  return getPeftModel(base, await methodConfig(flags), { seed: flags.seed, onWarning: notice });
}

async function methodConfig(flags: Flags): Promise<MethodConfig> {
  if (flags.adapterConfig !== undefined) {
    const [folder, file] = splitPath(flags.adapterConfig);
    const config = await readJson(openSource(folder), file);
    return configFromJson(config, { name: flags.adapterConfig, onWarning: notice });
  }
  const { r, loraAlpha, dropout, targetModules } = flags;
  const named = targetModules === undefined ? {} : { targetModules };
  return lora({ r, loraAlpha, loraDropout: dropout ?? flags.loraDropout, taskType: "CAUSAL_LM", ...named });
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
