/** An embedding model, all-MiniLM-L6-v2's shape: short rows as long as each other, and ragged ones, which PyTorch pads. */
import { contest, peakShare, timesFaster, timesLine } from "../contest.js";
import { ours, pytorch, stepTask } from "../contestants.js";
import { row } from "../report.js";

/** Times PyTorch's speed: bars of the wide build, the others for comparison. */
const FIXED = { f32: 1, int8: 1.4 };
const RAGGED = { step: 1.8, forward: 1.5 };
const BUILDS = ["wide", "relaxed", "baseline"];

export async function measure({ rounds, python, log }) {
  const [rows, notes] = [[], []];
  const fixed = stepTask("minilm");
  const contestants = [
    ...BUILDS.map((build) => ours(fixed, { build })),
    ours(fixed, { build: "wide", weights: "int8" }),
  ];
  const found = await contest([...contestants, pytorch(fixed, python)], rounds(9), log);
  const times = "times PyTorch's speed";
  for (const build of BUILDS) {
    const bar = build === "wide" ? FIXED.f32 : undefined;
    rows.push(row(`8 x 64 tokens, LoRA step, ${build}: ${times}`, timesFaster(found, build, "pytorch"), ">=", bar));
  }
  const int8 = timesFaster(found, "wide int8", "pytorch");
  rows.push(row(`8 x 64 tokens, LoRA step, wide int8: ${times} in f32`, int8, ">=", FIXED.int8));
  rows.push(row("8 x 64 tokens, LoRA step, wide: of the SIMD peak", peakShare(found, "wide")));
  notes.push(`8 x 64 tokens: ${timesLine(found)}`);
  for (const [pass, bar] of Object.entries(RAGGED)) {
    const task = stepTask("minilm", { data: "instruction", tokens: 128, batch: 32, pass });
    const results = await contest(
      [ours(task, { build: "wide", threads: 2 }), pytorch(task, python, 2)],
      rounds(5),
      log,
    );
    const what = `32 rows of 16 to 128 tokens, ${pass === "step" ? "LoRA step" : "forward"}, wide: ${times}`;
    rows.push(row(what, timesFaster(results, "wide", "pytorch"), ">=", bar));
    notes.push(`ragged, ${pass}: ${timesLine(results)}`);
  }
  const about =
    "LoRA r 8 on query and value, mean vectors, in-batch negatives: each even row finds its partner among the odd ones. Fixed rows on one thread, ragged ones on two.";
  return { title: "Embedding model of MiniLM's shape", about, rows, notes };
}
