/** The matmul: its fraction of the SIMD peak, and the speedup of a second thread. */
import { readFileSync } from "node:fs";
import { here, nodeFor, run } from "../programs.js";
import { row } from "../report.js";
import { median } from "../statistics.js";

/** Of the SIMD peak, by build and rows; for the wide build it is the peak of merged registers. */
const BARS = {
  baseline: { 256: 0.9, 128: 0.87, 64: 0.8 },
  relaxed: { 256: 0.9, 128: 0.87, 64: 0.8 },
  wide: { 256: 0.85, 128: 0.85, 64: 0.75 },
};
const TIMES_RELAXED = 1.8;
const THREADS_BAR = 1.85;
const SHAPES = "gpt2-124m,llama-15m";

export async function measure({ quick, rounds, log }) {
  const rows = [];
  const shapes = quick ? "llama-15m" : SHAPES;
  for (const build of Object.keys(BARS)) {
    log(`one thread, ${build}`);
    const args = ["--shape", shapes, "--rows", "64,128,256", "--build", build, "--rounds", String(rounds(15, 3))];
    const beside = build === "wide" ? ["--against", "relaxed"] : [];
    const found = benchmark("linear", build, [...args, "--tasks", "forward,dx", ...beside]);
    for (const count of [256, 128, 64]) rows.push(...shareRows(found, build, count));
    if (build === "wide") rows.push(...gainRows(found));
    log(`two threads, ${build}`);
    const together = benchmark("threads", build, args);
    const ratios = together.missing ? [] : together.map(({ ratio, spread }) => ({ value: ratio, spread }));
    const worst = together.missing ? together : least(ratios);
    const middle = together.missing ? together : middleOf(ratios);
    rows.push(row(`${build}: two threads over one, the worst layer`, worst, ">=", THREADS_BAR));
    rows.push(row(`${build}: two threads over one, median of the layers`, middle));
  }
  const about = `Forward and dx of every linear layer of ${shapes.replace(",", " and ")}, panel filling included, as a fraction of the SIMD peak measured beside it, by processor time.`;
  return { title: "Matmul", about, rows };
}

/** The target applies to every layer, so the worst one is judged. */
function shareRows(found, build, count) {
  const what = `${build}, ${count} rows`;
  const bar = BARS[build][count];
  if (found.missing) return [row(`${what}: the worst layer`, found, ">=", bar)];
  const all = tasksOf(found.filter(({ rows }) => rows === count)).map(({ task, name }) => ({
    ...{ value: task.fraction, spread: task.spread, name },
  }));
  const worst = least(all);
  return [
    row(`${what}: the worst layer, ${worst.name}`, worst, ">=", bar),
    row(`${what}: median of the layers`, middleOf(all)),
  ];
}

/** The wide build against the relaxed one, which took turns with it in one process. */
function gainRows(found) {
  const what = "wide: times the speed of relaxed";
  if (found.missing) return [row(`${what}, the worst layer`, found, ">=", TIMES_RELAXED)];
  const all = tasksOf(found).map(({ task, rows, name }) => ({ ...task.times, name: `${rows} rows ${name}` }));
  const worst = least(all);
  return [
    row(`${what}, the worst layer, ${worst.name}`, worst, ">=", TIMES_RELAXED),
    row(`${what}, median of the layers`, middleOf(all)),
  ];
}

function tasksOf(found) {
  return found.flatMap(({ rows, in: width, out, tasks }) =>
    tasks.map((task) => ({ task, rows, name: `${width} -> ${out} ${task.name}` })),
  );
}

const least = (all) => all.reduce((worst, each) => (each.value < worst.value ? each : worst));

/** The median of the layers, as unstable as the middle one of them. */
function middleOf(all) {
  return { value: median(all.map(({ value }) => value)), spread: median(all.map(({ spread }) => spread)) };
}

/** Runs a file of bench/kernels and returns what it kept, or { missing }. */
function benchmark(name, build, args) {
  const out = here(`results/${name}-${build}.json`);
  try {
    run([...nodeFor(build), here(`kernels/${name}.bench.js`), ...args, "--out", out]);
    return JSON.parse(readFileSync(out, "utf8"));
  } catch (error) {
    return { missing: error.message };
  }
}
