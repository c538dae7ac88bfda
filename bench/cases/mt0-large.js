/** A model of 1.2 billion parameters within the memory of a small machine. */
import { lorikeetBench } from "../programs.js";
import { row } from "../report.js";

const BARS = { int8: 2.2, bf16: 3.6 };

export async function measure({ log }) {
  const [rows, notes] = [[], []];
  for (const [weights, bar] of Object.entries(BARS)) {
    log(`a step in ${weights}`);
    const found = lorikeetBench("relaxed", 2, "step", "--shape", "mt0-large", "--weights", weights, "--rounds", 1);
    const gb = (bytes) => (found.missing ? found : { value: bytes / 1e9 });
    const GB = { unit: "GB" };
    rows.push(row(`${weights}: peak memory of the process`, gb(found.processPeakBytes), "<=", bar, GB));
    rows.push(row(`${weights}: of which in use by the engine`, gb(found.peakBytes), "", undefined, GB));
    if (!found.missing)
      notes.push(`${weights}: ${(found.msPerStep / 1000).toFixed(1)} s a step, loss ${found.loss.toFixed(3)}`);
  }
  const about = "Random weights of mt0-large's shape, LoRA r 8, source and target of 128 tokens each, batch 1.";
  return { title: "mt0-large", about, rows, notes };
}
