/** What the machine is: for the head of the page. */
import { existsSync, readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";

const CPUINFO = "/proc/cpuinfo";

/** Processor, cores and memory. */
export function processorLine() {
  return `${cpus()[0]?.model.trim()}, ${cpus().length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GB`;
}

/** Which vectors the processor has, and what that means for a comparison with PyTorch. */
export function vectorsLine() {
  if (!existsSync(CPUINFO)) return `The system does not say which vectors this processor (${process.arch}) has.`;
  const has = flagsOf(readFileSync(CPUINFO, "utf8"));
  const dots = has("avx512_vnni") || has("avx_vnni") ? " It has VNNI's integer dot products." : "";
  if (has("avx512f"))
    return `The processor has AVX-512. PyTorch uses 512-bit vectors there and the wide build 256-bit ones: expect about 0.6 of each bar against PyTorch, which are for AVX2.${dots}`;
  if (has("avx2")) return `The processor has AVX2: PyTorch and the wide build both use 256-bit vectors.${dots}`;
  if (has("sve")) return "The processor has SVE beside NEON's 128-bit vectors.";
  if (has("asimd")) return "The processor has NEON's 128-bit vectors.";
  return "The processor has 128-bit vectors at most.";
}

/** Whether the first processor of the file has a flag; Arm calls them features. */
function flagsOf(cpuinfo) {
  const flags = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1].trim().split(/\s+/));
  return (flag) => flags.has(flag);
}
