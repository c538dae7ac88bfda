/** lorikeet bench step: how fast a training step is here, against what this machine could do at best. */
import type { Command } from "commander";
import { folderTarget } from "#host";
import { getPeftModel, type PeftModel } from "../../adapt/peft-model.ts";
import { modelFromConfig } from "../../auto/auto-model.ts";
import {
  flag,
  namesOrPattern,
  type Option,
  oneOf,
  text,
  type ValuesOf,
  whole,
  wholeOrNull,
} from "../../core/options.ts";
import { lora } from "../../methods/lora.ts";
import { concatenateLabelled, type LabelledSequences } from "../../nn/pass/sequences.ts";
import type { Model } from "../../nn/tasks/model.ts";
import { AdamW } from "../../optim/adamw.ts";
import { Tape } from "../../tape/tape.ts";
import { Profiler } from "../../train/profiler.ts";
import type { Engine } from "../../wasm/engine.ts";
import { engineOptions } from "../../wasm/engine-options.ts";
import { formatBytes } from "../../wasm/memory.ts";
import { commandOf } from "../command.ts";
import { type EngineFlags, openEngine } from "../model-options.ts";
import { grouped, LiveLine, print } from "../terminal.ts";
import { measurePeak, median, processPeakBytes, timed } from "./measure.ts";
import { benchRows, dataKinds, type Row } from "./rows.ts";
import { type ShapeName, shapes } from "./shapes.ts";

export const weightDtypes = ["f32", "bf16", "f16", "int8", "nf4"] as const;
export type WeightDtype = (typeof weightDtypes)[number];

/** Options that benchmarks share. */
export const benchOptions = {
  tokens: wholeOrNull(2, { help: "tokens per sequence (default: those of the shape)", placeholder: "t" }),
  batch: wholeOrNull(1, { help: "sequences per step (default: those of the shape)", placeholder: "b" }),
  weights: oneOf(weightDtypes, "f32", "dtype of the frozen weights"),
  json: flag(false, "print one JSON object"),
};

/** --shape, one of some networks. */
export function shapeOption(names: readonly ShapeName[]): Option<ShapeName> {
  return oneOf(names, names[0]!, { help: "sizes of a real network", required: true });
}

const options = {
  shape: shapeOption(Object.keys(shapes) as ShapeName[]),
  tokens: benchOptions.tokens,
  batch: benchOptions.batch,
  data: oneOf(dataKinds, "random", "label every token, or half of them in lengths spread 1:8 (batch 8)"),
  weights: benchOptions.weights,
  method: oneOf(["lora"], "lora", "PEFT method"),
  r: whole(8, 1, "rank"),
  targetModules: namesOrPattern("layers to adapt (default: PEFT's)"),
  rounds: whole(5, 1, "timed rounds; peak and step take turns"),
  profile: text({
    help: "profile three more steps, into profile.md and trace.json of this folder",
    placeholder: "dir",
  }),
  json: benchOptions.json,
  ...engineOptions,
};
type Flags = ValuesOf<typeof options>;

export type StepOptions = Pick<Flags, "shape" | "data" | "r" | "weights"> &
  Partial<Pick<Flags, "tokens" | "batch" | "targetModules">> &
  EngineFlags;

/** What is trained: a model of a shape with LoRA, and a batch for it. */
export class BenchStep {
  readonly engine: Engine;
  readonly model: Model;
  readonly peft: PeftModel;
  readonly rows: readonly Row[];
  /** Positions that are computed, and those that have a label. */
  readonly tokens: number;
  readonly labels: number;
  /** Working memory of a step. */
  readonly arenaBytes: number;
  /** Operations of the products that a step needs. */
  flops = 0;
  /** Mean loss of the last step, before its update. */
  loss = Number.NaN;
  readonly #batch: LabelledSequences;
  readonly #optimizer: AdamW;

  constructor(model: Model, rows: readonly Row[], { r, targetModules }: Pick<StepOptions, "r" | "targetModules">) {
    model.dropout = 0;
    const named = targetModules ? { targetModules } : {};
    this.engine = model.engine;
    this.model = model;
    this.peft = getPeftModel(model, lora({ r, loraAlpha: 2 * r, ...named }), { onWarning: () => {} });
    this.rows = rows;
    const encoderDecoder = model.task === "SEQ_2_SEQ_LM";
    const positions = ({ inputIds, labels }: Row) => inputIds.length + (encoderDecoder ? labels.length : 0);
    this.tokens = rows.reduce((sum, row) => sum + positions(row), 0);
    this.labels = rows.reduce((sum, row) => sum + model.countLabels(row), 0);
    this.#batch = concatenateLabelled(rows);
    this.#optimizer = new AdamW(model.engine, this.peft.namedTrainable(), { weightDecay: 0 });
    this.arenaBytes = Tape.plan(model.engine, PASS, (tape) => this.#pass(tape));
  }

  static async open(options: StepOptions): Promise<BenchStep> {
    const model = await modelOfShape(options);
    const shape = shapes[options.shape];
    const { tokens, batch, data } = options;
    const encoderDecoder = model.task === "SEQ_2_SEQ_LM";
    const size = { tokens: tokens ?? shape.tokens, batch: batch ?? shape.batch };
    const rows = benchRows({ data, ...size, vocabSize: model.vocabSize, encoderDecoder });
    return new BenchStep(model, rows, options);
  }

  /** Forward, backward and AdamW. */
  run(): void {
    Tape.run(this.engine, this.arenaBytes, PASS, (tape) => this.#pass(tape));
    this.#optimizer.step(1e-3, 1);
    this.#optimizer.zeroGrad();
  }

  #pass(tape: Tape): void {
    const losses = this.peft.loss(tape, this.#batch);
    this.loss = tape.download(losses).reduce((sum, loss) => sum + loss, 0) / this.labels;
    tape.backward(losses, 1 / this.labels);
    this.flops = tape.flops;
  }
}

const PASS = { recording: true, training: true };

/** A model of a shape, its weights made on the spot. */
export async function modelOfShape(options: EngineFlags & { shape: ShapeName; weights: WeightDtype }): Promise<Model> {
  const engine = await openEngine(options);
  const { weights } = options;
  return (await modelFromConfig(shapes[options.shape].config, null, { engine, fast: true, weights })) as Model;
}

export const step: Command = commandOf("step", {
  description: "Time one training step: forward, backward and AdamW, on weights made on the spot.",
  options,
  examples: `
    $ lorikeet bench step --shape llama-15m --tokens 256 --batch 4
    $ lorikeet bench step --shape gpt2-124m --data instruction --threads 2
    $ lorikeet bench step --shape gpt2-124m --build baseline --rounds 3 --json`,
  run,
});

async function run(flags: Flags): Promise<void> {
  const line = new LiveLine();
  line.show(`making ${flags.shape}`);
  const batch = flags.batch ?? (flags.data === "instruction" ? 8 : null);
  const made = await BenchStep.open({ ...flags, batch });
  made.run(); // warm-up: the JavaScript engine compiles the kernels
  const seconds: number[] = [];
  const peaks: number[] = [];
  for (let round = 0; round < flags.rounds; round++) {
    line.show(`round ${round + 1} of ${flags.rounds}`);
    peaks.push(measurePeak(made.engine));
    seconds.push(timed(() => made.run()));
  }
  line.end();
  report(flags, made, seconds, peaks);
  if (flags.profile === null) return;
  const profiler = new Profiler({ steps: 3, warmup: 0 });
  for (let step = 0; step < 3; step++) await profiler.during(made.engine, async () => made.run());
  await profiler.write(folderTarget(flags.profile));
}

function report(flags: Flags, made: BenchStep, seconds: number[], peaks: number[]): void {
  const { engine, flops, tokens, rows } = made;
  const second = median(seconds);
  const longest = Math.max(...rows.map((row) => row.inputIds.length));
  const found = {
    ...{ shape: flags.shape, build: engine.build, threads: engine.threads, weights: flags.weights, data: flags.data },
    ...{ tokens: longest, batch: rows.length, tokensPerStep: tokens, labels: made.labels },
    ...{ method: flags.method, r: flags.r, loss: made.loss },
    msPerStep: 1000 * second,
    tokensPerSecond: tokens / second,
    flopsPerStep: flops,
    simdPeakFlops: median(peaks),
    fractionOfPeak: median(seconds.map((s, i) => flops / s / peaks[i]!)),
    arenaBytes: made.arenaBytes,
    peakBytes: engine.memory.peakBytes,
    wasmBytes: engine.memory.byteLength,
    processPeakBytes: processPeakBytes(),
    samplesMs: seconds.map((s) => 1000 * s),
    peakSamples: peaks,
  };
  if (flags.json) {
    print(JSON.stringify(found));
    return;
  }
  const threads = found.threads === 1 ? "one thread" : `${found.threads} threads`;
  const size =
    flags.data === "random" ? `${rows.length} x ${longest} tokens` : `${tokens} tokens in ${rows.length} rows`;
  print(
    `${flags.shape} in ${flags.weights}, ${size}, ${flags.method} r ${flags.r}, ${found.build} build, ${threads}, node ${process.version}`,
  );
  print(
    `  ${found.msPerStep.toFixed(1)} ms/step   ${grouped(found.tokensPerSecond)} tokens/s   (median of ${seconds.length})`,
  );
  print(
    `  ${(flops / second / 1e9).toFixed(1)} GFLOP/s of ${(found.simdPeakFlops / 1e9).toFixed(1)} at the SIMD peak: ${(100 * found.fractionOfPeak).toFixed(0)} %`,
  );
  print(
    `  peak memory ${formatBytes(found.peakBytes)}, of which the step ${formatBytes(found.arenaBytes)}; the whole process ${formatBytes(found.processPeakBytes)}`,
  );
}
