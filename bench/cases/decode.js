/** Writing tokens one by one: as fast as the weights can be read. */
import { lorikeetBench } from "../programs.js";
import { row } from "../report.js";

export async function measure({ rounds, log }) {
  const rows = [];
  for (const [weights, threads, bar] of [
    ["f32", 1, 0.8],
    ["f32", 2],
    ["bf16", 1],
    ["int8", 1],
    ["nf4", 1],
  ]) {
    log(`${weights}, ${threads} threads`);
    const args = ["decode", "--shape", "gpt2-124m", "--weights", weights, "--rounds", rounds(7, 2)];
    const found = lorikeetBench("relaxed", threads, ...args);
    const on = threads === 1 ? "one thread" : `${threads} threads`;
    const part = (value) => (found.missing ? found : { value });
    rows.push(row(`${weights}, ${on}: of the measured read bandwidth`, part(found.fractionOfRead), ">=", bar));
    rows.push(
      row(`${weights}, ${on}: speed`, part(found.tokensPerSecond), "", undefined, { unit: "tokens/s", digits: 1 }),
    );
  }
  return { title: "Decoding, GPT-2 124M", about: "One sequence, relaxed build; reading and writing take turns.", rows };
}
