/** lorikeet bench step: the speed of a training step, compared with this machine's peak. */
import { commandOf } from "../../dist/cli/command.js";
import { openEngine } from "../../dist/cli/model-options.js";
import { grouped, LiveLine, print } from "../../dist/cli/terminal.js";
import { namesOrPattern, oneOf, text, whole } from "../../dist/core/options.js";
import { folderTarget } from "../../dist/runtime/node.js";
import { Profiler } from "../../dist/train/profiler.js";
import { engineOptions } from "../../dist/wasm/engine-options.js";
import { formatBytes } from "../../dist/wasm/memory.js";
import { BenchStep } from "../lora-step.js";
import { clockFor, measurePeak, processPeakBytes, timed } from "../measure.js";
import { dataKinds } from "../rows.js";
import { shapes } from "../shapes.js";
import { median, summary } from "../statistics.js";
import { benchOptions, shapeOption } from "./options.js";

const options = {
  shape: shapeOption(Object.keys(shapes)),
  tokens: benchOptions.tokens,
  batch: benchOptions.batch,
  data: oneOf(dataKinds, "random", "label every token, or half of them in lengths spread 1:8 (batch 8)"),
  weights: benchOptions.weights,
  activations: benchOptions.activations,
  method: oneOf(["lora"], "lora", "PEFT method"),
  r: whole(8, 1, "rank"),
  targetModules: namesOrPattern("layers to adapt (default: PEFT's)"),
  rounds: whole(5, 1, "timed rounds; peak and step alternate"),
  profile: text({
    help: "profile three more steps, into profile.md and trace.json of this folder",
    placeholder: "dir",
  }),
  json: benchOptions.json,
  ...engineOptions,
};

export const step = commandOf("step", {
  description: "Time one training step: forward, backward and AdamW, with random weights.",
  options,
  examples: `
    $ lorikeet bench step --shape llama-15m --tokens 256 --batch 4
    $ lorikeet bench step --shape gpt2-124m --data instruction --threads 2
    $ lorikeet bench step --shape gpt2-124m --build baseline --rounds 3 --json`,
  run,
});

async function run(flags) {
  const line = new LiveLine();
  line.show(`making ${flags.shape}`);
  const batch = flags.batch ?? (flags.data === "instruction" ? 8 : null);
  const made = await BenchStep.open({ ...flags, batch, engine: await openEngine(flags) });
  made.run(); // warm-up: the JavaScript engine compiles the kernels
  const clock = clockFor(made.engine.threads);
  const seconds = [];
  const peaks = [];
  for (let round = 0; round < flags.rounds; round++) {
    line.show(`round ${round + 1} of ${flags.rounds}`);
    peaks.push(measurePeak(made.engine));
    seconds.push(timed(() => made.run(), clock));
  }
  line.end();
  report(flags, made, seconds, peaks);
  if (flags.profile === null) return;
  const profiler = new Profiler({ steps: 3, warmup: 0 });
  for (let step = 0; step < 3; step++) await profiler.during(made.engine, async () => made.run());
  await profiler.write(folderTarget(flags.profile));
}

function report(flags, made, seconds, peaks) {
  const { engine, flops, tokens, rows } = made;
  const second = median(seconds);
  const share = summary(seconds.map((s, i) => flops / s / peaks[i]));
  const longest = Math.max(...rows.map((row) => row.inputIds.length));
  const found = {
    ...{ shape: flags.shape, build: engine.build, threads: engine.threads, weights: flags.weights, data: flags.data },
    ...{ tokens: longest, batch: rows.length, tokensPerStep: tokens, labels: made.labels },
    ...{ method: flags.method, r: flags.r, loss: made.loss },
    msPerStep: 1000 * second,
    tokensPerSecond: tokens / second,
    flopsPerStep: flops,
    simdPeakFlops: median(peaks),
    fractionOfPeak: share.value,
    spread: share.spread,
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
