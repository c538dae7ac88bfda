/** A LoRA step of GPT-2 small: against the machine, against PyTorch, in int8, and the memory it takes. */
import { contest, middle, missingOf, timesFaster, timesLine } from "../contest.js";
import { ours, pytorch, stepTask } from "../contestants.js";
import { row } from "../report.js";

const PEAK_SHARE = 0.8;
/** Of PyTorch's speed, by build and threads. */
const AGAINST_PYTORCH = { relaxed: { 1: 0.72, 2: 1 }, baseline: { 1: 0.58, 2: 0.8 } };

export async function measure({ rounds, python, log }) {
  const task = stepTask("gpt2-124m");
  const [rows, notes] = [[], []];
  for (const threads of [1, 2]) {
    const builds = ["relaxed", "baseline"];
    const contestants = [
      ...builds.flatMap((build) => ["f32", "int8"].map((weights) => ours(task, { build, threads, weights }))),
      pytorch(task, python, threads),
    ];
    const results = await contest(contestants, rounds(3), log);
    const on = threads === 1 ? "one thread" : `${threads} threads`;
    for (const build of builds) {
      const share = middle(results, build, (turn, { flops }) => flops / (turn.ms / 1000) / turn.peakFlops);
      rows.push(row(`${build}, ${on}: of the SIMD peak`, share, ">=", PEAK_SHARE));
    }
    for (const build of builds) {
      const speed = timesFaster(results, build, "pytorch");
      rows.push(row(`${build}, ${on}: times PyTorch's speed`, speed, ">=", AGAINST_PYTORCH[build][threads]));
    }
    for (const build of builds) {
      const gain = timesFaster(results, `${build} int8`, build);
      rows.push(row(`${build} int8, ${on}: times our f32`, gain, ">=", 1.5));
      const speed = timesFaster(results, `${build} int8`, "pytorch");
      rows.push(row(`${build} int8, ${on}: times PyTorch's f32`, speed, ">=", threads === 1 ? 1 : undefined));
    }
    notes.push(`${on}: ${timesLine(results)}`);
    if (threads === 1) rows.push(...(await memoryRows(task, results, log)));
  }
  return { title: "LoRA step, GPT-2 124M, 4 x 256 tokens, every label counted", rows, notes };
}

/** The whole process, ours and theirs, at its largest. */
async function memoryRows(task, results, log) {
  const halves = await contest([ours(task, { weights: "bf16" })], 1, log);
  const all = { ...results, ...halves };
  const peak = (name) => middle(all, name, ({ peakBytes }) => peakBytes);
  const share = (name) => {
    const missing = missingOf(all, name, "pytorch");
    return missing ? { missing } : { value: peak(name).value / peak("pytorch").value };
  };
  const inMb = ({ value, missing }) => ({ value: value / 1e6, missing });
  const MB = { unit: "MB", digits: 0 };
  return [
    row("peak memory of the process, f32: of PyTorch's", share("relaxed"), "<=", 1 / 3),
    row("peak memory of the process, bf16: of PyTorch's f32", share("relaxed bf16"), "<=", 1 / 5),
    row("peak memory of the process, f32", inMb(peak("relaxed")), "", undefined, MB),
    row("peak memory of the process, bf16", inMb(peak("relaxed bf16")), "", undefined, MB),
    row("peak memory of the process, PyTorch f32", inMb(peak("pytorch")), "", undefined, MB),
    row("PyTorch's process once it has imported its libraries", inMb(importedBytes(all)), "", undefined, MB),
  ];
}

function importedBytes(results) {
  const missing = missingOf(results, "pytorch");
  return missing ? { missing } : { value: results.pytorch.facts.importedBytes };
}
