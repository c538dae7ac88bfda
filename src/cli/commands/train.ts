/** lorikeet train: adapts a model to a data file. */
import type { Command } from "commander";
import { openRun } from "#host";
import { CONFIG_FILE } from "../../adapt/files/config-file.ts";
import type { Method } from "../../adapt/method/define-method.ts";
import { PeftModel } from "../../adapt/peft-model.ts";
import { trainableLine } from "../../adapt/trainable-line.ts";
import { adapterFacts } from "../../auto/adapter-facts.ts";
import type { RunFolder } from "../../core/host.ts";
import {
  flag,
  flagOrText,
  files as listOfFiles,
  type Options,
  oneOf,
  orNull,
  type Spell,
  text,
  type ValuesOf,
  whole,
} from "../../core/options.ts";
import type { Task } from "../../core/task.ts";
import { splitOptions } from "../../data/data-options.ts";
import { describeDataset } from "../../data/describe-dataset.ts";
import type { Example } from "../../data/examples.ts";
import { lengthOptions } from "../../data/length-options.ts";
import type { ExamplePreview } from "../../data/preview-example.ts";
import type { Model } from "../../nn/tasks/model.ts";
import type { KeptWeights } from "../../nn/tensors/kept-dtype.ts";
import { saveModel } from "../../nn/tensors/save-model.ts";
import { type Choice, chooseEpochs, chooseRate, chosenValues } from "../../train/advice/chosen-settings.ts";
import { diagnoseRun, type Finding } from "../../train/advice/diagnosis.ts";
import { completeArguments, type Settings, settings } from "../../train/arguments.ts";
import type { FrozenCacheReport } from "../../train/frozen-cache.ts";
import { planMemory } from "../../train/memory-plan.ts";
import { Profiler } from "../../train/profiler.ts";
import { savedIdentity } from "../../train/run/choose-checkpoint.ts";
import type { LogEntry } from "../../train/run/progress.ts";
import { RESUME_NAME } from "../../train/run/resume.ts";
import { type RunIdentity, settingsOfIdentity } from "../../train/run/run-identity.ts";
import { expectNoRun } from "../../train/run/run-output.ts";
import { plannedSteps } from "../../train/run/trainer-state.ts";
import type { ProgressReport, TrainResult } from "../../train/train-result.ts";
import { fullTraining, type Trainable } from "../../train/trainable.ts";
import { countSteps, Trainer } from "../../train/trainer.ts";
import { engineOptions } from "../../wasm/engine-options.ts";
import { formatBytes } from "../../wasm/memory.ts";
import { adapted, type TrainingMethod } from "../adapter-from-flags.ts";
import { DeclaredCommand } from "../command.ts";
import { copyProcessingFiles } from "../copy-processing-files.ts";
import { dataFlags, validFiles } from "../data.ts";
import { dataTable } from "../data-table.ts";
import {
  addOptions,
  alternatives,
  expectRequired,
  givenFlags,
  givenOf,
  outputPath,
  spellAsFlags,
  valuesOf,
} from "../flags/options.ts";
import { applyRunFile } from "../flags/run-file.ts";
import { expectRoom, measuredBase, memoriesOf } from "../memory.ts";
import { beside, methodOption, methodOptions } from "../method-options.ts";
import { loadBase, modelOptions, openEngine } from "../model-options.ts";
import { type EndedRun, nextCommands } from "../next-commands.ts";
import { expectAdapter, expectFile, expectNoFile } from "../paths/mistaken-paths.ts";
import { adapterFolder } from "../paths/paths.ts";
import { previewText } from "../preview.ts";
import { expectSameAdapter } from "../same-adapter.ts";
import { counted, duration, grouped, LiveLine, notice, outliveReader, print } from "../terminal.ts";
import { previewsOf, type TrainingData, trainingData } from "../training-data.ts";

const { model, weights, task } = modelOptions;

/** Input and output files. */
const files = {
  model,
  ...dataFlags,
  valid: validFiles("data files to evaluate on"),
  ...splitOptions,
  test: orNull(listOfFiles({ help: "data files to evaluate on once, after training", placeholder: "file" })),
  output: outputPath("run folder: adapter/, best/, checkpoint-N/, reports"),
  adapterConfig: text({ help: "a PEFT adapter_config.json instead of the method's options", placeholder: "file" }),
  initAdapter: text({ help: "continue training an existing adapter", placeholder: "dir" }),
} satisfies Options;

/** How the run proceeds, and what it reports. */
const running = {
  preview: whole(0, 0, "number of examples to show before training, as `data preview` does"),
  profile: flag(false, "time kernels and layers: writes profile.md, and trace.json for a browser's performance panel"),
  profileSteps: whole(10, 1, "number of steps to profile, after one warm-up step"),
  resume: flagOrText(false, {
    help: "continue from the newest checkpoint, or from the one named, bit for bit; omitted settings are taken from the run",
    placeholder: "checkpoint-N",
    insteadOf: { "resume-from-checkpoint": "--resume continues from the newest checkpoint in --output" },
    common: true,
    ...RESUME_NAME,
  }),
  config: text({
    help: "a YAML file with any of these options, one per line; the command line overrides it",
    placeholder: "file",
  }),
  logFormat: oneOf(["auto", "plain", "json"], "auto", {
    help: "progress as a live line, plain lines, or JSON lines on standard output",
    insteadOf: { "report-to": "--log-format json prints every report, and metrics.jsonl of --output keeps them" },
  }),
} satisfies Options;

const options = { ...files, weights, task, ...lengthOptions, ...running, ...engineOptions };
type Flags = ValuesOf<typeof options>;

/** The settings of the trainer, with the learning rate of the method where it has its own. */
function settingsFor(method: Method | null): typeof settings {
  const { learningRate } = settings;
  const own = method?.about.learningRate;
  if (own === undefined) return settings;
  return { ...settings, learningRate: { ...learningRate, cli: { default: own, reason: learningRate.cli!.reason } } };
}

/** The command, including the options of one method. */
export function trainCommand(chosen: TrainingMethod): Command {
  const { method } = chosen;
  const own = method === null ? {} : methodOptions(method);
  const command: Command = new DeclaredCommand("train", EXAMPLES).description(
    "Adapt a model to a data file, and write an adapter folder that PEFT can load.",
  );
  addOptions(command, files, "Model and data");
  addOptions(command, { method: methodOption(), ...beside(settings, own) }, method?.about.title ?? "Full training");
  addOptions(command, settingsFor(method), "Training");
  addOptions(command, { ...lengthOptions, weights, ...engineOptions, task, ...running }, "Training");
  command.hook("preAction", (_, command) => applyConfig(command)).action(() => run(command, chosen));
  alternatives(command, ["valid"], ["validSplit"]);
  alternatives(command, ["maxSteps"], ["numTrainEpochs"]);
  alternatives(command, ["adapterConfig"], Object.keys(own));
  return expectRequired(command);
}

const EXAMPLES = `
  $ lorikeet train --model base --data train.jsonl --valid valid.jsonl --output runs/first
  $ lorikeet train --model base --data train.jsonl --output runs/wide --r 16 --target-modules all-linear --epochs 4
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

/** The settings that the command line gives. For those that it does not, a resumed run provides the values: `fixed`. */
function givenArguments(command: Command, fixed: Partial<Settings>): Partial<Settings> {
  const given = givenOf(command, settings);
  const { optimArgs, ...others } = fixed;
  const kept = given.optim === undefined || given.optim === fixed.optim ? fixed : others; // another optimizer's
  return { ...kept, ...given };
}

/** All settings of the trainer, before those that follow from model and data are chosen. */
function trainingArguments(command: Command, given: Partial<Settings>, evaluates: boolean): Settings {
  const values = { ...valuesOf(command, settings), ...given };
  return completeArguments(evaluates ? values : { ...values, evalSteps: null }, spellAsFlags(command));
}

async function run(command: Command, chosen: TrainingMethod): Promise<void> {
  const began = performance.now();
  outliveReader();
  const typed = valuesOf(command, options);
  const paths = { ...typed, initAdapter: typed.initAdapter && adapterFolder(typed.initAdapter) };
  expectNoFile(paths.output, "--output");
  if (paths.initAdapter !== null) expectAdapter(paths.initAdapter, "--init-adapter");
  if (paths.adapterConfig !== null) expectFile(paths.adapterConfig, "--adapter-config", CONFIG_FILE);
  const output = openRun(paths.output);
  const saved = paths.resume ? await savedIdentity(output, paths.resume, notice) : {};
  const flags = { ...paths, validSplit: validSplitOf(command, paths, saved) };
  const typedOrSaved = givenArguments(command, settingsOfIdentity(saved));
  const isLong = typedOrSaved.numTrainEpochs !== undefined || typedOrSaved.maxSteps !== undefined;
  const planned = paths.resume && !isLong ? await plannedSteps(output) : null;
  const given = { ...typedOrSaved, ...(planned !== null && { maxSteps: planned }) };
  const asked = trainingArguments(command, given, flags.valid !== null || flags.validSplit > 0);
  const spell = spellAsFlags(command, { evalDataset: "--valid", outputDir: "--output" });
  if (!flags.resume && !asked.overwriteOutputDir) await expectNoRun(output, spell); // before anything is loaded
  const told = flags.initAdapter === null ? null : await adapterFacts(flags.initAdapter);
  const full = chosen.method === null && flags.adapterConfig === null && flags.initAdapter === null;
  const data = await trainingData(flags, { engine: flags, seed: asked.seed, trainable: full, told });
  const { train, valid, test, task, loading, shapes } = data;
  const epochs = chooseEpochs(train, given);
  const steps = countSteps(train, { ...asked, ...chosenValues([epochs]) });
  const made = async (base: Model, warn: (text: string) => void): Promise<Trainable> => {
    base.dropout = asked.dropout;
    if (full) return wholeModel(base, flags.model);
    const described = { ...flags, dropout: asked.dropout, seed: asked.seed };
    return adapted(base, described, command, chosen, { steps, warn });
  };
  const remade = async (options: typeof loading, memories = flags.memories) =>
    made(await measuredBase(flags.model, { ...flags, memories }, task, options), () => {});
  const shaped = await made(shapes, () => {});
  const choices = [epochs, chooseRate(shaped, given)].filter((choice) => choice !== null);
  const args = { ...asked, ...chosenValues(choices) };
  const over = async (memories: number) => (memories === 1 ? shaped : remade(loading, memories));
  const memories = flags.memories ?? (await memoriesOf(async (count) => planMemory(await over(count), train, args)));
  const engine = await openEngine({ ...flags, memories });
  await expectRoom(engine, {
    model: flags.memories === null ? await over(memories) : shaped,
    ...{ trainDataset: train, evalDataset: valid, args, spell },
    ...(!full && {
      weights: flags.weights,
      remade: (weights: KeptWeights) => remade({ ...loading, weights }, memories),
    }),
  });
  const base = await loadBase(flags.model, engine, task, loading);
  const model = await made(base, notice);
  if (flags.resume && model instanceof PeftModel) await expectSameAdapter(output, flags.resume, model);
  const reporter =
    flags.logFormat === "json" ? new JsonReporter() : new LineReporter(flags, args.loggingSteps, base, spell);
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
  reporter.begin(model, data, trainer, choices);
  const signalled = stopOnSignals(stop, reporter);
  const result = await trainer.train({ resume: flags.resume });
  if (trainer.frozenCache) reporter.cache(trainer.frozenCache);
  if (profiler) reporter.profile(profiler.steps, flags.output);
  if (test !== null && result.stopped !== "aborted") reporter.tested(await testResults(trainer, test, output));
  const findings = diagnoseRun({ result, args, examples: train.length, classCounts: countsOf(data), spell });
  reporter.end(result, findings, (performance.now() - began) / 1000, flags.output);
  if (result.stopped === "aborted") process.exitCode = signalled();
  else reporter.next(nextCommands(finished(flags, chosen, model, task ?? base.task), namesOf(command)));
}

function namesOf({ parent }: Command): string[] {
  return (parent?.commands ?? []).map((command) => command.name());
}

function finished(flags: Flags, { method }: TrainingMethod, model: Trainable, task: Task): EndedRun {
  const isAdapter = model instanceof PeftModel;
  const merges = method !== null && Boolean(method.linear || method.embedding || method.copies);
  const made = `${flags.output}/adapter`;
  return { model: flags.model, made, isAdapter, merges, task, measured: flags.valid ?? flags.data };
}

/** Evaluates what was trained on the test set, and writes the metrics to the run as transformers' examples do. */
async function testResults(trainer: Trainer, test: readonly Example[], output: RunFolder): Promise<LogEntry> {
  const metrics = await trainer.evaluate(test, { metricKeyPrefix: "test" });
  await output.target().write("test_results.json", [new TextEncoder().encode(`${JSON.stringify(metrics, null, 2)}\n`)]);
  return metrics;
}

/** How many examples each class has, where each example has one class. */
function countsOf({ train, shapes }: TrainingData): number[] | null {
  const { classes } = describeDataset(train, shapes.task, shapes.labelNames);
  return classes === null || shapes.problemType !== "single_label_classification" ? null : [...classes.values()];
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
  begin(model: Trainable, data: TrainingData, trainer: Trainer, choices: readonly Choice[]): void;
  progress(report: ProgressReport): void;
  log(entry: LogEntry): void;
  cache(report: FrozenCacheReport): void;
  profile(steps: number, output: string): void;
  tested(metrics: LogEntry): void;
  /** Leaves the terminal clean for a notice. */
  pause(): void;
  end(result: TrainResult, findings: readonly Finding[], seconds: number, output: string): void;
  /** Command lines to type after the run. */
  next(commands: readonly string[]): void;
}

/** One JSON object per line: each report, and the result. */
class JsonReporter implements Reporter {
  #choices: readonly Choice[] = [];

  preview(examples: readonly ExamplePreview[]): void {
    for (const example of examples) print(JSON.stringify({ preview: example }));
  }
  begin(_model: Trainable, _data: TrainingData, _trainer: Trainer, choices: readonly Choice[]): void {
    this.#choices = choices;
  }
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
  tested(metrics: LogEntry): void {
    print(JSON.stringify(metrics));
  }
  pause(): void {}
  end(result: TrainResult, findings: readonly Finding[], _seconds: number, output: string): void {
    const { curve: _, ...ended } = result;
    const advice = findings.map(({ message }) => message);
    const told = { ...(this.#choices.length > 0 && { chosen: this.#choices }), ...(advice.length > 0 && { advice }) };
    print(JSON.stringify({ ...ended, output, ...told }));
  }
  next(): void {}
}

/** A live line on a terminal, one plain line per report elsewhere. */
class LineReporter implements Reporter {
  readonly #line: LiveLine;
  readonly #flags: Flags;
  readonly #loggingSteps: number;
  readonly #base: Model;
  readonly #spell: Spell;
  /** What is trained. Both kinds are written to adapter/, so that scripts find the result there. */
  #what = "adapter";

  constructor(flags: Flags, loggingSteps: number, base: Model, spell: Spell) {
    this.#line = new LiveLine(process.stdout, flags.logFormat);
    this.#flags = flags;
    this.#loggingSteps = loggingSteps;
    this.#base = base;
    this.#spell = spell;
  }
  preview(examples: readonly ExamplePreview[]): void {
    print(previewText(examples, process.stdout.isTTY === true && !process.env.NO_COLOR));
  }
  begin(
    model: Trainable,
    { train: examples, valid, test, shapes }: TrainingData,
    trainer: Trainer,
    choices: readonly Choice[],
  ): void {
    print(dataTable({ train: examples, valid, test }, shapes.task, shapes.labelNames));
    const tokens = examples.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
    const { architecture } = this.#base;
    if (!(model instanceof PeftModel)) this.#what = "model";
    print(`${architecture} from ${this.#flags.model}, ${model.engine.build} build`);
    const all = Array.from(model.namedTrainable().values()).reduce((sum, { size }) => sum + size, 0);
    print(model instanceof PeftModel ? model.describeTrainable() : trainableLine(all, all));
    print(
      `${counted(examples.length, "row")}, ${counted(tokens, "token")}; ${counted(trainer.steps, "step")}; ` +
        `working memory ${formatBytes(trainer.plan())}`,
    );
    for (const { name, value, reason } of choices) print(`chosen: ${this.#spell(name)} ${value} (${reason})`);
  }
  progress({ step, steps, loss, tokensPerSecond, secondsLeft }: ProgressReport): void {
    this.#line.show(
      `step ${step}/${steps}  loss ${loss.toFixed(4)}  ${grouped(tokensPerSecond)} tokens/s  ${duration(secondsLeft)} left`,
      step === 1 || step % this.#loggingSteps === 0 || step === steps,
    );
  }
  log({ step, ...numbers }: LogEntry): void {
    if (numbers.eval_loss !== undefined) this.#evaluated(`step ${step}  eval`, numbers);
  }
  tested(metrics: LogEntry): void {
    this.#evaluated("test", metrics);
  }
  #evaluated(what: string, numbers: LogEntry): void {
    const shown = Object.entries(numbers).filter(([name]) => !/^epoch$|_runtime$|_per_second$/.test(name));
    const metrics = shown.map(([name, value]) => `${name.replace(/^(eval|test)_/, "")} ${value.toFixed(4)}`);
    this.#line.above(`${what} ${metrics.join("  ")}`);
  }
  cache({ blocks, kept, examples, bytes }: FrozenCacheReport): void {
    const share = `${grouped(kept)} of ${counted(examples, "row")}, ${formatBytes(bytes)}`;
    this.#line.above(`skipped ${counted(blocks, "frozen block")} with cached outputs, for ${share}`);
  }
  profile(steps: number, output: string): void {
    this.#line.above(
      steps > 0
        ? `profile of ${counted(steps, "step")} in ${output}/profile.md; ${output}/trace.json opens in a browser's performance panel`
        : "no profile: the run ended with its first step, which is a warm-up step",
    );
  }
  pause(): void {
    this.#line.end();
  }
  end(result: TrainResult, findings: readonly Finding[], seconds: number, output: string): void {
    const { stopped, step, trainLoss, lastLoss, evalLoss } = result;
    this.#line.end();
    if (stopped !== "aborted") for (const { message } of findings) print(`note: ${message}`);
    const evaluated = evalLoss === null ? "" : `, eval loss ${evalLoss.toFixed(4)}`;
    const losses = `last loss ${lastLoss.toFixed(4)} (mean of the run ${trainLoss.toFixed(4)})${evaluated}`;
    const at = `at step ${grouped(step)}, ${losses}, ${duration(seconds)}`;
    if (stopped === "aborted") print(`interrupted ${at}; --resume continues from the checkpoint in ${output}`);
    else {
      const how = stopped === "early" ? "stopped early without improvement" : "done";
      print(`${how} ${at}; ${this.#what} in ${output}/adapter`);
    }
  }
  next(commands: readonly string[]): void {
    print(["next:", ...commands.map((line) => `  ${line}`)].join("\n"));
  }
}
