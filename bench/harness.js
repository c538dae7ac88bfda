/**
 * Reproducible timing: variants alternate in short rounds, in an order that is reversed every round; medians are shown
 * and every raw sample is kept. Plain JavaScript on the built kernels, so that it runs without a build step.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname } from "node:path";
import { instantiateSync } from "@assemblyscript/loader";
import { Bench } from "tinybench";
import { compileWide } from "../dist/runtime/node.js";
import { PEAK_FLOPS, PEAK_PAIRS_FLOPS } from "../dist/wasm/generated/constants.js";
import { processorMs } from "./measure.js";
import { median, spreadOf } from "./statistics.js";

const bytesOf = (build) => readFileSync(new URL(`../build/${build}.wasm`, import.meta.url));
/** Whether this engine supports a build; the wide one must be compiled to know. */
export const runnable = (build) => WebAssembly.validate(bytesOf(build));

/** Node 20 has relaxed SIMD only behind a flag: restarts this program with the flag, and exits with its exit code. */
export function withRelaxedSimd() {
  const flag = "--experimental-wasm-relaxed-simd";
  if (runnable("relaxed") || process.execArgv.includes(flag)) return;
  const again = spawnSync(process.execPath, [flag, ...process.argv.slice(1)], { stdio: "inherit" });
  if (again.status !== 9) process.exit(again.status ?? 1); // 9: the engine does not know the flag
}

/** Those of some builds that this engine supports. */
export function supported(builds) {
  const runs = (build) => (build === "wide" ? compileWide !== null : runnable(build));
  return builds.filter((build) => runs(build) || console.log(`SKIPPED: no ${build} build in this engine`));
}

/** The address of the peak kernel's results, and that of the first array. */
const PEAK_RESULT = 65536;
const FIRST = PEAK_RESULT + 512;

/** One build in a separate memory. `place(n)` gives the address of n random f32 in [-1, 1). */
export async function openBuild(build, megabytes) {
  const memory = new WebAssembly.Memory({ initial: megabytes * 16, maximum: 65535 });
  const module = build === "wide" ? await compileWide(false) : new WebAssembly.Module(bytesOf(build));
  const { exports } = instantiateSync(module, { env: { memory } }).instance;
  let next = FIRST;
  let state = 1;
  const place = (length) => {
    const at = next;
    next = Math.ceil((at + 4 * length) / 64) * 64;
    if (next > memory.buffer.byteLength) throw new RangeError(`${megabytes} MB are too few for this benchmark`);
    const array = new Float32Array(memory.buffer, at, length);
    for (let i = 0; i < length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      array[i] = state / 2 ** 31;
    }
    return at;
  };
  const release = () => {
    next = FIRST;
  };
  return { kernels: exports, memory, place, release, peak: peakTask(exports, build) };
}

/** Machine, engine, build and commit in one line, for the head of a table. */
export function machineLine(build) {
  const git = spawnSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" });
  const machine = `${cpus()[0]?.model.trim()} (${cpus().length} cores)`;
  return `${machine}, node ${process.version}, ${build} build, 1 thread, commit ${git.stdout?.trim() || "unknown"}`;
}

const PEAK_ITERATIONS = 20000;

/** What the peak kernel does in a call: that of the wide build in merged registers. */
function peakTask(kernels, build) {
  const [kernel, flops] =
    build === "wide" ? [kernels.simd_peak_pairs, PEAK_PAIRS_FLOPS] : [kernels.simd_peak, PEAK_FLOPS];
  return {
    name: "peak",
    flops: flops * PEAK_ITERATIONS,
    run: () => kernel(PEAK_RESULT, PEAK_ITERATIONS, 0.5, 0, 1),
  };
}

/**
 * Times tasks ({ name, flops, run, peak }) in turns, each beside a run of its peak kernel, about `slice` milliseconds each.
 * Returns per task the rate in GFLOP/s and its fraction of the peak, medians over the rounds, with the spread of the fraction and the
 * raw samples.
 */
export function inTurns(tasks, rounds, slice = 4) {
  const counts = new Map();
  for (const task of tasks.flatMap((each) => [each.peak, each]))
    if (!counts.has(task)) counts.set(task, repetitions(task, slice));
  const samples = tasks.map(() => ({ rate: [], peak: [] }));
  for (let round = 0; round < rounds; round++) {
    const order = tasks.map((_, i) => (round % 2 ? tasks.length - 1 - i : i));
    for (const i of order) {
      samples[i].peak.push(rateOf(tasks[i].peak, counts));
      samples[i].rate.push(rateOf(tasks[i], counts));
    }
  }
  return tasks.map(({ name }, i) => {
    const { rate, peak } = samples[i];
    const fractions = rate.map((r, at) => r / peak[at]);
    return {
      name,
      rate: median(rate),
      fraction: median(fractions),
      spread: spreadOf(fractions),
      best: Math.max(...rate) / Math.max(...peak),
      samples: samples[i],
    };
  });
}

/** Warms the task up, which also lets the engine optimize it, and returns how often it fits into the time. */
function repetitions({ run }, slice) {
  for (const until = performance.now() + 10 * slice; performance.now() < until; ) run();
  const start = performance.now();
  run();
  return Math.max(1, Math.round(slice / (performance.now() - start)));
}

/** Median rate of a few calls, in GFLOP/s of processor time. */
function rateOf(task, counts) {
  const bench = new Bench({
    now: processorMs,
    iterations: counts.get(task),
    time: 0,
    warmup: false,
    retainSamples: true,
  });
  bench.add(task.name, task.run).runSync();
  const { result } = bench.tasks[0];
  if (result.state !== "completed") throw result.error;
  return task.flops / (1e6 * median(result.latency.samples));
}

/** Writes everything measured, raw samples included. */
export function keep(file, results) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(results)}\n`);
  console.log(`raw samples: ${file}`);
}
