/**
 * An engine: one compiled build of the kernels and one memory, or several. Models live in an engine; two engines share nothing.
 */
import { instantiateSync } from "@assemblyscript/loader";
import { checksAddresses, compileBuild, compileWide, parallelism, preferredBuild, startThread } from "#host";
import { callback, callOptions } from "../core/call-options.ts";
import { StateError, UnsupportedError } from "../core/errors.ts";
import { flag, oneOf, option, whole } from "../core/options.ts";
import { type Build, relaxedSupported } from "../kernels/builds.ts";
import { Arena } from "./arena.ts";
import type { Kernels } from "./generated/kernels.ts";
import { MeasuredMemory } from "./measured-memory.ts";
import { formatBytes, MAX_BYTES, Memory } from "./memory.ts";
import { type KernelObserver, observedKernels, type StepUnderWay } from "./observed-kernels.ts";
import { Pool, withRoomFor } from "./pool.ts";
import type { Several } from "./several.ts";

/** Options of `createEngine`. */
export interface EngineOptions {
  /**
   * The build of the kernels: "relaxed" uses fused multiply-add and is faster, "baseline" gives the same bits on every
   * machine, and "auto", the default unless the environment variable LORIKEET_BUILD names another, chooses relaxed where the
   * JavaScript engine supports it.
   *
   * "wide" gives the bits of relaxed at up to twice its speed in Node 23.5 and newer on x86 processors: while it compiles, it sets a
   * flag of V8 that merges pairs of vectors. In Node on Arm it multiplies int8 weights with the processor's dot products of bytes.
   * "fastest" uses wide where it works, and does what "auto" does elsewhere.
   */
  build?: BuildChoice;
  /**
   * The number of threads that compute; by default, one per physical core. Results are identical bit for bit for any
   * number. One thread where there is no SharedArrayBuffer (browsers need a cross-origin isolated page) or no threads
   * (workerd).
   */
  threads?: number;
  /** Upper limit of the memory in bytes, at most 4 GiB; of each, where there are several. */
  maxBytes?: number;
  /**
   * The number of memories, 1 by default: a model is spread over all of them, whole blocks at a time. Only one computes at a
   * time, with all threads, and results are those of one memory bit for bit.
   */
  memories?: number;
  /**
   * Allocate nothing and compute nothing: models and adapters created in such an engine have no contents, but
   * `planMemory` reports how much memory they and their training would need in an engine with the same options.
   */
  measuring?: boolean;
  /** A compiled module to use instead of the bundled one, for hosts that compile it themselves. One thread. */
  module?: WebAssembly.Module;
  /** Called when "fastest" tried the wide build and does without, with the reason. */
  onWarning?: (text: string) => void;
}

/** What `createEngine` can be asked for, as a list for options. */
export const buildChoices = ["auto", "fastest", "baseline", "relaxed", "wide"] as const;
/** What `createEngine` can be asked for. */
export type BuildChoice = (typeof buildChoices)[number];

/** One build of the kernels with one memory. Create it with `createEngine`; dispose of its models before the engine. */
export class Engine {
  readonly build: Build;
  readonly threads: number;
  readonly memory: Memory;
  /** Whether matrix products use fewer, wider loads: see assembly/linear/tile.ts. This changes speed, not results. */
  readonly fewLoads: boolean = checksAddresses;
  /** The step that is being computed, for kernel observers; null between steps. */
  step: StepUnderWay | null = null;
  /** Runs the steps of a model that is spread over several memories: a class like `Tape`. */
  tapes: unknown = null;
  readonly #kernels: Kernels;
  readonly #several: Several | null;
  #observed: Kernels | null = null;
  #arena: Arena = new Arena(0, 0);
  #arenaInUse = false;
  readonly #pool: Pool | null;
  #disposed = false;

  /** With more than one thread the module must import a shared memory. */
  constructor(module: WebAssembly.Module, build: Build, sizes: EngineSizes = {}, several: Several | null = null) {
    const { threads = 1 } = sizes;
    const memory = several?.memory ?? newMemory(sizes);
    this.build = build;
    this.threads = threads;
    this.memory = memory;
    this.#several = several;
    const exports = memory.each.map(
      ({ wasm }) => instantiateSync(module, { env: { memory: wasm } }).instance.exports as unknown as Kernels,
    );
    this.#pool = threads > 1 && !memory.measuring ? new Pool(threads, startThread, module, memory.each, exports) : null;
    const kernels = exports.map((each, i) => this.#pool?.kernels(each, i) ?? withRoomFor(threads, each));
    this.#kernels = several?.joined(kernels) ?? kernels[0]!;
  }

  get disposed(): boolean {
    return this.#disposed;
  }
  /** Throws StateError once the engine is disposed of; `doing` is the call that needs it. */
  expectLive(doing: string): void {
    if (this.#disposed) throw new StateError(`${doing}: this engine was disposed of; create another`);
  }

  get kernels(): Kernels {
    this.expectLive("kernels");
    return this.#observed ?? this.#kernels;
  }
  /** Reports every kernel of the following steps to `observer`; null disables this, at no cost. */
  observe(observer: KernelObserver | null): void {
    this.#observed = observer && observedKernels(this.#kernels, observer);
  }

  /** Size in bytes of the working memory that is kept between steps. */
  get arenaBytes(): number {
    return this.#arena.capacity * this.memory.each.length;
  }

  /**
   * The working memory of the next step, with room for `bytes` in each memory; grows the block if it is too small. Only one step
   * at a time.
   */
  takeArena(bytes: number): Arena {
    this.expectLive("a step");
    if (this.memory.measuring)
      throw new StateError("this engine only measures and computes nothing: create one without measuring: true");
    if (this.#arenaInUse) throw new StateError("a step is already running in this engine: release its tape first");
    if (this.#arena.capacity < bytes) {
      this.#freeArena();
      const what = `a step (${formatBytes(bytes)} of working memory)`;
      this.#arena = this.#several?.arena(bytes, what) ?? new Arena(this.memory.alloc(bytes, what), bytes);
    }
    this.#arenaInUse = true;
    return this.#arena;
  }

  returnArena(): void {
    this.#arena.reset();
    this.#arenaInUse = false;
  }

  /** Working memory for a plan, which takes no memory. */
  planningArena(): Arena {
    return this.#several?.arena(null) ?? new Arena(0, Number.POSITIVE_INFINITY);
  }

  #freeArena(): void {
    for (const base of this.#arena.bases) this.memory.free(base);
    this.#arena = new Arena(0, 0);
  }

  /**
   * Frees the working memory and ends the threads: no call computes in it from now on. Models free their own weights;
   * the memory itself goes with the last reference. Throws StateError within a step.
   */
  dispose(): void {
    if (this.#disposed) return;
    if (this.#arenaInUse) throw new StateError("a step is running in this engine: dispose of it after the step");
    this.#freeArena();
    this.#pool?.dispose();
    this.memory.close();
    this.#disposed = true;
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The options of an engine that determine its size. */
export type EngineSizes = Pick<EngineOptions, "threads" | "maxBytes" | "measuring">;

/** An empty memory. */
export function newMemory({ threads = 1, maxBytes = MAX_BYTES, measuring = false }: EngineSizes): Memory {
  return measuring ? new MeasuredMemory(maxBytes) : new Memory(maxBytes, threads > 1);
}

/**
 * Compiles the kernels and creates an engine. The loaders call this if no engine is given.
 *
 * @example
 * using engine = await createEngine({ build: "baseline", threads: 2 });
 */
export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  callOptions("createEngine", checkedOptions, options);
  const { maxBytes = MAX_BYTES, module, measuring = false, memories = 1 } = options;
  if (typeof WebAssembly === "undefined") {
    throw new UnsupportedError(
      "createEngine: this JavaScript engine has no WebAssembly, in which the kernels run; Node has none with --jitless",
    );
  }
  const threads = countThreads(options);
  const sizes = { threads, maxBytes, measuring };
  const several = memories > 1 ? (await import("./memories.ts")).over(memories, () => newMemory(sizes)) : null;
  const shared = threads > 1 && !measuring;
  const build = options.build ?? preferred("auto");
  const asksForWide = module === undefined && (build === "wide" || build === "fastest");
  const wide = asksForWide ? await wideBuild(build, shared, options.onWarning) : null;
  if (wide !== null) return new Engine(wide, "wide", sizes, several);
  const relaxed = relaxedSupported();
  if (build === "relaxed" && !relaxed) {
    throw new UnsupportedError(
      `createEngine: build "relaxed" was requested, but this JavaScript engine does not support relaxed SIMD; use "baseline" or "auto"`,
    );
  }
  const plain = build === "baseline" || !relaxed ? "baseline" : "relaxed";
  return new Engine(module ?? (await compileBuild(plain, shared)), build === "wide" ? build : plain, sizes, several);
}

/** LORIKEET_BUILD if it is set, else `otherwise`. */
export function preferred(otherwise: BuildChoice): BuildChoice {
  const named = preferredBuild() || otherwise;
  if (checkedOptions.build.is(named)) return named;
  throw new UnsupportedError(`LORIKEET_BUILD is "${named}", expected ${checkedOptions.build.expected}`);
}

/** The wide build, or null where "fastest" does without. */
async function wideBuild(
  build: BuildChoice,
  shared: boolean,
  warn = (_: string) => {},
): Promise<WebAssembly.Module | null> {
  try {
    if (compileWide !== null) return await compileWide(shared);
  } catch (error) {
    if (build === "wide" || !(error instanceof UnsupportedError)) throw error;
    warn(`${error.message}; going on without it`);
  }
  if (build === "fastest") return null;
  throw new UnsupportedError(
    `createEngine: build "wide" takes Node 23.5 or newer on an x86 processor, or Node on Arm; "fastest" does without it elsewhere`,
  );
}

/** 128 GiB of address space: what a process may reserve for them, guard pages included, ends not far above. */
export const MOST_MEMORIES = 32;

/** Other checks of `threads` and `build` follow. */
const checkedOptions = {
  build: oneOf(buildChoices, "auto"),
  threads: option<unknown>(undefined, "a number", (value) => typeof value === "number"),
  maxBytes: whole(MAX_BYTES, { least: 1, most: MAX_BYTES }),
  memories: whole(1, { least: 1, most: MOST_MEMORIES }),
  measuring: flag(false),
  module: option<unknown>(undefined, "a WebAssembly.Module", (value) => value instanceof WebAssembly.Module),
  onWarning: callback(),
};

/** More threads would only compete with each other on any machine. */
export const MOST_THREADS = 64;

function countThreads({ threads, module }: EngineOptions): number {
  const asked = threads ?? Math.max(1, parallelism());
  if (!Number.isInteger(asked) || asked < 1 || asked > MOST_THREADS) {
    throw new UnsupportedError(`createEngine: threads is ${asked}, expected a whole number from 1 to ${MOST_THREADS}`);
  }
  return module === undefined && parallelism() > 0 && sharesMemory() ? asked : 1;
}

/** Browsers provide SharedArrayBuffer and allow sending it to workers only on cross-origin isolated pages. */
function sharesMemory(): boolean {
  return typeof SharedArrayBuffer === "function" && globalThis.crossOriginIsolated !== false;
}
