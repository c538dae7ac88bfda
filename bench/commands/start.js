/** lorikeet bench start: how long a fresh process takes from importing the library to the end of its first training step. */
import { spawnSync } from "node:child_process";
import { commandOf } from "../../dist/cli/command.js";
import { print } from "../../dist/cli/terminal.js";
import { StateError } from "../../dist/core/errors.js";
import { whole } from "../../dist/core/options.js";
import { engineOptions } from "../../dist/wasm/engine-options.js";
import { benchRows } from "../rows.js";
import { shapes } from "../shapes.js";
import { median } from "../statistics.js";
import { benchOptions, decoders, shapeOption } from "./options.js";

const options = {
  shape: shapeOption(decoders),
  tokens: benchOptions.tokens,
  batch: benchOptions.batch,
  rounds: whole(7, 1, "number of processes"),
  json: benchOptions.json,
  ...engineOptions,
};

export const start = commandOf("start", {
  description: "Time a fresh process from importing the library to the end of its first training step.",
  options,
  examples: `
    $ lorikeet bench start --shape llama-260k
    $ lorikeet bench start --shape llama-260k --batch 1 --json`,
  run,
});

/** The program of the fresh process. It imports what users import; `work` holds all of its parameters. */
const program = `
const began = performance.now();
const since = () => performance.now() - began;
const work = JSON.parse(process.argv[1]);
const { AdamW, AutoModelForCausalLM, concatenateLabelled, createEngine, getPeftModel, lora, Tape } = await import(work.library);
const imported = since();
const engine = await createEngine(work.engine);
const base = await AutoModelForCausalLM.fromConfig(work.config, { engine, fast: true });
const model = getPeftModel(base, lora({ r: 8, loraAlpha: 16 }));
const optimizer = new AdamW(engine, model.namedTrainable());
const ready = since();
const batch = concatenateLabelled(work.rows);
const labels = work.rows.reduce((sum, row) => sum + base.countLabels(row), 0);
Tape.once(engine, { recording: true, training: true }, (tape) => tape.backward(model.loss(tape, batch), 1 / labels));
optimizer.step(1e-4, 1);
console.log(JSON.stringify({ imported, ready, stepped: since(), build: engine.build, threads: engine.threads }));
process.exit();
`;

async function run(flags) {
  const shape = shapes[flags.shape];
  const { config } = shape;
  const tokens = flags.tokens ?? shape.tokens;
  const batch = flags.batch ?? shape.batch;
  const vocabSize = config.vocab_size;
  const rows = benchRows({ data: "random", tokens, batch, vocabSize, encoderDecoder: false });
  const { threads, build } = flags;
  const library = new URL("../../dist/index.js", import.meta.url).href;
  const work = JSON.stringify({ library, config, rows, engine: { build, ...(threads !== null && { threads }) } });
  const all = Array.from({ length: flags.rounds }, () => fresh(work));
  const middle = (key) => median(all.map((found) => found[key]));
  const { build: used, threads: together } = all[0];
  const found = {
    ...{ shape: flags.shape, build: used, threads: together, tokens, batch },
    ...{ importMs: middle("imported"), readyMs: middle("ready"), firstStepMs: middle("stepped") },
    samplesMs: all.map(({ stepped }) => stepped),
  };
  if (flags.json) {
    print(JSON.stringify(found));
    return;
  }
  print(`${flags.shape}, ${batch} x ${tokens} tokens, ${used} build, node ${process.version}`);
  print(
    `  imported after ${found.importMs.toFixed(0)} ms, ready to train after ${found.readyMs.toFixed(0)} ms, first step done after ${found.firstStepMs.toFixed(0)} ms   (median of ${all.length} processes)`,
  );
}

function fresh(work) {
  const args = [...process.execArgv, "--input-type=module", "--eval", program, work];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new StateError(`bench start: the fresh process ended with ${status}: ${stderr.trim()}`);
  return JSON.parse(stdout);
}
