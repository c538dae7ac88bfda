/** Writing tokens one by one: as fast as the weights can be read. */
import { lorikeetBench } from "../programs.js";
import { row } from "../report.js";

/** Build, weights, threads, and the share of the read rate, which as many threads reach by only reading. */
const CASES = [
  ["wide", "f32", 1, 0.85],
  ["wide", "f32", 2, 0.85],
  ["wide", "bf16", 1, 0.8],
  ["wide", "int8", 1, 0.7],
  ["wide", "nf4", 1, 0.6],
  ["relaxed", "f32", 1, 0.8],
  ["relaxed", "f32", 2],
  ["relaxed", "bf16", 1],
  ["relaxed", "int8", 1],
  ["relaxed", "nf4", 1],
];

export async function measure({ rounds, log }) {
  const rows = [];
  for (const [build, weights, threads, bar] of CASES) {
    log(`${build}, ${weights}, ${threads} threads`);
    const args = ["decode", "--shape", "gpt2-124m", "--weights", weights, "--rounds", rounds(7, 2)];
    const found = lorikeetBench(build, threads, ...args);
    const what = `${build} ${weights}, ${threads === 1 ? "one thread" : `${threads} threads`}`;
    const part = (value) => (found.missing ? found : { value, spread: found.spread });
    rows.push(row(`${what}: of the measured read bandwidth`, part(found.fractionOfRead), ">=", bar));
    rows.push(row(`${what}: speed`, part(found.tokensPerSecond), "", undefined, { unit: "tokens/s", digits: 1 }));
  }
  return { title: "Decoding, GPT-2 124M", about: "One sequence; reading and writing take turns.", rows };
}
