/** What the bench measures the machine and itself with. */
import type { Engine } from "../wasm/engine.ts";

/** Seconds that `work` takes. */
export function timed(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The most memory that this process has had at once, all of it. */
export function processPeakBytes(): number {
  return 1024 * process.resourceUsage().maxRSS;
}

/** Operations per iteration of the peak kernel: see assembly/linear/peak.ts. */
const PEAK_FLOPS = 192;

/** Rate of a kernel that only multiplies and adds in registers, on all threads of the engine, in floating-point operations a second. */
export function measurePeak({ kernels, threads }: Engine): number {
  const iterations = 1_000_000 * threads;
  return (PEAK_FLOPS * iterations) / best(() => kernels.simd_peak(0.5, 0, iterations));
}

/** Rate at which a block of `lines` times 64 bytes is read on all threads of the engine, in bytes a second. */
export function measureRead({ kernels }: Engine, block: number, lines: number): number {
  return (64 * lines) / best(() => kernels.stream_read(block, 0, lines));
}

/** Seconds of the best of three. */
function best(work: () => void): number {
  return Math.min(timed(work), timed(work), timed(work));
}
