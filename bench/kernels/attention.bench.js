/**
 * Attention and its gradient as a fraction of the SIMD peak measured beside them. Only pairs of a query and a key that it sees count: 4
 * operations for each of a head's numbers forward, 10 backward, where scores are computed again.
 *
 *   node bench/kernels/attention.bench.js [--tokens 256,1024] [--heads 12/12,32/8] [--dim 64] [--window 0,1024] [--full]
 *                                         [--build relaxed,wide] [--rounds 9] [--out FILE.json]
 *
 * --heads: query heads / key-value heads. --window: 0 is none. --full: not causal. wide: where this V8 merges vectors, against a peak of
 * merged ones.
 */

import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { availableBuilds, inTurns, keep, machineLine, openBuild, runnable, withRelaxedSimd } from "../harness.js";

withRelaxedSimd();
const { values: flags } = parseArgs({
  options: {
    tokens: { type: "string", default: "256,1024,2048,4096,8192" },
    heads: { type: "string", default: "12/12,32/8" },
    dim: { type: "string", default: "64" },
    window: { type: "string", default: "0,1024" },
    full: { type: "boolean", default: false },
    build: { type: "string", default: "baseline,relaxed,wide" },
    rounds: { type: "string", default: "9" },
    out: { type: "string" },
  },
});
const dim = Number(flags.dim);
/** As many key-value heads as make about this many operations are computed in one call. */
const OPERATIONS = 4e8;
/** Floats that the peak of merged vectors writes over. */
const PEAK_FLOATS = 96;

function pairsOf(tokens, window) {
  if (flags.full) return tokens * tokens;
  let pairs = 0;
  for (let i = 0; i < tokens; i++) pairs += window > 0 ? Math.min(i + 1, window) : i + 1;
  return pairs;
}

function tasksFor({ kernels, memory, place }, tokens, [heads, kvHeads], window) {
  place(PEAK_FLOATS);
  const [width, kvWidth] = [heads * dim, kvHeads * dim];
  const [q, o, dO, dq] = Array.from({ length: 4 }, () => place(tokens * width));
  const [k, v, dk, dv] = Array.from({ length: 4 }, () => place(tokens * kvWidth));
  const [lse, segment, workspace] = [tokens * heads, 4, kernels.attention_workspace(dim) / 4].map(place);
  new Int32Array(memory.buffer, segment, 4).set([0, tokens, 0, tokens]);
  const perHead = (4 * pairsOf(tokens, window) * width) / kvHeads;
  const items = Math.max(1, Math.min(kvHeads, Math.round(OPERATIONS / perHead)));
  const sizes = [heads, kvHeads, dim, width, kvWidth, kvWidth, width];
  const rule = [segment, 1 / Math.sqrt(dim), flags.full ? 0 : 1, window, 0, 0, 0, workspace, 0, items];
  const steps = [width, kvWidth, kvWidth, width];
  const forward = () => kernels.attention_f32(o, lse, q, k, v, ...sizes, ...rule);
  const backward = () => kernels.attention_f32_d(dq, dk, dv, 0, dO, q, k, v, o, lse, ...sizes, ...steps, ...rule);
  forward();
  checkLastQuery(memory, { o, q, k, v }, tokens, width, kvWidth, window);
  return [
    { name: "forward", flops: perHead * items, run: forward },
    { name: "backward", flops: 2.5 * perHead * items, run: backward },
  ];
}

/** Compares the last query of the first head with f64 before anything is timed. */
function checkLastQuery(memory, { o, q, k, v }, tokens, width, kvWidth, window) {
  const f32 = new Float32Array(memory.buffer);
  const row = (pointer, i, size) => f32.subarray(pointer / 4 + i * size, pointer / 4 + i * size + dim);
  const query = row(q, tokens - 1, width);
  let total = 0;
  const want = new Float64Array(dim);
  for (let j = window > 0 ? Math.max(0, tokens - window) : 0; j < tokens; j++) {
    const score = row(k, j, kvWidth).reduce((sum, x, c) => sum + x * query[c], 0) / Math.sqrt(dim);
    total += Math.exp(score);
    row(v, j, kvWidth).forEach((x, c) => {
      want[c] += Math.exp(score) * x;
    });
  }
  row(o, tokens - 1, width).forEach((got, c) => {
    if (!(Math.abs(got - want[c] / total) < 1e-4)) throw new Error(`o[${c}] is off: not worth timing`);
  });
}

function measure(build) {
  console.log(`\n${machineLine(build)}${flags.full ? ", not causal" : ", causal"}`);
  const bed = openBuild(build, 512);
  if (build === "wide") bed.kernels = { ...bed.kernels, simd_peak: bed.kernels.simd_peak_pairs };
  const results = [];
  for (const heads of flags.heads.split(",")) {
    for (const window of flags.window.split(",").map(Number)) {
      for (const tokens of flags.tokens.split(",").map(Number)) {
        if (window > 0 && tokens <= window) continue;
        bed.release();
        const row = inTurns(
          tasksFor(bed, tokens, heads.split("/").map(Number), window),
          bed.kernels,
          Number(flags.rounds),
        );
        results.push({ build, heads, window, tokens, tasks: row });
        const cells = row.map(
          (r) => `${r.name} ${r.rate.toFixed(1).padStart(5)} ${r.fraction.toFixed(2)} (best ${r.best.toFixed(2)})`,
        );
        console.log(
          `${heads.padEnd(6)} x ${dim} window ${String(window).padStart(4)} ${String(tokens).padStart(5)} tokens  ${cells.join("  ")}`,
        );
      }
    }
  }
  return results;
}

/** From here on V8 merges vectors in what it compiles, so this comes after the other builds. */
function mergeVectors() {
  for (const flag of ["experimental-wasm-revectorize", "no-liftoff", "no-wasm-lazy-compilation"])
    setFlagsFromString(`--${flag}`);
  return runnable("wide");
}

console.log("GFLOP/s and fraction of the SIMD peak: median of the rounds (best over best)");
const asked = flags.build.split(",");
const results = availableBuilds()
  .filter((build) => asked.includes(build))
  .flatMap(measure);
const [major, minor] = process.versions.node.split(".").map(Number);
if (asked.includes("wide") && (major > 23 || (major === 23 && minor >= 5)) && mergeVectors())
  results.push(...measure("wide"));
else if (asked.includes("wide")) console.log("SKIPPED: this V8 does not merge vectors");
if (flags.out) keep(flags.out, results);
