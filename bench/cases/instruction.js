/** Realistic training data: half of the tokens masked, lengths spread 1:8, batch 8. PyTorch pads. */
import { contest, timesFaster, timesLine } from "../contest.js";
import { ours, pytorch, stepTask } from "../contestants.js";
import { row } from "../report.js";

/** Times the real tokens/s of PyTorch, by build: with float32 weights and with int8. */
const BARS = { wide: { f32: 3, int8: 4.5 }, relaxed: { f32: 2, int8: 3 } };

export async function measure({ rounds, python, log }) {
  const task = stepTask("gpt2-124m", { data: "instruction", batch: 8 });
  const contestants = Object.keys(BARS).flatMap((build) =>
    Object.keys(BARS[build]).map((weights) => ours(task, { build, threads: 2, weights })),
  );
  const results = await contest([...contestants, pytorch(task, python, 2)], rounds(3), log);
  const times = "times the real tokens/s of PyTorch's padded batch";
  const rows = Object.entries(BARS).flatMap(([build, { f32, int8 }]) => [
    row(`${build}: ${times}`, timesFaster(results, build, "pytorch"), ">=", f32),
    row(`${build} int8: ${times} in f32`, timesFaster(results, `${build} int8`, "pytorch"), ">=", int8),
  ]);
  const tokens = task.rows.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
  const longest = Math.max(...task.rows.map(({ inputIds }) => inputIds.length));
  const about = `GPT-2 124M, two threads: 8 rows of ${longest / 8} to ${longest} tokens, ${tokens} in all, ${8 * longest} once padded.`;
  return { title: "Instruction data", about, rows, notes: [timesLine(results)] };
}
