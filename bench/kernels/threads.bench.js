/**
 * The matmuls of real networks on two threads against one: elapsed time, the two engines taking turns in one process.
 *
 *   node bench/kernels/threads.bench.js [--shape gpt2-124m,...] [--rows 64,128] [--build relaxed] [--threads 2] [--rounds 15]
 *                                       [--out FILE.json]
 */
import { parseArgs } from "node:util";
import { createEngine } from "../../dist/index.js";
import { keep, machineLine, withRelaxedSimd } from "../harness.js";
import { shapes } from "../shapes.js";
import { median, spreadOf } from "../statistics.js";
import { layers } from "./layers.js";

const B_NK = 1;

withRelaxedSimd();
const { values: flags } = parseArgs({
  options: {
    shape: { type: "string", default: "gpt2-124m,llama-15m" },
    rows: { type: "string", default: "64,128,256" },
    build: { type: "string", default: "auto" },
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "15" },
    out: { type: "string" },
  },
});

/** Forward and dx of one layer in an engine, on blocks of its memory that `release` gives back. */
function productsIn({ kernels, memory }, stored, rows, [width, out]) {
  const workspaceBytes = kernels.matmul_workspace();
  const sizes = [4 * rows * width, 4 * width * out, 4 * rows * out, workspaceBytes];
  const blocks = sizes.map((bytes) => memory.alloc(bytes, "a matmul"));
  const [x, w, y, workspace] = blocks;
  for (const [i, block] of [x, w, y].entries()) memory.f32(block, sizes[i] / 4).fill(0.5);
  const [ld, forward, backward] = stored === "out-in" ? [width, B_NK, 0] : [out, 0, B_NK];
  const product = (c, a, n, k, layout) =>
    kernels.matmul_f32(c, a, w, rows, n, k, k, ld, n, layout, 0, 0, 0, 0, 0, 0, 0, workspace, 0, rows, 0, n);
  return {
    forward: () => product(y, x, out, width, forward),
    dx: () => product(x, y, width, out, backward),
    release() {
      for (const block of blocks) memory.free(block);
    },
  };
}

/** Milliseconds of one call, over about five milliseconds of calls. */
function elapsed(work, count) {
  const start = performance.now();
  for (let i = 0; i < count; i++) work();
  return (performance.now() - start) / count;
}

function measure(one, several, rounds) {
  for (const until = performance.now() + 50; performance.now() < until; ) for (const work of [one, several]) work();
  const count = Math.max(1, Math.round(5 / elapsed(one, 1)));
  const samples = Array.from({ length: rounds }, () => [elapsed(one, count), elapsed(several, count)]);
  const ratios = samples.map(([alone, together]) => alone / together);
  return { ratio: median(ratios), spread: spreadOf(ratios), samples };
}

const single = await createEngine({ build: flags.build, threads: 1 });
const pool = await createEngine({ build: flags.build, threads: Number(flags.threads) });
if (pool.threads === 1) throw new Error(`${flags.threads} threads were requested, but this engine has one`);
console.log(`${machineLine(pool.build)} against ${pool.threads}`);
const results = [];
for (const shape of flags.shape.split(",")) {
  const { stored, widths } = layers(shapes[shape].config);
  for (const rows of flags.rows.split(",").map(Number)) {
    for (const size of widths) {
      const [alone, together] = [single, pool].map((engine) => productsIn(engine, stored, rows, size));
      for (const task of ["forward", "dx"]) {
        const { ratio, spread, samples } = measure(alone[task], together[task], Number(flags.rounds));
        results.push({ build: pool.build, shape, rows, in: size[0], out: size[1], task, ratio, spread, samples });
        console.log(
          `${shape.padEnd(10)} ${String(rows).padStart(4)} rows ${size.join(" -> ")} ${task} ${ratio.toFixed(2)}`,
        );
      }
      for (const each of [alone, together]) each.release();
    }
  }
}
if (flags.out) keep(flags.out, results);
process.exit();
