import type { Arena } from "./arena.ts";
import type { Kernels } from "./generated/kernels.ts";
import type { Memory } from "./memory.ts";

/** What an engine of several memories has in place of one: see src/wasm/memories.ts. */
export interface Several {
  readonly memory: Memory;
  /** Kernels that run in the memory of their arguments, given those of each memory. */
  joined(kernels: readonly Kernels[]): Kernels;
  /** Working memory of `bytes` in each memory, named in errors; null for a plan, which takes none. */
  arena(bytes: number | null, what?: string): Arena;
}
