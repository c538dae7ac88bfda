/** What the bench measures the machine and itself with. */
import type { Engine } from "../../wasm/engine.ts";
import type { Ptr } from "../../wasm/memory.ts";

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
export function measurePeak({ kernels, threads, memory }: Engine): number {
  const [items, count] = [8 * threads, 125_000];
  const out = memory.alloc(4 * items, "results of the peak kernel");
  const seconds = best(() => kernels.simd_peak(out, count, 0.5, 0, items));
  memory.free(out);
  return (PEAK_FLOPS * items * count) / seconds;
}

/** A block that no cache holds, and the rate at which all threads of an engine read it. */
export class ReadRate {
  readonly #engine: Engine;
  readonly #block: Ptr;
  readonly #out: Ptr;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#block = engine.memory.alloc(READ_BYTES, "a block to read");
    this.#out = engine.memory.alloc(4 * READ_ROWS, "results of reading");
    engine.memory.u8(this.#block, READ_BYTES).fill(1); // pages that were never written are not in memory
  }

  /** Bytes a second. */
  measure(): number {
    const width = READ_BYTES / 4 / READ_ROWS;
    return READ_BYTES / best(() => this.#engine.kernels.stream_read(this.#out, this.#block, width, 0, READ_ROWS));
  }
}

const READ_BYTES = 1 << 28;
const READ_ROWS = 4096;

/** Seconds of the best of three. */
function best(work: () => void): number {
  return Math.min(timed(work), timed(work), timed(work));
}
