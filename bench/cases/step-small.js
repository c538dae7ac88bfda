/** LoRA steps of small networks on two threads, against PyTorch. */
import { contest, peakShare, timesFaster, timesLine } from "../contest.js";
import { ours, pytorch, stepTask } from "../contestants.js";
import { row } from "../report.js";

/** Times PyTorch's speed, by shape and build. */
const BARS = {
  "llama-15m": { wide: 1.4, relaxed: 1 },
  "llama-260k": { wide: 3, relaxed: 2 },
  tiny: { wide: 1.3, relaxed: 0.75 },
};

export async function measure({ rounds, python, log }) {
  const [rows, notes] = [[], []];
  for (const [shape, bars] of Object.entries(BARS)) {
    const task = stepTask(shape);
    const builds = Object.keys(bars).map((build) => ours(task, { build, threads: 2 }));
    const results = await contest([...builds, pytorch(task, python, 2)], rounds(7), log);
    for (const [build, bar] of Object.entries(bars)) {
      rows.push(row(`${shape}, ${build}: times PyTorch's speed`, timesFaster(results, build, "pytorch"), ">=", bar));
      rows.push(row(`${shape}, ${build}: of the SIMD peak`, peakShare(results, build)));
    }
    notes.push(`${shape}: ${timesLine(results)}`);
  }
  const about = "f32, two threads; llama-15m 4 x 256 tokens, llama-260k 8 x 256, tiny 4 x 128.";
  return { title: "LoRA step, small networks", about, rows, notes };
}
