/**
 * An engine: one compiled build of the kernels over one memory. Models live in an engine; two engines share nothing.
 */
import { instantiateSync } from "@assemblyscript/loader";
import { compileBuild } from "#host";
import { StateError, UnsupportedError } from "../core/errors.ts";
import { Arena } from "./arena.ts";
import { type Build, relaxedSupported } from "./builds.ts";
import type { Kernels } from "./generated/kernels.ts";
import { formatBytes, MAX_BYTES, Memory, type Ptr } from "./memory.ts";

/** What `createEngine` may be told. */
export interface EngineOptions {
  /**
   * Which build of the kernels: "relaxed" has fused multiply-add and is faster, "baseline" gives the same bits on every
   * machine, "auto" takes relaxed where the JavaScript engine has it.
   */
  build?: "auto" | Build;
  /** How many threads compute. This version has one; more are accepted and give the very same results. */
  threads?: number;
  /** Upper limit of the memory in bytes, at most 4 GiB. */
  maxBytes?: number;
  /** A compiled module to use instead of the bundled one, for hosts that compile on their own. */
  module?: WebAssembly.Module;
}

/** One build of the kernels over one memory. Make it with `createEngine`; dispose of its models before it. */
export class Engine {
  readonly build: Build;
  readonly threads = 1;
  readonly memory: Memory;
  readonly kernels: Kernels;
  #arena: Arena = new Arena(0, 0);
  #arenaInUse = false;
  #disposed = false;

  constructor(module: WebAssembly.Module, build: Build, maxBytes: number = MAX_BYTES) {
    this.build = build;
    this.memory = new Memory(maxBytes);
    this.kernels = instantiateSync(module, { env: { memory: this.memory.wasm } }).instance
      .exports as unknown as Kernels;
  }

  /** The working memory of the next step, with room for `bytes`; grows the block when it is too small. One at a time. */
  takeArena(bytes: number): Arena {
    if (this.#disposed) throw new StateError("this engine was disposed of");
    if (this.#arenaInUse) throw new StateError("a step is already under way in this engine: release its tape first");
    if (this.#arena.capacity < bytes) {
      this.#freeArena();
      this.#arena = new Arena(this.memory.alloc(bytes, `a step (${formatBytes(bytes)} of working memory)`), bytes);
    }
    this.#arenaInUse = true;
    return this.#arena;
  }

  returnArena(): void {
    this.#arena.reset();
    this.#arenaInUse = false;
  }

  #freeArena(): void {
    if (this.#arena.capacity > 0) this.memory.free(this.#arena.base as Ptr);
    this.#arena = new Arena(0, 0);
  }

  /** Frees the working memory. Models free their own weights; the memory itself goes with the last reference. */
  dispose(): void {
    if (this.#disposed) return;
    this.#freeArena();
    this.#disposed = true;
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Compiles the kernels and makes an engine. The loaders call this when no engine is given.
 *
 * @example
 * using engine = await createEngine({ build: "baseline" });
 */
export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  const { build = "auto", threads = 1, maxBytes, module } = options;
  if (!Number.isInteger(threads) || threads < 1) {
    throw new UnsupportedError(`createEngine: threads is ${threads}, expected a whole number of at least 1`);
  }
  if (build === "relaxed" && !relaxedSupported()) {
    throw new UnsupportedError(
      `createEngine: build "relaxed" was asked for, but this JavaScript engine has no relaxed SIMD; use "baseline" or "auto"`,
    );
  }
  const chosen = build === "auto" ? (relaxedSupported() ? "relaxed" : "baseline") : build;
  return new Engine(module ?? (await compileBuild(chosen)), chosen, maxBytes);
}
