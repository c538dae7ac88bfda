/**
 * lorikeet bench decode: the speed of generating tokens, compared with the speed at which this machine reads the
 * weights that each token needs.
 */
import { commandOf } from "../../dist/cli/command.js";
import { openEngine } from "../../dist/cli/model-options.js";
import { LiveLine, print } from "../../dist/cli/terminal.js";
import { UnsupportedError } from "../../dist/core/errors.js";
import { whole } from "../../dist/core/options.js";
import { Decoding } from "../../dist/generate/decoding.js";
import { CausalLM } from "../../dist/nn/tasks/causal-lm.js";
import { engineOptions } from "../../dist/wasm/engine-options.js";
import { formatBytes } from "../../dist/wasm/memory.js";
import { bytesPerToken } from "../bytes-per-token.js";
import { modelOfShape } from "../lora-step.js";
import { clockFor, processPeakBytes, ReadRate, timed } from "../measure.js";
import { median, summary } from "../statistics.js";
import { benchOptions, decoders, shapeOption } from "./options.js";

const options = {
  shape: shapeOption(decoders),
  weights: benchOptions.weights,
  tokens: whole(16, 1, "tokens per round"),
  rounds: whole(5, 1, "timed rounds; reading and generating alternate"),
  json: benchOptions.json,
  ...engineOptions,
};

export const decode = commandOf("decode", {
  description: "Time generating one token after another, with random weights, compared with reading memory.",
  options,
  examples: `
    $ lorikeet bench decode --shape gpt2-124m
    $ lorikeet bench decode --shape llama-15m --threads 2 --json`,
  run,
});

async function run(flags) {
  const line = new LiveLine();
  line.show(`making ${flags.shape}`);
  const model = await modelOfShape({ ...flags, engine: await openEngine(flags) });
  if (!(model instanceof CausalLM))
    throw new UnsupportedError(`bench decode: ${flags.shape} is not a decoder-only model`);
  const { engine } = model;
  const bytes = bytesPerToken(model);
  const reading = new ReadRate(engine);
  const decoding = new Decoding(model, [{ inputIds: [1], room: flags.tokens * (flags.rounds + 1) }]);
  decoding.begin(0);
  const write = () => {
    for (let i = 0; i < flags.tokens; i++) decoding.step([i % model.vocabSize]);
  };
  write(); // warm-up
  const clock = clockFor(engine.threads);
  const seconds = [];
  const reads = [];
  for (let round = 0; round < flags.rounds; round++) {
    line.show(`round ${round + 1} of ${flags.rounds}`);
    reads.push(reading.measure());
    seconds.push(timed(write, clock) / flags.tokens);
  }
  decoding[Symbol.dispose]();
  line.end();
  const second = median(seconds);
  const share = summary(seconds.map((s, i) => bytes / s / reads[i]));
  const found = {
    ...{ shape: flags.shape, build: engine.build, threads: engine.threads, weights: flags.weights },
    msPerToken: 1000 * second,
    tokensPerSecond: 1 / second,
    bytesPerToken: bytes,
    readBytesPerSecond: median(reads),
    fractionOfRead: share.value,
    spread: share.spread,
    processPeakBytes: processPeakBytes(),
    samplesMs: seconds.map((s) => 1000 * s),
    readSamples: reads,
  };
  if (flags.json) {
    print(JSON.stringify(found));
    return;
  }
  const threads = found.threads === 1 ? "one thread" : `${found.threads} threads`;
  print(`${flags.shape} in ${flags.weights}, ${found.build} build, ${threads}, node ${process.version}`);
  print(
    `  ${found.msPerToken.toFixed(2)} ms/token   ${found.tokensPerSecond.toFixed(1)} tokens/s   (median of ${seconds.length} rounds)`,
  );
  print(
    `  ${formatBytes(bytes)} of weights read a token: ${(100 * found.fractionOfRead).toFixed(0)} % of the ${formatBytes(found.readBytesPerSecond)}/s that this machine reads`,
  );
}
