/**
 * Several memories as one. A WebAssembly memory ends at 4 GiB; an address here is the number of a memory, from 1, times 2^40,
 * plus the address in it. Kernels take 32-bit addresses, and JavaScript passes a number to one modulo 2^32: so a kernel of the
 * right memory takes such addresses as they are. Which one is right, its arguments say: sizes are smaller than any address.
 *
 * A call whose addresses are in two memories is refused: nothing is computed with an address of the wrong one.
 */
import { StateError } from "../core/errors.ts";
import { Arena } from "./arena.ts";
import type { Kernels } from "./generated/kernels.ts";
import { Memory, type Ptr, type ViewClass } from "./memory.ts";
import type { Several } from "./several.ts";

/** More than a plan, which knows no limit, assigns to a memory. */
const SPACE = 2 ** 40;

/** The index of the memory that an address is in. */
export function memoryOf(ptr: number): number {
  return Math.floor(ptr / SPACE) - 1;
}

/** The start of memory `index`, which is near everything in it. */
export function addressIn(index: number): Ptr {
  return ((index + 1) * SPACE) as Ptr;
}

/** Several memories. What is allocated near nothing is in the last. */
export class Memories extends Memory {
  override readonly measuring: boolean;
  override readonly each: readonly Memory[];

  constructor(each: readonly Memory[]) {
    super(0);
    this.each = each;
    this.measuring = each[0]!.measuring;
  }

  override get usedBytes(): number {
    return this.#sum(({ usedBytes }) => usedBytes);
  }
  override get peakBytes(): number {
    return this.#sum(({ peakBytes }) => peakBytes);
  }
  override get byteLength(): number {
    return this.#sum(({ byteLength }) => byteLength);
  }
  #sum(of: (memory: Memory) => number): number {
    return this.each.reduce((sum, memory) => sum + of(memory), 0);
  }

  override alloc(byteLength: number, what: string, near: Ptr = 0 as Ptr): Ptr {
    const index = near > 0 ? memoryOf(near) : this.each.length - 1;
    return (addressIn(index) + this.each[index]!.alloc(byteLength, what)) as Ptr;
  }
  override free(ptr: Ptr): void {
    this.#at(ptr).free((ptr % SPACE) as Ptr);
  }
  /** All of `byteLength`, if each memory can grow to its part of `parts`; else the sum of how far they can. */
  override offer(byteLength: number, parts: readonly number[] = []): number {
    return parts.reduce((sum, part, i) => sum + Math.min(part, this.each[i]!.offer(part)), 0) || byteLength;
  }
  override close(): void {
    for (const memory of this.each) memory.close();
  }
  override indexOf(ptr: Ptr): number {
    return memoryOf(ptr);
  }
  override copy(to: Ptr, from: Ptr, byteLength: number): void {
    this.u8(to, byteLength).set(this.u8(from, byteLength));
  }

  #at(ptr: Ptr): Memory {
    const memory = this.each[memoryOf(ptr)];
    if (memory === undefined) throw new StateError(`${ptr} is an address in none of the engine's memories`);
    return memory;
  }
  protected override view<A>(Kind: ViewClass<A>, ptr: Ptr, length: number): A {
    const { buffer } = this.#at(ptr).wasm;
    return this.measuring ? new Kind(buffer, 0, 0) : new Kind(buffer, ptr % SPACE, length);
  }
}

/** The working memory of a step, in each memory: what is allocated is in the current one. */
export class Arenas extends Arena {
  override readonly bases: readonly Ptr[];
  /** The index of the memory in which the step computes now. */
  current: number;
  readonly #each: readonly Arena[];

  /** `bases` are the addresses of blocks of `capacity` bytes. */
  constructor(bases: readonly Ptr[], capacity: number) {
    super(0, capacity);
    this.bases = bases;
    this.#each = bases.map((base) => new Arena(base, capacity));
    this.current = bases.length - 1;
  }

  /** The largest extent of any: as much as each of them needs. */
  override get peakBytes(): number {
    return Math.max(...this.#each.map(({ peakBytes }) => peakBytes));
  }
  override get usedBytes(): number {
    return this.#each.reduce((sum, { usedBytes }) => sum + usedBytes, 0);
  }
  override get takenBytes(): number {
    return this.#each.reduce((sum, { takenBytes }) => sum + takenBytes, 0);
  }
  override alloc(byteLength: number): Ptr {
    return this.#each[this.current]!.alloc(byteLength);
  }
  override free(ptr: Ptr): void {
    this.#each[memoryOf(ptr)]!.free(ptr);
  }
  override reset(): void {
    for (const arena of this.#each) arena.reset();
    this.current = this.#each.length - 1;
  }
}

type Kernel = (...args: number[]) => number | undefined;

/** Runs each call in the memory of its addresses; a kernel without one, which only returns a size, in any. */
function inTheirMemory(name: string, each: readonly Kernel[]): Kernel {
  return (...args) => {
    let found = 0;
    for (const arg of args) {
      if (arg < SPACE) continue;
      const index = memoryOf(arg);
      if (found > 0 && index !== found - 1)
        throw new StateError(
          `kernel ${name}: its arguments are in two memories of the engine; use one memory for this, or report it`,
        );
      found = index + 1;
    }
    return each[Math.max(0, found - 1)]!(...args);
  };
}

/** The same kernels for all memories, given those of each. */
function joined(kernels: readonly Kernels[]): Kernels {
  const names = Object.keys(kernels[0]!) as (keyof Kernels)[];
  const all = names.map((name) => {
    const each = kernels.map((of) => of[name] as Kernel);
    return [name, typeof each[0] === "function" ? inTheirMemory(name, each) : each[0]];
  });
  return Object.fromEntries(all) as Kernels;
}

function planned(count: number): Arenas {
  const bases = Array.from({ length: count }, (_, index) => addressIn(index));
  return new Arenas(bases, Number.POSITIVE_INFINITY);
}

function placed(memory: Memories, bytes: number, what: string): Arenas {
  const bases: Ptr[] = [];
  try {
    for (const index of memory.each.keys()) bases.push(memory.alloc(bytes, what, addressIn(index)));
    return new Arenas(bases, bytes);
  } catch (error) {
    for (const base of bases) memory.free(base);
    throw error;
  }
}

/** `count` memories for an engine. */
export function over(count: number, make: () => Memory): Several {
  const memory = new Memories(Array.from({ length: count }, make));
  return {
    memory,
    joined,
    arena: (bytes, what = "a step") => (bytes === null ? planned(count) : placed(memory, bytes, what)),
  };
}
