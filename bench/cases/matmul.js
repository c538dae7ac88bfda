/** The matmul: its fraction of the SIMD peak, and the speedup of a second thread. */
import { readFileSync } from "node:fs";
import { median } from "../harness.js";
import { here, nodeFor, run } from "../programs.js";
import { row } from "../report.js";

/** Of the SIMD peak, by rows. */
const BARS = { 256: 0.9, 128: 0.87, 64: 0.8 };
const THREADS_BAR = 1.85;
const SHAPES = "gpt2-124m,llama-15m";

export async function measure({ quick, rounds, log }) {
  const rows = [];
  const shapes = quick ? "llama-15m" : SHAPES;
  for (const build of ["baseline", "relaxed"]) {
    log(`one thread, ${build}`);
    const args = ["--shape", shapes, "--rows", "64,128,256", "--build", build, "--rounds", String(rounds(15, 3))];
    const found = benchmark("linear", build, [...args, "--tasks", "forward,dx"]);
    for (const count of [256, 128, 64]) rows.push(...shareRows(found, build, count));
    log(`two threads, ${build}`);
    const together = benchmark("threads", build, args);
    const ratios = together.missing ? [] : together.map(({ ratio }) => ratio);
    const worst = together.missing ? together : { value: Math.min(...ratios) };
    const middle = together.missing ? together : { value: median(ratios) };
    rows.push(row(`${build}: two threads over one, the worst layer`, worst, ">=", THREADS_BAR));
    rows.push(row(`${build}: two threads over one, median of the layers`, middle));
  }
  const about = `Forward and dx of every linear layer of ${shapes.replace(",", " and ")}, panel filling included, as a fraction of the SIMD peak measured beside it.`;
  return { title: "Matmul", about, rows };
}

/** The target applies to every layer, so the worst one is judged. */
function shareRows(found, build, count) {
  const what = `${build}, ${count} rows`;
  if (found.missing) return [row(`${what}: the worst layer`, found, ">=", BARS[count])];
  const layers = found.filter(({ rows }) => rows === count);
  const all = layers.flatMap(({ in: width, out, tasks }) =>
    tasks.map(({ name, fraction }) => ({ fraction, name: `${width} -> ${out} ${name}` })),
  );
  const worst = all.reduce((least, each) => (each.fraction < least.fraction ? each : least));
  return [
    row(`${what}: the worst layer, ${worst.name}`, { value: worst.fraction }, ">=", BARS[count]),
    row(`${what}: median of the layers`, { value: median(all.map(({ fraction }) => fraction)) }),
  ];
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
