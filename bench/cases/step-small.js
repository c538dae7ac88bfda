/** LoRA steps of small networks on two threads, against PyTorch. */
import { contest, middle, timesFaster, timesLine } from "../contest.js";
import { ours, pytorch, stepTask } from "../contestants.js";
import { row } from "../report.js";

const BARS = { "llama-15m": 1, "llama-260k": 2, tiny: 0.75 };

export async function measure({ rounds, python, log }) {
  const [rows, notes] = [[], []];
  for (const [shape, bar] of Object.entries(BARS)) {
    const task = stepTask(shape);
    const results = await contest([ours(task, { threads: 2 }), pytorch(task, python, 2)], rounds(7), log);
    rows.push(row(`${shape}: times PyTorch's speed`, timesFaster(results, "relaxed", "pytorch"), ">=", bar));
    const share = middle(results, "relaxed", (turn, { flops }) => flops / (turn.ms / 1000) / turn.peakFlops);
    rows.push(row(`${shape}: of the SIMD peak`, share));
    notes.push(`${shape}: ${timesLine(results)}`);
  }
  const about = "f32, two threads, relaxed; llama-15m 4 x 256 tokens, llama-260k 8 x 256, tiny 4 x 128.";
  return { title: "LoRA step, small networks", about, rows, notes };
}
