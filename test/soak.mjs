/**
 * Trains, generates, swaps adapters, loads and disposes, again and again: memory must stay flat and threads must end.
 *
 *   npm run soak                     for an hour
 *   npm run soak -- --minutes 0.3    short form, for every change
 *
 * Writes build/reliability/soak.json. Ends with an error if anything grows. Run `node scripts/build.mjs` before.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  AutoModelForCausalLM,
  createEngine,
  generate,
  getPeftModel,
  lora,
  memoryRun,
  PeftModel,
  Trainer,
} from "../dist/index.js";

const { values: flags } = parseArgs({ options: { minutes: { type: "string", default: "60" } } });
const minutes = Number(flags.minutes);
if (!(minutes > 0)) throw new Error(`--minutes is "${flags.minutes}", expected a number above 0`);

/** Megabytes an hour that a long run may gain, as its second half tells; a short one has only the bound below. */
const MOST_AN_HOUR = 20;
/** Megabytes that a run may gain after its first tenth. */
const MOST = 64;
const config = {
  ...{ model_type: "llama", hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 4 },
  ...{ num_key_value_heads: 2, vocab_size: 64, max_position_embeddings: 64, rms_norm_eps: 1e-5, rope_theta: 10000 },
  ...{ tie_word_embeddings: true, initializer_range: 0.2 },
};
const trainDataset = Array.from({ length: 8 }, (_, i) => {
  const inputIds = Int32Array.from({ length: 8 + i }, (_, t) => (i * 7 + t * 11) % 64);
  return { inputIds, labels: inputIds.slice(), where: `row ${i + 1}` };
});

/** What was found wrong. */
const problems = [];
const quiet = { onWarning: () => {} };
let adapters = null;

async function round(engine, base, seed) {
  const model = getPeftModel(base, lora({ r: 4, targetModules: "all-linear" }), { seed, ...quiet });
  const outputDir = memoryRun();
  const args = { maxSteps: 4, saveSteps: 2, loggingSteps: 2, perDeviceTrainBatchSize: 4, learningRate: 0.01 };
  await new Trainer({ model, args, trainDataset, outputDir, ...quiet }).train();
  const trained = outputDir.source("adapter");
  adapters ??= trained;
  await model.loadAdapter(adapters, "first");
  model.setAdapter("first");
  await generate(model, [1, 2, 3], { maxNewTokens: 16, eosTokenId: null });
  model.deleteAdapter("first");
  model.dispose();
  const served = await PeftModel.fromPretrained(base, trained, quiet);
  await generate(served, [4, 5, 6], { maxNewTokens: 16, eosTokenId: null, doSample: true, seed });
  served.dispose();
  await AutoModelForCausalLM.fromPretrained({ "config.json": new Uint8Array([123]) }, { engine }).then(
    () => problems.push("a damaged model was loaded"),
    () => {},
  );
}

/** An engine of its own with threads, a model in it, and the end of both. */
async function threaded(seed) {
  const engine = await createEngine({ threads: 2 });
  const model = await AutoModelForCausalLM.fromConfig(config, { engine, seed });
  await generate(model, [1, 2], { maxNewTokens: 2, eosTokenId: null });
  model.dispose();
  engine.dispose();
}

const threads = () => {
  try {
    return readdirSync("/proc/self/task").length;
  } catch {
    return 0; // a host that does not say
  }
};
const resident = () => {
  globalThis.gc?.();
  return process.memoryUsage.rss() / 1e6;
};

/** Megabytes an hour, by least squares. */
function slope(samples) {
  const mean = (key) => samples.reduce((sum, each) => sum + each[key], 0) / samples.length;
  const [hours, memory] = [mean("hours"), mean("memory")];
  const product = samples.reduce((sum, each) => sum + (each.hours - hours) * (each.memory - memory), 0);
  const square = samples.reduce((sum, each) => sum + (each.hours - hours) ** 2, 0);
  return square === 0 ? 0 : product / square;
}

const engine = await createEngine({ threads: 1 });
const base = await AutoModelForCausalLM.fromConfig(config, { engine, seed: 1 });
for (let i = 0; i < 3; i++) await round(engine, base, i);
await threaded(1);
const before = engine.memory.usedBytes;
const began = performance.now();
const hours = () => (performance.now() - began) / 3.6e6;
const samples = [];
let rounds = 0;
let threadsBefore = 0;
for (let next = 0; hours() * 60 < minutes; rounds++) {
  await round(engine, base, rounds);
  if (rounds % 10 === 0) await threaded(rounds);
  const used = engine.memory.usedBytes;
  if (used !== before) problems.push(`after round ${rounds + 1} the engine holds ${used} bytes, before ${before}`);
  if (problems.length > 0) break;
  if (hours() * 60 < next) continue;
  next += minutes / 100;
  await new Promise((resolve) => setTimeout(resolve, 20)); // threads end on their own
  samples.push({ hours: hours(), memory: resident(), threads: threads() });
  if (samples.length === 5) threadsBefore = samples.at(-1).threads;
}
const settled = samples.slice(Math.floor(samples.length / 10));
const grown = (samples.at(-1)?.memory ?? 0) - (settled[0]?.memory ?? 0);
const anHour = slope(samples.slice(Math.floor(samples.length / 2)));
const threadsLeft = Math.max(0, (samples.at(-1)?.threads ?? 0) - threadsBefore);
if (grown > MOST) problems.push(`memory grew by ${grown.toFixed(1)} MB`);
if (minutes >= 10 && anHour > MOST_AN_HOUR) problems.push(`memory grows by ${anHour.toFixed(1)} MB an hour`);
if (threadsLeft > 0) problems.push(`${threadsLeft} threads are left`);
base.dispose();
if (engine.memory.usedBytes > before) problems.push("the engine holds more after its model is gone");
engine.dispose();

const row = {
  ...{ minutes: Number((hours() * 60).toFixed(1)), rounds, engineBytesGained: 0, threadsLeft },
  ...{ megabytesGained: Number(grown.toFixed(1)), megabytesAnHour: Number(anHour.toFixed(1)), problems },
};
console.log(`${rounds} rounds in ${row.minutes} minutes: memory ${grown.toFixed(1)} MB, ${threadsLeft} threads left`);
for (const problem of problems) console.error(`  ${problem}`);
const folder = new URL("../build/reliability/", import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL("soak.json", folder), `${JSON.stringify(row, null, 2)}\n`);
if (problems.length > 0) process.exitCode = 1;
