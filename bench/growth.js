/**
 * How cost grows: time and memory against tokens, rank, adapters, layers, vocabulary, threads and file size, each as a curve beside what
 * is expected of it.
 *
 *   node bench/growth.js [--only rank,layers] [--short] [--out FILE.json] [--pictures FOLDER]
 *
 * Prints the slopes (exponents of the fitted power laws) and where a curve bends away from what is expected, with the kernels in which it
 * does; --pictures draws each curve as an SVG. Steps are timed on one thread by the processor's time, the least of some runs. About a minute
 * on a quiet machine, with --short (fewer and smaller sizes) a quarter of that.
 */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { modelFromConfig } from "../dist/auto/auto-model.js";
import { AutoModelForCausalLM, concatenate, createEngine, lora, saveModel } from "../dist/index.js";
import { curveSvg } from "./curve-svg.js";
import { keep } from "./harness.js";
import { BenchStep } from "./lora-step.js";
import { clockFor, elapsedMs } from "./measure.js";
import { benchRows } from "./rows.js";
import { logLogSlope, spreadOf } from "./statistics.js";

/** A neighbor that grew this many times more or less than expected is a bend: time is noisy, memory is counted. */
const TIME_BEND = 1.3;
const MEMORY_BEND = 1.15;
/** So is a whole curve whose slope differs by this much, though no two neighbors do. */
const SLOPE_BEND = 0.07;
const RANK = 8;
/** Milliseconds of a run that is timed once: noise is small beside it. */
const LONG = 2000;

/** A small Llama, long enough for every curve. */
const network = (sizes = {}) => ({
  ...{ model_type: "llama", rms_norm_eps: 1e-5, vocab_size: 1024, hidden_size: 128, intermediate_size: 352 },
  ...{ num_hidden_layers: 2, num_attention_heads: 2, num_key_value_heads: 2, max_position_embeddings: 8192 },
  ...{ tie_word_embeddings: true, ...sizes },
});

/** What is expected to be in proportion to the costs of some points. */
const asFlops = (points) => points.map(({ flops }) => flops);
const asPower = (exponent) => (points) => points.map(({ x }) => x ** exponent);

const upTo = (last, first = 1) => {
  const values = [];
  for (let x = first; x <= last; x *= 2) values.push(x);
  return values;
};

/**
 * By name: what is varied, its values (all, and those of --short), and what time and memory should be in proportion to; null where nothing
 * simple is expected. `open` prepares one value and returns { run, bytes, flops, close }; where that is all there is to time, the figures
 * are { ms, bytes }.
 */
const CURVES = {
  "tokens in one row": {
    ...{ x: "tokens in one row", values: upTo(8192, 64), short: upTo(2048, 64), time: asFlops, memory: asPower(1) },
    open: (tokens, engine) => openStep(engine, { tokens, batch: 1 }),
  },
  "tokens in many rows": {
    ...{
      x: "tokens in rows of 64",
      values: upTo(8192, 64),
      short: upTo(2048, 64),
      time: asPower(1),
      memory: asPower(1),
    },
    open: (tokens, engine) => openStep(engine, { tokens: 64, batch: tokens / 64 }),
  },
  rank: {
    ...{
      x: "rank of LoRA on all linear layers",
      values: upTo(256),
      short: [1, 4, 16, 64],
      time: asFlops,
      memory: null,
    },
    open: (r, engine) => openStep(engine, { tokens: 128, batch: 4, r, targetModules: "all-linear" }),
  },
  "loaded adapters": {
    ...{ x: "adapters loaded, one of them trained", values: upTo(64), short: [1, 8, 64], time: asPower(0) },
    ...{ memory: asPower(1), memoryTitle: "memory of the adapters" },
    open: openLoaded,
  },
  "mixed adapters": {
    ...{ x: "adapters in a forward pass of 16 rows", values: upTo(16), short: [1, 4, 16], time: asPower(0) },
    ...{ memory: asPower(1), memoryTitle: "memory of the adapters" },
    open: openMixed,
  },
  layers: {
    ...{ x: "layers", values: upTo(32), short: [1, 4, 16], time: asFlops, memory: null },
    open: (layers, engine) => openStep(engine, { tokens: 128, batch: 4, sizes: { num_hidden_layers: layers } }),
  },
  vocabulary: {
    ...{ x: "vocabulary", values: upTo(131072, 1024), short: [1024, 8192, 65536], time: asFlops, memory: null },
    open: (vocabulary, engine) => openStep(engine, { tokens: 64, batch: 4, sizes: { vocab_size: vocabulary } }),
  },
  threads: {
    ...{ x: "threads", values: upTo(Math.min(16, availableParallelism())), short: [1, 2], time: asPower(-1) },
    ...{ memory: null, own: true },
    open: async (threads) => {
      const engine = await createEngine({ build: "fastest", threads });
      const step = await openStep(engine, {
        tokens: 128,
        batch: 8,
        sizes: { hidden_size: 256, intermediate_size: 704 },
      });
      return { ...step, engine, close: () => engine.dispose() };
    },
  },
  saving: {
    ...{ x: "megabytes of the file", values: upTo(16), short: [1, 2, 4], time: asPower(1), memory: null },
    measure: (layers, engine) => withFolder(engine, layers, (save) => timeBest(save)),
  },
  loading: {
    ...{ x: "megabytes of the file", values: upTo(16), short: [1, 2, 4], time: asPower(1), memory: asPower(1) },
    memoryTitle: "memory of the model",
    measure: (layers, engine) =>
      withFolder(engine, layers, async (save, folder) => {
        await save();
        const before = engine.memory.usedBytes;
        let bytes = 0;
        const timed = await timeBest(async () => {
          const model = await AutoModelForCausalLM.fromPretrained(folder, { engine });
          bytes = engine.memory.usedBytes - before;
          return () => model.dispose();
        });
        return { ...timed, bytes };
      }),
  },
};

async function openStep(engine, { tokens, batch, r = RANK, targetModules, sizes }) {
  const model = await modelFromConfig(network(sizes), null, { engine, fast: true, weights: "f32" });
  const { vocab_size: vocabSize } = model.config;
  const rows = benchRows({ data: "random", tokens, batch, vocabSize, encoderDecoder: false });
  const step = new BenchStep(model, rows, { r, targetModules });
  return {
    ...{ step, bytes: step.arenaBytes, flops: step.flops, run: () => step.run() },
    close() {
      step.peft.dispose();
      model.dispose();
    },
  };
}

/** One adapter trains; the others are only there. Their bytes are those of all but the first, plus one. */
async function openLoaded(count, engine) {
  const opened = await openStep(engine, { tokens: 128, batch: 4 });
  const before = engine.memory.usedBytes;
  const { peft } = opened.step;
  for (let i = 0; i < count; i++) peft.addAdapter(`loaded${i}`, lora({ r: RANK, loraAlpha: 2 * RANK }));
  return { ...opened, bytes: engine.memory.usedBytes - before };
}

/** Sixteen rows, of which each has one of `count` adapters. */
async function openMixed(count, engine) {
  const opened = await openStep(engine, { tokens: 32, batch: 16 });
  const { peft, rows } = opened.step;
  const before = engine.memory.usedBytes;
  const names = Array.from({ length: count }, (_, i) => `mixed${i}`);
  for (const name of names) peft.addAdapter(name, lora({ r: RANK, loraAlpha: 2 * RANK }));
  const bytes = engine.memory.usedBytes - before;
  const batch = concatenate(rows.map(({ inputIds }) => inputIds));
  const adapterNames = rows.map((_, i) => names[i % count]);
  return { ...opened, bytes, run: () => peft.forward(batch, { adapterNames }) };
}

/** A model of about `layers` times 13 MB and the folder it is saved to; x is the size of the file. */
async function withFolder(engine, layers, measure) {
  const folder = mkdtempSync(join(tmpdir(), "lorikeet-growth-"));
  const sizes = { num_hidden_layers: layers, hidden_size: 512, intermediate_size: 1376, num_attention_heads: 8 };
  const config = network({ ...sizes, num_key_value_heads: 8 });
  const model = await modelFromConfig(config, null, { engine, fast: true, weights: "f32" });
  try {
    const found = await measure(() => saveModel(model, folder), folder);
    return { ...found, x: statSync(join(folder, "model.safetensors")).size / 1e6 };
  } finally {
    model.dispose();
    rmSync(folder, { recursive: true });
  }
}

/** The least of three runs after one that warms up, by elapsed time, in which disks take part. `work` may return how to clean up. */
async function timeBest(work) {
  const samples = [];
  for (let i = 0; i < 4; i++) {
    const start = elapsedMs();
    const clean = await work();
    samples.push(elapsedMs() - start);
    clean?.();
  }
  return timesOf(samples.slice(1));
}

const timesOf = (samples) => ({ ms: Math.min(...samples), spread: spreadOf(samples) });

/** Times a point, and then its kernels. The host's code is compiled as it runs: a short point warms up for a while. */
function measureRuns({ run, bytes, flops, step }, engine, budget) {
  for (const until = elapsedMs() + budget / 2; ; ) {
    run();
    if (elapsedMs() > until) break;
  }
  const clock = clockFor(engine.threads);
  const samples = [];
  const until = elapsedMs() + budget;
  while (samples.length < 2 || (elapsedMs() < until && samples.length < 20)) {
    const start = clock();
    run();
    samples.push(clock() - start);
    if (samples[0] > LONG) break;
  }
  const profiles = Array.from({ length: samples[0] > LONG ? 1 : 3 }, () => profile(run, engine));
  const least = (name) => Math.min(...profiles.map((each) => each[name]));
  const kernels = Object.fromEntries(Object.keys(profiles[0]).map((name) => [name, least(name)]));
  return { ...timesOf(samples), bytes, flops: flops ?? step.flops, kernels };
}

/** Milliseconds of a run by kernel, and of what is between them. */
function profile(run, engine) {
  const kernels = {};
  const ran = (kernel, began, ended) => {
    kernels[kernel] = (kernels[kernel] ?? 0) + ended - began;
  };
  const start = elapsedMs();
  engine.observe({ ran });
  try {
    run();
  } finally {
    engine.observe(null);
  }
  const inside = Object.values(kernels).reduce((sum, ms) => sum + ms, 0);
  return { ...kernels, "outside kernels": elapsedMs() - start - inside };
}

/** Every curve with its points, its slopes and its bends. */
export async function measureGrowth({ only = null, short = false, log }) {
  const unknown = (only ?? []).filter((name) => !Object.hasOwn(CURVES, name));
  if (unknown.length > 0) throw new Error(`no curve ${unknown.join()}, there is ${Object.keys(CURVES).join(", ")}`);
  const found = [];
  for (const [name, curve] of Object.entries(CURVES)) {
    if (only !== null && !only.includes(name)) continue;
    const engine = curve.own ? null : await createEngine({ build: "fastest", threads: 1 });
    const points = [];
    for (const value of short ? curve.short : curve.values) {
      const point = await measurePoint(curve, value, engine, short ? 60 : 250);
      points.push(point);
      log(`${name} ${shown(point.x)}: ${point.ms.toFixed(2)} ms, ${megabytes(point.bytes)}`);
    }
    engine?.dispose();
    found.push({ name, x: curve.x, points, time: timeOf(curve, points), memory: memoryOf(curve, points) });
  }
  return found;
}

async function measurePoint(curve, value, engine, budget) {
  if (curve.measure) return curve.measure(value, engine);
  const opened = await curve.open(value, engine);
  try {
    return { x: value, ...measureRuns(opened, opened.engine ?? engine, budget) };
  } finally {
    opened.close();
  }
}

const megabytes = (bytes) => (bytes === undefined ? "" : `${(bytes / 1e6).toFixed(2)} MB`);

function timeOf({ time }, points) {
  const measured = points.map(({ ms }) => ms);
  const growth = growthOf("time, ms", points, measured, time(points));
  return {
    ...growth,
    bends: bendsOf(points, growth, TIME_BEND).map((bend) => ({ ...bend, why: whyOf(bend, points) })),
  };
}

function memoryOf({ memory, memoryTitle = "working memory of a step" }, points) {
  if (points.some(({ bytes }) => bytes === undefined)) return null;
  const measured = points.map(({ bytes }) => bytes / 1e6);
  const growth = growthOf(`${memoryTitle}, MB`, points, measured, memory?.(points) ?? null);
  return { ...growth, bends: memory ? bendsOf(points, growth, MEMORY_BEND) : [] };
}

/** The slopes, and what is expected in the middle of what was measured. */
function growthOf(title, points, measured, proportions) {
  const slope = (values) => logLogSlope(values.map((value, i) => [points[i].x, value]));
  if (proportions === null) return { title, measured, expected: null, slope: slope(measured), expectedSlope: null };
  const factor = Math.exp(
    measured.reduce((sum, value, i) => sum + Math.log(value / proportions[i]), 0) / measured.length,
  );
  const expected = proportions.map((value) => factor * value);
  return { title, measured, expected, slope: slope(measured), expectedSlope: slope(expected) };
}

/** Between which neighbors it grew by another factor than expected; or from end to end, where none did and the slope differs. */
function bendsOf(points, { measured, expected, slope, expectedSlope }, limit) {
  const between = (first, last) => {
    const [grew, should] = [measured, expected].map((values) => values[last] / values[first]);
    return { ends: [first, last], from: points[first].x, to: points[last].x, grew, should };
  };
  const bends = points
    .slice(1)
    .map((_, i) => between(i, i + 1))
    .filter(({ grew, should }) => Math.max(grew / should, should / grew) > limit);
  const whole = bends.length === 0 && Math.abs(slope - expectedSlope) > SLOPE_BEND;
  return whole ? [between(0, points.length - 1)] : bends;
}

/** The three kernels that differ most from growing as expected, in milliseconds. */
function whyOf({ ends, should }, points) {
  const [before, after] = ends.map((at) => points[at].kernels);
  if (before === undefined) return [];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names
    .map((name) => ({ name, excessMs: (after[name] ?? 0) - should * (before[name] ?? 0) }))
    .sort((a, b) => Math.abs(b.excessMs) - Math.abs(a.excessMs))
    .slice(0, 3);
}

const shown = (x) => (Number.isInteger(x) ? String(x) : x.toPrecision(4));

/** A sentence for each bend. */
export function bendLines({ name, time, memory }) {
  const line = (what, { from, to, grew, should, why = [] }) => {
    const kernels = why.map(({ name, excessMs }) => `${name} ${excessMs > 0 ? "+" : ""}${excessMs.toFixed(2)} ms`);
    const reason = kernels.length > 0 ? ` (against that growth: ${kernels.join(", ")})` : "";
    return `${name}, ${what} from ${shown(from)} to ${shown(to)}: grew ${grew.toFixed(2)} times, expected ${should.toFixed(2)}${reason}`;
  };
  return [
    ...time.bends.map((bend) => line("time", bend)),
    ...(memory?.bends ?? []).map((bend) => line("memory", bend)),
  ];
}

/** A table of the slopes, in Markdown. */
export function slopeTable(found) {
  const slope = (growth) => (growth === null ? ["", ""] : [growth.slope, growth.expectedSlope].map(slopeText));
  const lines = found.map(({ name, points, time, memory }) => {
    const range = `${shown(points[0].x)} to ${shown(points.at(-1).x)}`;
    return `| ${[name, range, ...slope(time), ...slope(memory)].join(" | ")} |`;
  });
  return [
    "| | from, to | time: slope | expected | memory: slope | expected |",
    "| --- | ---: | ---: | ---: | ---: | ---: |",
    ...lines,
  ].join("\n");
}

/** "0.98"; nothing where none is expected. */
const slopeText = (slope) => (slope === null ? "" : (Math.abs(slope) < 0.005 ? 0 : slope).toFixed(2));

/** Writes an SVG for each curve, named after it, and returns the files' names. */
export function drawGrowth(found, folder) {
  mkdirSync(folder, { recursive: true });
  return found.map(({ name, x, points, time, memory }) => {
    const panels = [time, memory].filter(Boolean).map(({ title, measured, expected, slope, expectedSlope }) => {
      const beside = expectedSlope === null ? "" : `, expected ${slopeText(expectedSlope)} (dashed)`;
      return { title, note: `slope ${slopeText(slope)}${beside}`, measured, expected };
    });
    const file = `${name.replaceAll(" ", "-")}.svg`;
    const values = points.map((point) => point.x);
    writeFileSync(join(folder, file), curveSvg({ title: `${name}: how cost grows`, x: { label: x, values }, panels }));
    return file;
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values: flags } = parseArgs({
    options: {
      only: { type: "string" },
      short: { type: "boolean", default: false },
      out: { type: "string" },
      pictures: { type: "string" },
    },
  });
  const log = (text) => console.error(text);
  const found = await measureGrowth({ only: flags.only?.split(",") ?? null, short: flags.short, log });
  console.log([slopeTable(found), ...found.flatMap(bendLines).map((line) => `* ${line}`)].join("\n"));
  if (flags.pictures) drawGrowth(found, flags.pictures);
  if (flags.out) keep(flags.out, found);
  process.exit(); // the threads of engines
}
