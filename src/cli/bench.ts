/** lorikeet bench: how fast a training step is here, against what this machine could do at best. */
import { Command, Option } from "commander";
import { getPeftModel } from "../adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../auto/auto-model.ts";
import { Philox } from "../core/philox.ts";
import { lora } from "../methods/lora.ts";
import { concatenateLabelled } from "../nn/sequences.ts";
import { AdamW } from "../optim/adamw.ts";
import { Tape } from "../tape/tape.ts";
import type { Engine } from "../wasm/engine.ts";
import { formatBytes } from "../wasm/memory.ts";
import { type EngineFlags, openEngine, withEngineOptions } from "./model-options.ts";
import { needs, targetModules, whole } from "./options.ts";
import { shapes } from "./shapes.ts";
import { grouped, LiveLine, print } from "./terminal.ts";

interface Flags extends EngineFlags {
  shape: keyof typeof shapes;
  tokens?: number;
  batch?: number;
  method: string;
  r: number;
  targetModules?: string | string[];
  rounds: number;
  json?: boolean;
}

const step = withEngineOptions(
  new Command("step")
    .description(
      "Time one training step: forward, backward and AdamW, every token labelled, on weights made on the spot.",
    )
    .addOption(new Option("--shape <name>", "sizes of a real network").choices(Object.keys(shapes)))
    .option("--tokens <t>", "tokens per sequence", whole(2))
    .option("--batch <b>", "sequences per step", whole(1))
    .addOption(new Option("--method <name>", "PEFT method").choices(["lora"]).default("lora"))
    .option("--r <n>", "rank", whole(1), 8)
    .option("--target-modules <names>", "what to adapt, by default as PEFT does", targetModules)
    .option("--rounds <n>", "timed rounds; peak and step take turns", whole(1), 5)
    .option("--json", "print one JSON object"),
)
  .addHelpText(
    "after",
    `
Examples:
  $ lorikeet bench step --shape llama-15m --tokens 256 --batch 4
  $ lorikeet bench step --shape gpt2-124m --build baseline --rounds 3 --json`,
  )
  .action(run);

needs(step, "--shape");

export const command: Command = new Command("bench").description("Measure speed on this machine.").addCommand(step);

async function run(flags: Flags): Promise<void> {
  const { config, tokens: defaultTokens, batch: defaultBatch } = shapes[flags.shape];
  const tokens = flags.tokens ?? defaultTokens;
  const batch = flags.batch ?? defaultBatch;
  const line = new LiveLine();
  line.show(`making ${flags.shape}`);
  const engine = await openEngine(flags);
  const model = await AutoModelForCausalLM.fromConfig(config, { engine, fast: true });
  model.dropout = 0;
  const named = flags.targetModules === undefined ? {} : { targetModules: flags.targetModules };
  const peft = getPeftModel(model, lora({ r: flags.r, loraAlpha: 2 * flags.r, ...named }));
  const params = peft.namedTrainable();
  const optimizer = new AdamW(engine, params, { weightDecay: 0 });
  const data = concatenateLabelled(Array.from({ length: batch }, (_, i) => randomRow(tokens, model.vocabSize, i)));
  const labels = batch * (tokens - 1);
  const options = { recording: true, training: true };
  let flops = 0;
  const oneStep = (tape: Tape) => {
    tape.backward(peft.loss(tape, data), 1 / labels);
    flops = tape.flops;
  };
  const bytes = Tape.plan(engine, options, oneStep);
  const train = () => {
    Tape.run(engine, bytes, options, oneStep);
    optimizer.step(1e-4, 1);
    optimizer.zeroGrad();
  };
  train(); // warm-up: the JavaScript engine compiles the kernels
  const seconds: number[] = [];
  const peaks: number[] = [];
  for (let round = 0; round < flags.rounds; round++) {
    line.show(`round ${round + 1} of ${flags.rounds}`);
    peaks.push(measurePeak(engine));
    seconds.push(timed(train));
  }
  line.end();
  report(flags, {
    build: engine.build,
    tokens,
    batch,
    seconds,
    peaks,
    flops,
    arenaBytes: bytes,
    peakBytes: engine.memory.peakBytes,
  });
}

interface Measured {
  build: string;
  tokens: number;
  batch: number;
  seconds: number[];
  peaks: number[];
  flops: number;
  arenaBytes: number;
  peakBytes: number;
}

function report(flags: Flags, m: Measured): void {
  const second = median(m.seconds);
  const peak = median(m.peaks);
  const fraction = median(m.seconds.map((s, i) => m.flops / s / m.peaks[i]!));
  const rate = (m.tokens * m.batch) / second;
  if (flags.json) {
    print(
      JSON.stringify({
        shape: flags.shape,
        build: flags.build,
        tokens: m.tokens,
        batch: m.batch,
        method: flags.method,
        r: flags.r,
        threads: 1,
        msPerStep: 1000 * second,
        tokensPerSecond: rate,
        flopsPerStep: m.flops,
        simdPeakFlops: peak,
        fractionOfPeak: fraction,
        arenaBytes: m.arenaBytes,
        peakBytes: m.peakBytes,
        samplesMs: m.seconds.map((s) => 1000 * s),
        peakSamples: m.peaks,
      }),
    );
    return;
  }
  print(
    `${flags.shape}, ${m.batch} x ${m.tokens} tokens, ${flags.method} r ${flags.r}, ${m.build} build, one thread, node ${process.version}`,
  );
  print(`  ${(1000 * second).toFixed(1)} ms/step   ${grouped(rate)} tokens/s   (median of ${m.seconds.length})`);
  print(
    `  ${(m.flops / second / 1e9).toFixed(1)} GFLOP/s of ${(peak / 1e9).toFixed(1)} at the SIMD peak: ${(100 * fraction).toFixed(0)} %`,
  );
  print(`  peak memory ${formatBytes(m.peakBytes)}, of which the step ${formatBytes(m.arenaBytes)}`);
}

function timed(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}

/** Operations per iteration of the peak kernel: see assembly/linear/peak.ts. */
const PEAK_FLOPS = 192;

/** Rate of a kernel that only multiplies and adds in registers, in floating-point operations a second. */
function measurePeak(engine: Engine): number {
  const iterations = 1_000_000;
  const once = () => timed(() => engine.kernels.simd_peak(iterations, 0.5));
  const best = Math.min(once(), once(), once());
  return (PEAK_FLOPS * iterations) / best;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function randomRow(tokens: number, vocabulary: number, stream: number) {
  const random = new Philox(7, stream);
  const inputIds = Int32Array.from({ length: tokens }, () => random.below(vocabulary));
  return { inputIds, labels: inputIds };
}
