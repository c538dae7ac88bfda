/** Measurements of the machine and of this process. */
import { PEAK_FLOPS, PEAK_PAIRS_FLOPS } from "../dist/wasm/generated/constants.js";

/** Milliseconds that have passed. */
export const elapsedMs = () => performance.now();

/** Milliseconds that processors have worked for this process, all of its threads together: nothing that other processes take. */
export function processorMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The clock for work on some threads: one never waits but for other processes, which do not count; several wait for each other. */
export const clockFor = (threads) => (threads === 1 ? processorMs : elapsedMs);

/** Seconds that `work` takes by a clock. */
export function timed(work, clock = elapsedMs) {
  const start = clock();
  work();
  return (clock() - start) / 1000;
}

/** The peak memory of this process. */
export function processPeakBytes() {
  return 1024 * process.resourceUsage().maxRSS;
}

/**
 * Rate of a kernel that only multiplies and adds in registers, on all threads of the engine, in floating-point operations a second; in
 * the wide build in merged registers.
 */
export function measurePeak({ kernels, threads, memory, build }, clock = clockFor(threads)) {
  const [items, count] = [8 * threads, 125_000];
  const out = memory.alloc(384 * items, "results of the peak kernel");
  const [kernel, flops] =
    build === "wide" ? [kernels.simd_peak_pairs, PEAK_PAIRS_FLOPS] : [kernels.simd_peak, PEAK_FLOPS];
  const seconds = best(() => kernel(out, count, 0.5, 0, items), clock);
  memory.free(out);
  return (flops * items * count) / seconds;
}

/** A block that exceeds every cache, and the rate at which all threads of an engine read it. */
export class ReadRate {
  #engine;
  #block;
  #out;

  constructor(engine) {
    this.#engine = engine;
    this.#block = engine.memory.alloc(READ_BYTES, "a block to read");
    this.#out = engine.memory.alloc(4 * READ_ROWS, "results of reading");
    engine.memory.u8(this.#block, READ_BYTES).fill(1); // pages that were never written are not in memory
  }

  /** Bytes a second. */
  measure(clock = clockFor(this.#engine.threads)) {
    const width = READ_BYTES / 4 / READ_ROWS;
    return (
      READ_BYTES / best(() => this.#engine.kernels.stream_read(this.#out, this.#block, width, 0, READ_ROWS), clock)
    );
  }

  free() {
    for (const ptr of [this.#block, this.#out]) this.#engine.memory.free(ptr);
  }
}

const READ_BYTES = 1 << 28;
const READ_ROWS = 4096;

/** Seconds of the best of three. */
function best(work, clock) {
  return Math.min(timed(work, clock), timed(work, clock), timed(work, clock));
}
