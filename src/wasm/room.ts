/** Where an engine keeps what it computes with: one memory, or several (src/wasm/memories.ts). */
import { Arena } from "./arena.ts";
import type { Kernels } from "./generated/kernels.ts";
import type { Memory, Ptr } from "./memory.ts";

export interface Room {
  readonly memory: Memory;
  /** Kernels that run in the memory of their arguments, given those of each memory. */
  joined(kernels: readonly Kernels[]): Kernels;
  /** Working memory of `capacity` bytes at a base in each memory. */
  arena(bases: readonly Ptr[], capacity: number): Arena;
}

export function oneMemory(memory: Memory): Room {
  return {
    memory,
    joined: ([kernels]) => kernels!,
    arena: ([base], capacity) => new Arena(base!, capacity),
  };
}
