/**
 * One thread of a pool (src/wasm/pool.ts), including the caller: takes chunks of the current job until none is left.
 *
 * Chunks are assigned in equal shares, so that a thread works on the same part of the data in job after job; a thread
 * that has finished its share helps with the others. The counter of a share holds the number of the job and the next
 * chunk, and a chunk is taken by a compare-and-exchange of both: a thread that read the description of a job that has
 * since ended takes nothing.
 *
 * The functions here also run in worker threads, from their own source text: they refer to nothing outside themselves.
 */

/**
 * What threads share. Entries of `numbers` are a cache line apart, so that threads do not wait for each other's lines.
 */
export interface Crew {
  readonly threads: number;
  readonly numbers: Int32Array;
  /** The job: `Description` and the kernel's arguments. */
  readonly job: Float64Array;
  /** UTF-8 text of the error that ended a chunk. */
  readonly message: Uint8Array;
  readonly at: typeof places;
}

export const places = {
  /** The number of the job. Threads wait for it to change. */
  job: 0,
  /** Chunks of the job that are not done. */
  left: 16,
  /**
   * The number of worker threads that are parked until there is a job, and whether the caller is parked until the job
   * is done.
   */
  parked: 32,
  callerParked: 48,
  /** Length in bytes of the error message, 0 if there is none. */
  failed: 64,
  /** The counters of the shares: job << chunkBits | next chunk. */
  shares: 80,
  line: 16,
  chunkBits: 12,
  /** In `job`. */
  arguments: 10,
} as const;

/** The first numbers in `job`; the kernel's arguments follow. */
export type Description = readonly [
  kernel: number,
  /** Which argument is the start of the range; its end follows. */
  range: number,
  start: number,
  step: number,
  end: number,
  chunks: number,
  /** Chunks in each share. */
  share: number,
  /** Which argument is the workspace, -1 for none, and its bytes per thread. */
  workspace: number,
  workspaceBytes: number,
  /** The number of arguments. */
  count: number,
];

type Kernel = (...args: number[]) => void;

/** Takes chunks of the job as thread `index` (0 is the caller) until none is left. */
export function takeChunks(crew: Crew, kernels: readonly Kernel[], index: number): void {
  const { numbers, job, at, threads } = crew;
  const number = Atomics.load(numbers, at.job);
  const [kernel, range, start, step, end, chunks, share, workspace, workspaceBytes, count] =
    job as Iterable<number> as Description;
  const args = Array.from(job.subarray(at.arguments, at.arguments + count));
  if (workspace >= 0) args[workspace]! += index * workspaceBytes;
  const chunkMask = (1 << at.chunkBits) - 1;
  for (let turn = 0; turn < threads; turn++) {
    const whose = (index + turn) % threads;
    const counter = at.shares + whose * at.line;
    const first = whose * share;
    const size = Math.min(share, chunks - first);
    for (;;) {
      const was = Atomics.load(numbers, counter);
      if (was >> at.chunkBits !== (number << at.chunkBits) >> at.chunkBits) return;
      const chunk = was & chunkMask;
      if (chunk >= size) break;
      if (Atomics.compareExchange(numbers, counter, was, was + 1) !== was) continue;
      const from = start + (first + chunk) * step;
      args[range] = from;
      args[range + 1] = Math.min(from + step, end);
      try {
        kernels[kernel]!(...args);
      } catch (error) {
        const { written } = new TextEncoder().encodeInto(String(error), crew.message);
        Atomics.store(numbers, at.failed, written);
      }
      const left = Atomics.sub(numbers, at.left, 1) - 1;
      if (left === 0 && Atomics.load(numbers, at.callerParked) === 1) Atomics.notify(numbers, at.left);
    }
  }
}

/** The data that a worker thread receives. */
export interface ThreadData {
  readonly module: WebAssembly.Module;
  readonly memories: readonly WebAssembly.Memory[];
  readonly crew: Crew;
  readonly index: number;
  /** Names of the kernels by number, the same for each memory. */
  readonly names: readonly string[];
  /** Polls of the job's number before parking. */
  readonly spins: number;
}

/** The life of a worker thread: never returns. */
export function serve({ module, memories, crew, index, names, spins }: ThreadData, take: typeof takeChunks): void {
  const kernels = memories.flatMap((memory) => {
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    return names.map((name) => exports[name] as Kernel);
  });
  const { numbers, at } = crew;
  const pause = (Atomics as { pause?: () => void }).pause ?? (() => {});
  let seen = 0;
  for (;;) {
    for (let i = 0; i < spins && Atomics.load(numbers, at.job) === seen; i++) pause();
    if (Atomics.load(numbers, at.job) === seen) {
      Atomics.add(numbers, at.parked, 1);
      Atomics.wait(numbers, at.job, seen);
      Atomics.sub(numbers, at.parked, 1);
      continue;
    }
    seen = Atomics.load(numbers, at.job);
    take(crew, kernels, index);
  }
}

/** Source text of a function that takes `ThreadData`. Some bundlers mark functions with a helper called __name. */
export function threadSource(): string {
  return `(data) => { const __name = (f) => f; (${serve})(data, ${takeChunks}); }`;
}
