/** lorikeet bench start: how long a fresh process takes from importing the library to the end of its first training step. */
import { spawnSync } from "node:child_process";
import type { Command } from "commander";
import { StateError } from "../../core/errors.ts";
import { type ValuesOf, whole } from "../../core/options.ts";
import { engineOptions } from "../../wasm/engine-options.ts";
import { commandOf } from "../command.ts";
import { print } from "../terminal.ts";
import { median } from "./measure.ts";
import { benchRows } from "./rows.ts";
import { type ShapeName, shapes } from "./shapes.ts";
import { benchOptions, shapeOption } from "./step.ts";

const decoders = (Object.keys(shapes) as ShapeName[]).filter((name) => shapes[name].config.model_type !== "mt5");

const options = {
  shape: shapeOption(decoders),
  tokens: benchOptions.tokens,
  batch: benchOptions.batch,
  rounds: whole(7, 1, "number of processes"),
  json: benchOptions.json,
  ...engineOptions,
};
type Flags = ValuesOf<typeof options>;

export const start: Command = commandOf("start", {
  description: "Time a fresh process from importing the library to the end of its first training step.",
  options,
  examples: `
    $ lorikeet bench start --shape llama-260k
    $ lorikeet bench start --shape llama-260k --batch 1 --json`,
  run,
});

/** What the fresh process runs. It imports what users import; `work` holds all that it needs to know. */
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

interface Found {
  /** Milliseconds from before the import to its end, to a model ready to train, to the end of the first step. */
  imported: number;
  ready: number;
  stepped: number;
  build: string;
  threads: number;
}

async function run(flags: Flags): Promise<void> {
  const shape = shapes[flags.shape];
  const { config } = shape;
  const tokens = flags.tokens ?? shape.tokens;
  const batch = flags.batch ?? shape.batch;
  const vocabSize = config.vocab_size as number;
  const rows = benchRows({ data: "random", tokens, batch, vocabSize, encoderDecoder: false });
  const { threads, build } = flags;
  const library = new URL("../../index.js", import.meta.url).href;
  const work = JSON.stringify({ library, config, rows, engine: { build, ...(threads !== null && { threads }) } });
  const all = Array.from({ length: flags.rounds }, () => fresh(work));
  const middle = (key: "imported" | "ready" | "stepped") => median(all.map((found) => found[key]));
  const { build: used, threads: together } = all[0]!;
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

function fresh(work: string): Found {
  const args = [...process.execArgv, "--input-type=module", "--eval", program, work];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new StateError(`bench start: the fresh process ended with ${status}: ${stderr.trim()}`);
  return JSON.parse(stdout) as Found;
}
