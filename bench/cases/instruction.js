/** Realistic training data: half of the tokens masked, lengths spread 1:8, batch 8. PyTorch pads. */
import { contest, timesFaster, timesLine } from "../contest.js";
import { ours, pytorch, stepTask } from "../contestants.js";
import { row } from "../report.js";

export async function measure({ rounds, python, log }) {
  const task = stepTask("gpt2-124m", { data: "instruction", batch: 8 });
  const contestants = [
    ours(task, { threads: 2 }),
    ours(task, { threads: 2, weights: "int8" }),
    pytorch(task, python, 2),
  ];
  const results = await contest(contestants, rounds(3), log);
  const times = "times the real tokens/s of PyTorch's padded batch";
  const rows = [
    row(`f32: ${times}`, timesFaster(results, "relaxed", "pytorch"), ">=", 2),
    row(`int8: ${times} in f32`, timesFaster(results, "relaxed int8", "pytorch"), ">=", 3),
  ];
  const tokens = task.rows.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
  const longest = Math.max(...task.rows.map(({ inputIds }) => inputIds.length));
  const about = `GPT-2 124M, two threads, relaxed: 8 rows of ${longest / 8} to ${longest} tokens, ${tokens} in all, ${8 * longest} once padded.`;
  return { title: "Instruction data", about, rows, notes: [timesLine(results)] };
}
