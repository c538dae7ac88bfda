/** A LoRA step of GPT-2 small: against the machine, against PyTorch, in int8, and the memory it takes. */
import { contest, middle, missingOf, peakShare, timesFaster, timesLine } from "../contest.js";
import { ours, pytorch, stepTask } from "../contestants.js";
import { row } from "../report.js";

/** The share of the SIMD peak, which for the wide build is that of merged registers and has no bar. */
const PEAK_SHARE = { relaxed: 0.8, baseline: 0.8 };
/** Of PyTorch's speed, by build and threads. */
const AGAINST_PYTORCH = {
  wide: { 1: 1.2, 2: 1.1 },
  relaxed: { 1: 0.72, 2: 1 },
  baseline: { 1: 0.58, 2: 0.8 },
};
/** int8 weights on one thread: of PyTorch's speed in float32. */
const INT8_AGAINST_PYTORCH = { wide: 1.9, relaxed: 1, baseline: 1 };
const TWO_THREADS_OVER_ONE = 1.9;
const MEMORY_SHARE = { f32: 0.25, bf16: 0.15 };

export async function measure({ rounds, python, log }) {
  const task = stepTask("gpt2-124m");
  const builds = Object.keys(AGAINST_PYTORCH);
  const [rows, notes] = [[], []];
  for (const threads of [1, 2]) {
    const alone = { ...ours(task, { build: "wide" }), name: "wide on one thread" };
    const contestants = [
      ...builds.flatMap((build) => ["f32", "int8"].map((weights) => ours(task, { build, threads, weights }))),
      ...(threads === 1 ? [] : [alone]),
      pytorch(task, python, threads),
    ];
    const results = await contest(contestants, rounds(3), log);
    const on = threads === 1 ? "one thread" : `${threads} threads`;
    for (const build of builds)
      rows.push(row(`${build}, ${on}: of the SIMD peak`, peakShare(results, build), ">=", PEAK_SHARE[build]));
    for (const build of builds) {
      const speed = timesFaster(results, build, "pytorch");
      rows.push(row(`${build}, ${on}: times PyTorch's speed`, speed, ">=", AGAINST_PYTORCH[build][threads]));
    }
    for (const build of builds) {
      const gain = timesFaster(results, `${build} int8`, build);
      rows.push(row(`${build} int8, ${on}: times our f32`, gain, ">=", 1.5));
      const speed = timesFaster(results, `${build} int8`, "pytorch");
      const bar = threads === 1 ? INT8_AGAINST_PYTORCH[build] : undefined;
      rows.push(row(`${build} int8, ${on}: times PyTorch's f32`, speed, ">=", bar));
    }
    if (threads === 1) rows.push(row("wide: times relaxed", timesFaster(results, "wide", "relaxed")));
    else {
      const gain = timesFaster(results, "wide", alone.name);
      rows.push(row("wide: two threads over one", gain, ">=", TWO_THREADS_OVER_ONE));
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
    row("peak memory of the process, relaxed f32: of PyTorch's", share("relaxed"), "<=", MEMORY_SHARE.f32),
    row("peak memory of the process, relaxed bf16: of PyTorch's f32", share("relaxed bf16"), "<=", MEMORY_SHARE.bf16),
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
