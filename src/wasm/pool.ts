/**
 * Threads over one shared memory. A kernel whose arguments end in a range is split along it: workers, which spin for a
 * while and then park, take chunks of it, and so does the caller. No sum is ever split, so results are identical bit
 * for bit for any number of threads.
 *
 * Workers join after they have started; until then the others do their share, so nothing waits for startup.
 */
import { StateError } from "../core/errors.ts";
import type { StartThread, Thread } from "../core/host.ts";
import { MATMUL_HEIGHT } from "./generated/constants.ts";
import { type Kernels, splits } from "./generated/kernels.ts";
import { aligned, type Memory } from "./memory.ts";
import type { Split } from "./split.ts";
import { type Crew, type Description, places, type ThreadData, takeChunks, threadSource } from "./thread.ts";

/** Smallest range that is split, and smallest product of rows, columns and inner dimension: about 2 µs of work. */
const WORTH_SPLITTING = 8192;
const TILE_WORTH_SPLITTING = 65536;
/** Chunks per thread, so that a delayed thread leaves its work to the others. */
const CHUNKS_EACH = 4;
/** Splits are at multiples of this: the floats of a cache line. */
const WIDTH = 16;
/** Marks that there is no next chunk. */
const CLOSED = (1 << places.chunkBits) - 1;
/** Polls of a number before parking: about 300 µs in V8. */
const SPINS = 20_000;
/** No chunk takes this long: a thread that does not respond has died. */
const PATIENCE = 60_000;

type Kernel = (...args: number[]) => number | undefined;

export class Pool {
  readonly threads: number;
  readonly #crew: Crew;
  readonly #names: readonly string[];
  readonly #kernels: readonly Kernel[];
  readonly #workers: Thread[] = [];
  readonly #mayPark: boolean;
  /** What ended a thread. Apart from the pool, which the threads must not keep alive. */
  readonly #fate: { lost: string | null } = { lost: null };
  #job = 0;

  /** `module` imports a shared memory; `exports` are its kernels in this thread, for each of the memories. */
  constructor(
    threads: number,
    start: StartThread,
    module: WebAssembly.Module,
    memories: readonly Memory[],
    exports: readonly Kernels[],
  ) {
    this.threads = threads;
    this.#names = Object.keys(splits);
    this.#kernels = exports.flatMap((each) => this.#names.map((name) => each[name as keyof Kernels] as Kernel));
    this.#crew = {
      threads,
      numbers: new Int32Array(new SharedArrayBuffer(4 * (places.shares + threads * places.line))),
      job: new Float64Array(new SharedArrayBuffer(8 * 64)),
      message: new Uint8Array(new SharedArrayBuffer(1024)),
      at: places,
    };
    this.#mayPark = mayPark(this.#crew.numbers);
    const shared = {
      module,
      memories: memories.map(({ wasm }) => wasm),
      crew: this.#crew,
      names: this.#names,
      spins: SPINS,
    };
    try {
      for (let index = 1; index < threads; index++) {
        this.#workers.push(started(start, { ...shared, index }, threads, this.#fate));
      }
    } catch (error) {
      this.dispose();
      throw error;
    }
    dropped().register(this, this.#workers, this);
  }

  /** The kernels of `exports`, those of one memory, split over the threads. Workspaces have room for all threads. */
  kernels(exports: Kernels, memory: number): Kernels {
    const all = Object.entries(exports) as [string, Kernel][];
    return Object.fromEntries(
      all.map(([name, kernel]) => [name, this.#over(name, kernel, exports, memory)]),
    ) as unknown as Kernels;
  }

  #over(name: string, kernel: Kernel, exports: Kernels, memory: number): Kernel {
    if (isWorkspace(name)) return roomFor(this.threads, kernel);
    const split = splits[name];
    if (split === undefined) return kernel;
    const number = memory * this.#names.length + this.#names.indexOf(name);
    const cut = split.tile ? cutTile : cutItems;
    return (...args) => {
      const range = cut(args, split, this.threads);
      if (range === null) kernel(...args);
      else this.#run(number, args, range, workspaceOf(split, args, exports));
      return undefined;
    };
  }

  #run(kernel: number, args: readonly number[], range: Range, workspace: readonly [at: number, bytes: number]): void {
    if (this.#fate.lost !== null)
      throw new StateError(`${this.#fate.lost}; create a new engine, with threads: 1 if it happens again`);
    const { numbers, job } = this.#crew;
    const chunks = Math.ceil((range.end - range.start) / range.step);
    const share = Math.ceil(chunks / this.threads);
    const { at, start, step, end } = range;
    const description: Description = [kernel, at, start, step, end, chunks, share, ...workspace, args.length];
    this.#job = (this.#job + 1) | 0;
    // A thread may still be reading the last job's description: its counters are closed before it changes.
    this.#setCounters(CLOSED);
    job.set(description);
    job.set(args, places.arguments);
    Atomics.store(numbers, places.left, chunks);
    this.#setCounters(0);
    Atomics.store(numbers, places.job, this.#job);
    if (Atomics.load(numbers, places.parked) > 0) Atomics.notify(numbers, places.job);
    takeChunks(this.#crew, this.#kernels, 0);
    this.#wait();
    this.#expectDone(this.#names[kernel % this.#names.length]!);
  }

  #setCounters(chunk: number): void {
    const { numbers } = this.#crew;
    for (let thread = 0; thread < this.threads; thread++) {
      Atomics.store(numbers, places.shares + thread * places.line, (this.#job << places.chunkBits) | chunk);
    }
  }

  /** Waits until every chunk is done: spins, then parks where that is allowed. */
  #wait(): void {
    const { numbers } = this.#crew;
    for (let i = 0; i < SPINS; i++) if (Atomics.load(numbers, places.left) === 0) return;
    const patience = performance.now() + PATIENCE;
    for (;;) {
      const left = Atomics.load(numbers, places.left);
      if (left === 0) return;
      if (performance.now() > patience) {
        this.#fate.lost = `a thread took ${left} of a kernel's chunks and did not finish within ${PATIENCE / 1000} s`;
        throw new StateError(this.#fate.lost);
      }
      if (!this.#mayPark) continue;
      Atomics.store(numbers, places.callerParked, 1);
      Atomics.wait(numbers, places.left, left, 20);
      Atomics.store(numbers, places.callerParked, 0);
    }
  }

  #expectDone(kernel: string): void {
    const { numbers, message } = this.#crew;
    const length = Atomics.exchange(numbers, places.failed, 0);
    if (length > 0) throw new StateError(`kernel ${kernel}: ${new TextDecoder().decode(message.slice(0, length))}`);
  }

  /** Ends the worker threads. */
  dispose(): void {
    this.#fate.lost = "this engine was disposed of";
    dropped().unregister(this);
    end(this.#workers);
  }
}

function started(start: StartThread, data: ThreadData, threads: number, fate: { lost: string | null }): Thread {
  return start(threadSource(), data, (why) => {
    fate.lost ??= `thread ${data.index + 1} of ${threads} ended: ${why}`;
  });
}

function end(workers: readonly Thread[]): void {
  for (const worker of workers) worker.end();
}

let registry: FinalizationRegistry<readonly Thread[]> | null = null;
/** Ends the threads of pools that nobody can reach any more. */
function dropped(): FinalizationRegistry<readonly Thread[]> {
  registry ??= new FinalizationRegistry(end);
  return registry;
}

/** Whether a kernel returns the size of another kernel's workspace. */
function isWorkspace(name: string): boolean {
  return Object.values(splits).some(({ workspace }) => workspace?.of === name);
}

function roomFor(threads: number, workspace: Kernel): Kernel {
  return (...args) => threads * aligned(workspace(...args)!);
}

/** The kernels of `exports`, returning the workspace sizes of a pool with this many threads. */
export function withRoomFor(threads: number, exports: Kernels): Kernels {
  if (threads === 1) return exports;
  const all = Object.entries(exports) as [string, Kernel][];
  return Object.fromEntries(
    all.map(([name, kernel]) => [name, isWorkspace(name) ? roomFor(threads, kernel) : kernel]),
  ) as unknown as Kernels;
}

/** What is split, and the size of the pieces. */
interface Range {
  /** Which argument is its start. */
  readonly at: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** Null if splitting does not pay. */
function cutItems(args: readonly number[], { sizes, whole }: Split, threads: number): Range | null {
  const at = args.length - 2;
  const [start, end] = args.slice(at) as [number, number];
  const items = end - start;
  const each = sizes.reduce((product, size) => product * Math.max(1, args[size]!), 1);
  if (items < 2 || items * each < WORTH_SPLITTING) return null;
  const chunks = Math.min(threads * (whole ? 1 : CHUNKS_EACH), Math.floor((2 * items * each) / WORTH_SPLITTING));
  const step = Math.ceil(items / chunks);
  return { at, start, end, step: step < WIDTH ? step : Math.ceil(step / WIDTH) * WIDTH };
}

/**
 * One chunk per thread, of rows or of columns, depending on which repeats less work: threads that share rows each pack
 * all of them, threads that share columns each fill all panels of the weight, once per block of rows.
 */
function cutTile(args: readonly number[], { sizes }: Split, threads: number): Range | null {
  const at = args.length - 4;
  const [rowStart, rowEnd, colStart, colEnd] = args.slice(at) as [number, number, number, number];
  const [rows, columns] = [rowEnd - rowStart, colEnd - colStart];
  const inner = sizes.reduce((sum, size) => sum + args[size]!, 0);
  if (rows * columns * inner < TILE_WORTH_SPLITTING) return null;
  const blocks = (count: number) => Math.ceil(count / MATMUL_HEIGHT);
  const moreFilling = (threads * blocks(rows / threads) - blocks(rows)) * columns;
  const morePacking = (threads - 1) * rows;
  if (moreFilling < morePacking) return { at, start: rowStart, end: rowEnd, step: Math.ceil(rows / threads) };
  const step = Math.ceil(columns / threads / WIDTH) * WIDTH;
  return { at: at + 2, start: colStart, end: colEnd, step };
}

/** The address of the workspace argument and each thread's share of it. */
function workspaceOf({ workspace }: Split, args: readonly number[], exports: Kernels): [at: number, bytes: number] {
  if (workspace === undefined) return [-1, 0];
  const size = exports[workspace.of as keyof Kernels] as Kernel;
  return [workspace.at, aligned(size(...workspace.given.map((place) => args[place]!))!)];
}

/** Whether this thread may block: the main thread of a browser may not. */
function mayPark(numbers: Int32Array): boolean {
  try {
    Atomics.wait(numbers, places.failed, 1, 0);
    return true;
  } catch {
    return false;
  }
}
