/**
 * The matmuls of real networks with int8 weights against f32 of the same build, and single rows against a read of memory.
 *
 *   node bench/kernels/int8.bench.js [--shape gpt2-124m,...] [--rows 64,128] [--build relaxed] [--rounds 15] [--out FILE.json]
 *
 * forward y = x·Wᵀ and dx = dy·W, from f32 to f32: int8 includes the quantization of x or dy. "product" is without it.
 * Rates count multiply and add as two, as in f32; "of f32" is the median of the rounds' ratios.
 */
import { parseArgs } from "node:util";
import { inTurns, keep, machineLine, openBuild, supported, withRelaxedSimd } from "../harness.js";
import { shapes } from "../shapes.js";
import { median } from "../statistics.js";
import { layers } from "./layers.js";

const B_NK = 1;
const LIMIT = 16384;

withRelaxedSimd();
const { values: flags } = parseArgs({
  options: {
    shape: { type: "string", default: "gpt2-124m,llama-15m" },
    rows: { type: "string", default: "1,64,256,1024" },
    build: { type: "string", default: "baseline,relaxed" },
    rounds: { type: "string", default: "15" },
    out: { type: "string" },
  },
});

/** forward and dx of one layer, each in f32, as an int8 product, and as an int8 product with its quantization. */
function tasksFor({ kernels, memory, place, peak }, stored, rows, [width, out]) {
  const x = place(rows * Math.max(width, out));
  const [y, w] = [place(rows * Math.max(width, out)), place(width * out)];
  const most = Math.max(width, out);
  const sums = 4 * rows * most * Math.max(8, kernels.matvec_int8_parts(most));
  const others = [kernels.matmul_workspace(), kernels.matmul_int8_workspace(), kernels.matvec_int8_workspace()];
  const room = Math.max(...others, rows <= 4 ? sums : 0);
  const workspace = place(room / 4);
  const [q, scalesA, b, scalesB] = [
    place((rows * Math.max(width, out)) / 2),
    place(rows),
    place((width * out) / 4),
    place(out),
  ];
  const perColumn = stored === "in-out";
  const [stRows, stCols] = perColumn ? [width, out] : [out, width];
  quantizeWeight({ kernels, memory }, { b, scalesB, w, stRows, stCols, perColumn });
  // What is compared is the same weight.
  const [codes, scales] = [new Int8Array(memory.buffer, b, width * out), new Float32Array(memory.buffer, scalesB, out)];
  const values = new Float32Array(memory.buffer, w, width * out);
  codes.forEach((code, i) => {
    values[i] = code * scales[perColumn ? i % stCols : Math.floor(i / stCols)];
  });
  const flops = 2 * rows * width * out;
  const few = rows <= 4;
  const direction = (name, n, k, layout, scaleOfOutputs) => {
    const f32 = () => {
      const low = [0, 0, 0, 0, 0, 0];
      if (!few) kernels.matmul_f32(y, x, w, rows, n, k, k, stCols, n, layout, 0, ...low, workspace, 0, rows, 0, n);
      else if (layout & B_NK) kernels.matvec_f32(y, x, w, rows, n, k, k, stCols, n, layout, 0, ...low, 0, n);
      else {
        kernels.matvec_rows(workspace, x, w, 0, 0, rows, n, k, k, stCols, Math.ceil(k / 8), 0, 0, 8);
        kernels.matvec_sum_f32(y, workspace, rows, n, 8, n, layout, 0, 0, n);
      }
    };
    const quantise = () =>
      kernels.quantize_rows_i16(q, scalesA, x, scaleOfOutputs ? 0 : scalesB, k, k, k, LIMIT, 0, rows);
    const right = scaleOfOutputs ? scalesB : 0;
    const product = () => {
      const sizes = [rows, n, k, k, stCols, n];
      if (!few) kernels.matmul_int8(y, q, scalesA, b, right, ...sizes, layout, 0, workspace, 0, rows, 0, n);
      else if (layout & B_NK) kernels.matvec_int8(y, q, scalesA, b, right, ...sizes, layout, 0, workspace, 0, n);
      else {
        kernels.matvec_int8_rows(workspace, q, b, rows, n, k, k, stCols, 0, kernels.matvec_int8_parts(k));
        kernels.matvec_int8_sum(y, workspace, scalesA, right, rows, n, k, n, layout, 0, 0, n);
      }
    };
    const int8 = () => {
      quantise();
      product();
    };
    agrees(memory, y, rows * n, f32, int8);
    return [
      { name: `${name} f32`, flops, run: f32, peak },
      { name: `${name} int8`, flops, run: int8, peak },
      { name: `${name} product`, flops, run: product, peak },
    ];
  };
  return [
    ...direction("forward", out, width, perColumn ? 0 : B_NK, true),
    ...direction("dx", width, out, perColumn ? B_NK : 0, false),
  ];
}

function quantizeWeight({ kernels, memory }, { b, scalesB, w, stRows, stCols, perColumn }) {
  if (!perColumn) {
    kernels.quantize_int8(b, scalesB, w, stRows, stCols, stCols, 0, stRows);
    return;
  }
  const scales = new Float32Array(memory.buffer, scalesB, stCols).fill(0);
  kernels.absmax_columns_f32(scalesB, w, stRows, stCols, 0, stCols);
  for (let j = 0; j < stCols; j++) scales[j] /= 127;
  kernels.quantize_int8_columns(b, scalesB, w, stRows, stCols, stCols, 0, stRows);
}

/** The two ways to compute y agree to the 16 bits of the activations, before anything is timed. */
function agrees(memory, y, length, f32, int8) {
  const result = new Float32Array(memory.buffer, y, length);
  f32();
  const want = result.slice();
  int8();
  const most = want.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  const error = want.reduce((m, v, i) => Math.max(m, Math.abs(v - result[i])), 0);
  if (!(error < most * 2 ** -14)) throw new Error(`int8 differs from f32 by ${error} of ${most}: not worth timing`);
}

async function measure(build) {
  console.log(`\n${machineLine(build)}`);
  const bed = await openBuild(build, 192);
  const results = [];
  for (const shape of flags.shape.split(",")) {
    const { stored, widths } = layers(shapes[shape].config);
    for (const rows of flags.rows.split(",").map(Number)) {
      for (const size of widths) {
        bed.release();
        const row = inTurns(tasksFor(bed, stored, rows, size), Number(flags.rounds));
        results.push({ build, shape, rows, in: size[0], out: size[1], tasks: row });
        const cells = row.map((task, i) => {
          const f32 = row[i - (i % 3)].samples.rate;
          const ratio = median(task.samples.rate.map((rate, round) => rate / f32[round]));
          const of = i % 3 ? ` (${ratio.toFixed(2)} of f32)` : "";
          return `${task.name} ${task.rate.toFixed(1).padStart(5)}${of}`;
        });
        console.log(
          `${shape.padEnd(10)} ${String(rows).padStart(4)} rows ${size.join(" -> ").padEnd(12)} ${cells.join("  ")}`,
        );
      }
    }
  }
  return results;
}

console.log("Gop/s: median of the rounds");
const results = [];
for (const build of supported(flags.build.split(","))) results.push(...(await measure(build)));
if (flags.out) keep(flags.out, results);
