/** lorikeet train: adapts a model to a data file. */
import { Command } from "commander";
import { openRun } from "#host";
import type { Method } from "../../adapt/method/define-method.ts";
import { PeftModel } from "../../adapt/peft-model.ts";
import { trainableLine } from "../../adapt/trainable-line.ts";
import {
  flag,
  files as listOfFiles,
  type Options,
  oneOf,
  orNull,
  text,
  type ValuesOf,
  whole,
} from "../../core/options.ts";
import { splitOptions } from "../../data/data-options.ts";
import { lengthOptions } from "../../data/length-options.ts";
import type { ExamplePreview } from "../../data/preview-example.ts";
import type { Model } from "../../nn/tasks/model.ts";
import type { KeptWeights } from "../../nn/tensors/kept-dtype.ts";
import { saveModel } from "../../nn/tensors/save-model.ts";
import { completeArguments, type Settings, settings } from "../../train/arguments.ts";
import type { FrozenCacheReport } from "../../train/frozen-cache.ts";
import { Profiler } from "../../train/profiler.ts";
import type { LogEntry } from "../../train/run/progress.ts";
import { type RunIdentity, settingsOfIdentity } from "../../train/run/run-identity.ts";
import { savedIdentity } from "../../train/run/run-state.ts";
import { fullTraining, type Trainable } from "../../train/trainable.ts";
import { countSteps, type ProgressReport, Trainer, type TrainResult } from "../../train/trainer.ts";
import { engineOptions } from "../../wasm/engine-options.ts";
import { formatBytes } from "../../wasm/memory.ts";
import { adapted, type TrainingMethod } from "../adapter-from-flags.ts";
import { examplesText } from "../command.ts";
import { copyProcessingFiles } from "../copy-processing-files.ts";
import { dataFlags } from "../data.ts";
import { dataTable } from "../data-table.ts";
import { expectRoom, measuredBase } from "../memory.ts";
import { methodOption, methodOptions } from "../method-options.ts";
import { loadBase, modelOptions, openEngine, toldByAdapter } from "../model-options.ts";
import {
  addOptions,
  alternatives,
  defaultOf,
  expectRequired,
  givenFlags,
  givenOf,
  requiredText,
  spellAsFlags,
  valuesOf,
} from "../options.ts";
import { previewText } from "../preview.ts";
import { applyRunFile } from "../run-file.ts";
import { expectSameAdapter } from "../same-adapter.ts";
import { duration, grouped, LiveLine, notice, outliveReader, print } from "../terminal.ts";
import { previewsOf, type TrainingData, trainingData } from "../training-data.ts";

const { model, weights, task } = modelOptions;

/** Input and output files. */
const files = {
  model,
  ...dataFlags,
  valid: orNull(listOfFiles({ help: "data files to evaluate on", placeholder: "file" })),
  ...splitOptions,
  output: requiredText({
    help: "run folder: adapter/, best/, checkpoint-N/, metrics.jsonl, trainer_state.json",
    placeholder: "dir",
  }),
  adapterConfig: text({ help: "a PEFT adapter_config.json instead of the method's options", placeholder: "file" }),
  initAdapter: text({ help: "continue training an existing adapter", placeholder: "dir" }),
} satisfies Options;

/** How the run proceeds, and what it reports. */
const running = {
  preview: whole(0, 0, "number of examples to show before training, as `data preview` does"),
  profile: flag(false, "time kernels and layers: writes profile.md, and trace.json for a browser's performance panel"),
  profileSteps: whole(10, 1, "number of steps to profile, after one warm-up step"),
  resume: flag(
    false,
    "continue from the newest checkpoint in --output, bit for bit as if never interrupted; omitted settings are taken from the run",
  ),
  config: text({
    help: "a YAML file with any of these options, one per line; the command line overrides it",
    placeholder: "file",
  }),
  logFormat: oneOf(
    ["auto", "plain", "json"],
    "auto",
    "progress as a live line, plain lines, or JSON lines on standard output",
  ),
} satisfies Options;

const options = { ...files, weights, task, ...lengthOptions, ...running, ...engineOptions };
type Flags = ValuesOf<typeof options>;

/** The settings of the trainer, with a learning rate that suits the method; null trains every weight. */
function settingsFor(method: Method | null): typeof settings {
  const { learningRate } = settings;
  const { cli } = learningRate;
  const rate = method === null ? learningRate.fallback : (method.about.learningRate ?? defaultOf(learningRate));
  return { ...settings, learningRate: { ...learningRate, cli: { ...cli!, default: rate } } };
}

/** The command, including the options of one method. */
export function trainCommand(chosen: TrainingMethod): Command {
  const { method } = chosen;
  const own = method === null ? {} : methodOptions(method);
  const command = new Command("train").description(
    "Adapt a model to a data file, and write an adapter folder that PEFT can load.",
  );
  const groups: Options[] = [
    files,
    { method: methodOption() },
    { weights, task },
    lengthOptions,
    settingsFor(method),
    running,
  ];
  for (const group of [...groups, engineOptions, own]) addOptions(command, group);
  command.addHelpText("after", examplesText(EXAMPLES));
  command.hook("preAction", (_, command) => applyConfig(command)).action(() => run(command, chosen));
  alternatives(command, ["valid"], ["validSplit"]);
  alternatives(command, ["maxSteps"], ["numTrainEpochs"]);
  alternatives(command, ["adapterConfig"], Object.keys(own));
  return expectRequired(command);
}

const EXAMPLES = `
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
  const { config } = valuesOf(command, running);
  if (config !== null) await applyRunFile(command, config);
}

/**
 * The arguments of the trainer. For settings missing from the command line, a resumed run provides the values: `fixed`.
 */
function trainingArguments(
  command: Command,
  { method }: TrainingMethod,
  { evaluates, fixed }: { readonly evaluates: boolean; readonly fixed: Partial<Settings> },
): Settings {
  const given = givenOf(command, settings);
  const { optimArgs, ...others } = fixed;
  const kept = given.optim === undefined || given.optim === fixed.optim ? fixed : others; // another optimizer's
  const values = { ...valuesOf(command, settingsFor(method)), ...kept, ...given };
  return completeArguments(evaluates ? values : { ...values, evalSteps: null }, spellAsFlags(command));
}

async function run(command: Command, chosen: TrainingMethod): Promise<void> {
  const began = performance.now();
  outliveReader();
  const given = valuesOf(command, options);
  const output = openRun(given.output);
  const saved = given.resume ? await savedIdentity(output) : {};
  const fixed = settingsOfIdentity(saved);
  const flags = { ...given, validSplit: validSplitOf(command, given, saved) };
  const args = trainingArguments(command, chosen, { evaluates: flags.valid !== null || flags.validSplit > 0, fixed });
  const spell = spellAsFlags(command, { evalDataset: "--valid", outputDir: "--output" });
  const engine = await openEngine(flags);
  const told = flags.initAdapter === null ? null : await toldByAdapter(flags.initAdapter);
  const full = chosen.method === null && flags.adapterConfig === null && flags.initAdapter === null;
  const data = await trainingData(flags, { engine, seed: args.seed, trainable: full, told });
  const { train, valid, task, loading, shapes } = data;
  const made = async (base: Model, warn: (text: string) => void): Promise<Trainable> => {
    base.dropout = args.dropout;
    if (full) return wholeModel(base, flags.model);
    const described = { ...flags, dropout: args.dropout, seed: args.seed };
    return adapted(base, described, command, chosen, { steps: countSteps(train, args), warn });
  };
  const remade = async (weights: KeptWeights) =>
    made(await measuredBase(flags.model, engine, task, { ...loading, weights }), () => {});
  await expectRoom(engine, {
    model: await made(shapes, () => {}),
    ...{ trainDataset: train, evalDataset: valid, args, spell },
    ...(!full && { weights: flags.weights, remade }),
  });
  const base = await loadBase(flags.model, engine, task, loading);
  const model = await made(base, notice);
  if (flags.resume && model instanceof PeftModel) await expectSameAdapter(output, model);
  const reporter = flags.logFormat === "json" ? new JsonReporter() : new LineReporter(flags, args.loggingSteps, base);
  const stop = new AbortController();
  const profiler = flags.profile ? new Profiler({ steps: flags.profileSteps }) : null;
  const trainer = new Trainer({
    model,
    args,
    trainDataset: train,
    evalDataset: valid,
    outputDir: output,
    spell,
    identity: flags.validSplit > 0 ? { validSplit: flags.validSplit } : {},
    signal: stop.signal,
    onLog: (entry) => reporter.log(entry),
    onProgress: (progress) => reporter.progress(progress),
    onWarning: notice,
    profiler,
  });
  if (flags.preview > 0) reporter.preview(await previewsOf(data, flags.model, flags.preview));
  reporter.begin(model, data, trainer);
  const signalled = stopOnSignals(stop, reporter);
  const result = await trainer.train({ resume: flags.resume });
  if (trainer.frozenCache) reporter.cache(trainer.frozenCache);
  if (profiler) reporter.profile(profiler.steps, flags.output);
  reporter.end(result, (performance.now() - began) / 1000, flags.output);
  if (result.stopped === "aborted") process.exitCode = signalled();
}

/** The part that is held out: of a resumed run the same, unless the command line says how it is evaluated. */
function validSplitOf(command: Command, flags: Flags, { validSplit }: RunIdentity): number {
  const isGiven = givenFlags(command, ["valid", "validSplit"]).length > 0;
  return !isGiven && typeof validSplit === "number" ? validSplit : flags.validSplit;
}

/** Trains every weight of a model; saving writes a model folder that includes the tokenizer's files. */
function wholeModel(base: Model, folder: string): Trainable {
  return fullTraining(base, async (target) => {
    await saveModel(base, target);
    await copyProcessingFiles(folder, target);
  });
}

/**
 * Ends the run with a checkpoint on Ctrl-C or SIGTERM, and immediately on the second signal. The returned function
 * gives the matching exit code: 128 plus the signal's number.
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
      notice("stopping after this step with a checkpoint (repeat to quit immediately)");
      stop.abort();
    });
  }
  return () => code;
}

/** Reports the progress of a run on standard output. */
interface Reporter {
  preview(examples: readonly ExamplePreview[]): void;
  begin(model: Trainable, data: TrainingData, trainer: Trainer): void;
  progress(report: ProgressReport): void;
  log(entry: LogEntry): void;
  cache(report: FrozenCacheReport): void;
  profile(steps: number, output: string): void;
  /** Leaves the terminal clean for a notice. */
  pause(): void;
  end(result: TrainResult, seconds: number, output: string): void;
}

/** One JSON object per line: each report, and the result. */
class JsonReporter implements Reporter {
  preview(examples: readonly ExamplePreview[]): void {
    for (const example of examples) print(JSON.stringify({ preview: example }));
  }
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
  readonly #loggingSteps: number;
  readonly #base: Model;
  /** What is trained. Both kinds are written to adapter/, so that scripts find the result there. */
  #what = "adapter";

  constructor(flags: Flags, loggingSteps: number, base: Model) {
    this.#line = new LiveLine(process.stdout, flags.logFormat);
    this.#flags = flags;
    this.#loggingSteps = loggingSteps;
    this.#base = base;
  }
  preview(examples: readonly ExamplePreview[]): void {
    print(previewText(examples, process.stdout.isTTY === true && !process.env.NO_COLOR));
  }
  begin(model: Trainable, { train: examples, valid, shapes }: TrainingData, trainer: Trainer): void {
    print(dataTable({ train: examples, valid }, shapes.task, shapes.labelNames));
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
      step === 1 || step % this.#loggingSteps === 0 || step === steps,
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
    this.#line.above(`skipped ${blocks} frozen blocks with cached outputs, for ${share}`);
  }
  profile(steps: number, output: string): void {
    this.#line.above(
      steps > 0
        ? `profile of ${steps} steps in ${output}/profile.md; ${output}/trace.json opens in a browser's performance panel`
        : "no profile: the run ended with its first step, which is a warm-up step",
    );
  }
  pause(): void {
    this.#line.end();
  }
  end({ stopped, step, loss }: TrainResult, seconds: number, output: string): void {
    this.#line.end();
    const at = `at step ${grouped(step)}, loss ${loss.toFixed(4)}, ${duration(seconds)}`;
    if (stopped === "aborted") print(`interrupted ${at}; --resume continues from the checkpoint in ${output}`);
    else {
      const how = stopped === "early" ? "stopped early without improvement," : "done";
      print(`${how} ${at}; ${this.#what} in ${output}/adapter`);
    }
  }
}
