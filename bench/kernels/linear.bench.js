/**
 * The matmuls of real networks as a fraction of the SIMD peak measured beside them.
 *
 *   node bench/kernels/linear.bench.js [--shape gpt2-124m,...] [--rows 64,128] [--build relaxed] [--rounds 15]
 *                                      [--tasks forward,dx] [--cold] [--against relaxed] [--out FILE.json]
 *
 * forward y = x·Wᵀ, dx = dy·W, dW += dyᵀ·x, and lora: forward with t = x·Aᵀ computed and s·t·Bᵀ riding along (rank 8).
 * "in -> out" are the layer's widths. --cold walks through 64 MB of weights, as a model's layers do, instead of repeating one.
 * --against BUILD lets that build take turns with the others in the same process, and adds how many times its rate they reach.
 */
import { parseArgs } from "node:util";
import { inTurns, keep, machineLine, openBuild, supported, withRelaxedSimd } from "../harness.js";
import { shapes } from "../shapes.js";
import { summary } from "../statistics.js";
import { layers } from "./layers.js";

const B_NK = 1;
const B2_NK = 2;
const A_KM = 4;
const ACCUMULATE = 8;
const RANK = 8;
const SCALE = 0.75;

withRelaxedSimd();
const { values: flags } = parseArgs({
  options: {
    shape: { type: "string", default: "gpt2-124m,llama-15m,llama-260k,tiny" },
    rows: { type: "string", default: "64,128,256,1024" },
    build: { type: "string", default: "baseline,relaxed" },
    rounds: { type: "string", default: "15" },
    tasks: { type: "string", default: "forward,dx,dW,lora" },
    cold: { type: "boolean", default: false },
    against: { type: "string" },
    out: { type: "string" },
  },
});

function tasksFor({ kernels, memory, place, peak }, stored, rows, [width, out]) {
  const copies = flags.cold ? Math.ceil((64 << 20) / (4 * width * out)) : 1;
  const weights = Array.from({ length: copies }, () => place(width * out));
  let turn = 0;
  const w = () => weights[turn++ % copies];
  const [x, y, a, b, t] = [rows * width, rows * out, RANK * width, out * RANK, rows * RANK].map(place);
  const [workspace, dw] = [place(kernels.matmul_workspace() / 4), place(width * out)];
  const [ld, forward, backward] = stored === "out-in" ? [width, B_NK, 0] : [out, 0, B_NK];
  const none = [0, 0, 0, 0, 0, 0, 0];
  const flops = 2 * rows * width * out;
  const product = (c, left, right, m, n, k, lda, ldb, layout, low = none) =>
    kernels.matmul_f32(c, left, right, m, n, k, lda, ldb, n, layout, ...low, workspace, 0, m, 0, n);
  const full =
    stored === "out-in" ? [dw, y, x, out, width, rows, out, width] : [dw, x, y, width, out, rows, width, out];
  const tasks = [
    { name: "forward", flops, run: () => product(y, x, w(), rows, out, width, width, ld, forward) },
    { name: "dx", flops, run: () => product(x, y, w(), rows, width, out, out, ld, backward) },
    { name: "dW", flops, run: () => product(...full, A_KM | ACCUMULATE) },
    {
      name: "lora",
      flops: flops + 2 * rows * RANK * (width + out),
      run: () => {
        kernels.low_rank_f32(t, x, a, rows, width, RANK, width, width, 1, 0, rows);
        product(y, x, w(), rows, out, width, width, ld, forward | B2_NK, [0, t, b, RANK, RANK, RANK, SCALE]);
      },
    },
  ];
  checkForward(memory, { x, w: weights[0], y, rows, width, out, ld, stored }, tasks[0].run);
  return tasks.filter(({ name }) => flags.tasks.split(",").includes(name)).map((task) => ({ ...task, peak }));
}

/** Compares some elements of y with f64 before anything is timed. */
function checkForward(memory, { x, w, y, rows, width, out, ld, stored }, run) {
  run();
  const f32 = new Float32Array(memory.buffer);
  const at = (pointer, index) => f32[pointer / 4 + index];
  for (let sample = 0; sample < 50; sample++) {
    const i = (sample * 7) % rows;
    const j = (sample * 31) % out;
    let want = 0;
    for (let p = 0; p < width; p++) want += at(x, i * width + p) * at(w, stored === "out-in" ? j * ld + p : p * ld + j);
    const error = Math.abs(at(y, i * out + j) - want);
    if (!(error < 1e-3)) throw new Error(`forward [${i}, ${j}] is off by ${error}: not worth timing`);
  }
}

async function measure(build) {
  console.log(`\n${machineLine(build)}${flags.cold ? ", weights from memory" : ""}`);
  const beds = [await openBuild(build, 192), ...(flags.against ? [await openBuild(flags.against, 192)] : [])];
  const results = [];
  for (const shape of flags.shape.split(",")) {
    const { stored, widths } = layers(shapes[shape].config);
    for (const rows of flags.rows.split(",").map(Number)) {
      for (const size of widths) {
        for (const bed of beds) bed.release();
        const tasks = beds.map((bed) => tasksFor(bed, stored, rows, size));
        const all = inTurns(tasks.flat(), Number(flags.rounds));
        const own = all.slice(0, tasks[0].length);
        const row = own.map((task, i) => ({ ...task, ...times(task, all[tasks[0].length + i]) }));
        results.push({ build, shape, rows, in: size[0], out: size[1], tasks: row });
        const cells = row.map(
          (r) =>
            `${r.name} ${r.rate.toFixed(1).padStart(5)} ${r.fraction.toFixed(2)} (best ${r.best.toFixed(2)})${r.times ? ` ${r.times.value.toFixed(2)} times ${flags.against}` : ""}`,
        );
        console.log(
          `${shape.padEnd(10)} ${String(rows).padStart(4)} rows ${size.join(" -> ").padEnd(12)} ${cells.join("  ")}`,
        );
      }
    }
  }
  return results;
}

/** How many times the rate of the other build's same task. */
function times(task, other) {
  if (other === undefined) return {};
  return { times: summary(task.samples.rate.map((rate, round) => rate / other.samples.rate[round])) };
}

console.log("GFLOP/s and fraction of the SIMD peak: median of the rounds (best over best)");
const results = [];
for (const build of supported(flags.build.split(","))) results.push(...(await measure(build)));
if (flags.out) keep(flags.out, results);
