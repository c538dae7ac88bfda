/** lorikeet bench step: how fast a training step is here, against what this machine could do at best. */
import { Command, Option } from "commander";
import { withEngineOptions } from "../../dist/cli/model-options.js";
import { needs, targetModules, whole } from "../../dist/cli/options.js";
import { grouped, LiveLine, print } from "../../dist/cli/terminal.js";
import { folderTarget } from "../../dist/runtime/node.js";
import { Profiler } from "../../dist/train/profiler.js";
import { formatBytes } from "../../dist/wasm/memory.js";
import { median } from "../harness.js";
import { BenchStep } from "../lora-step.js";
import { measurePeak, processPeakBytes, timed } from "../measure.js";
import { dataKinds } from "../rows.js";
import { shapes } from "../shapes.js";
import { shapeOption, weightsOption } from "./options.js";

export const step = withEngineOptions(
  new Command("step")
    .description("Time one training step: forward, backward and AdamW, on weights made on the spot.")
    .addOption(shapeOption(Object.keys(shapes)))
    .option("--tokens <t>", "tokens per sequence", whole(2))
    .option("--batch <b>", "sequences per step", whole(1))
    .addOption(
      new Option("--data <kind>", "every token labelled, or half of them and lengths spread 1:8 (batch 8)")
        .choices(dataKinds)
        .default("random"),
    )
    .addOption(weightsOption())
    .addOption(new Option("--method <name>", "PEFT method").choices(["lora"]).default("lora"))
    .option("--r <n>", "rank", whole(1), 8)
    .option("--target-modules <names>", "what to adapt, by default as PEFT does", targetModules)
    .option("--rounds <n>", "timed rounds; peak and step take turns", whole(1), 5)
    .option("--profile <dir>", "profile three more steps, into profile.md and trace.json of this folder")
    .option("--json", "print one JSON object"),
)
  .addHelpText(
    "after",
    `
Examples:
  $ lorikeet bench step --shape llama-15m --tokens 256 --batch 4
  $ lorikeet bench step --shape gpt2-124m --data instruction --threads 2
  $ lorikeet bench step --shape gpt2-124m --build baseline --rounds 3 --json`,
  )
  .action(run);

needs(step, "--shape");

async function run(flags) {
  const line = new LiveLine();
  line.show(`making ${flags.shape}`);
  const batch = flags.batch ?? (flags.data === "instruction" ? 8 : undefined);
  const made = await BenchStep.open({ ...flags, ...(batch !== undefined && { batch }) });
  made.run(); // warm-up: the JavaScript engine compiles the kernels
  const seconds = [];
  const peaks = [];
  for (let round = 0; round < flags.rounds; round++) {
    line.show(`round ${round + 1} of ${flags.rounds}`);
    peaks.push(measurePeak(made.engine));
    seconds.push(timed(() => made.run()));
  }
  line.end();
  report(flags, made, seconds, peaks);
  if (flags.profile === undefined) return;
  const profiler = new Profiler({ steps: 3, warmup: 0 });
  for (let step = 0; step < 3; step++) await profiler.during(made.engine, async () => made.run());
  await profiler.write(folderTarget(flags.profile));
}

function report(flags, made, seconds, peaks) {
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
    fractionOfPeak: median(seconds.map((s, i) => flops / s / peaks[i])),
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
