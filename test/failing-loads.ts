/** Loads that fail at any of their steps: what tests of methods and models share. */
import { expect } from "vitest";
import { mapSource } from "../src/checkpoint/source.ts";
import type { Source } from "../src/core/host.ts";
import type { Engine } from "../src/wasm/engine.ts";

/** The most places to fail at, spread over all. */
const MOST = 12;

class Planned extends Error {}

/** Counts steps, and fails at one of them. */
class Steps {
  taken = 0;
  readonly #failing: number;
  constructor(failing: number) {
    this.#failing = failing;
  }
  step(): void {
    if (this.taken++ === this.#failing) throw new Planned("as planned");
  }
}

/** The files, each access of which is a step. */
function counted(files: ReadonlyMap<string, Uint8Array>, steps: Steps): Source {
  const source = mapSource(files);
  const counting = async <T>(access: () => Promise<T>): Promise<T> => {
    steps.step();
    return access();
  };
  return {
    ...source,
    has: (file) => counting(() => source.has(file)),
    size: (file) => counting(() => source.size(file)),
    read: (file, start, end) => counting(() => source.read(file, start, end)),
  };
}

type Load = (source: Source) => Promise<{ dispose(): void }>;

/**
 * Fails the load at its reads and at its allocations, one after the other, and expects that the engine then has as much
 * memory in use as before.
 */
export async function expectNothingKept(
  engine: Engine,
  files: ReadonlyMap<string, Uint8Array>,
  load: Load,
): Promise<void> {
  const { memory } = engine;
  const used = () => memory.usedBytes - engine.arenaBytes;
  const before = used();
  for (const kind of ["read", "allocation"] as const) {
    const run = async (failing: number) => {
      const steps = new Steps(failing);
      const alloc = memory.alloc.bind(memory);
      if (kind === "allocation")
        memory.alloc = (...args) => {
          steps.step();
          return alloc(...args);
        };
      try {
        const loaded = await load(counted(files, kind === "read" ? steps : new Steps(-1)));
        expect(failing, `${kind} ${failing} of ${steps.taken} failed without an error`).toBe(-1);
        loaded.dispose();
      } catch (error) {
        if (!(error instanceof Planned)) throw error;
      } finally {
        memory.alloc = alloc;
      }
      expect(used(), `after ${kind} ${failing} of ${steps.taken} failed`).toBe(before);
      return steps.taken;
    };
    const all = await run(-1);
    expect(all).toBeGreaterThan(0);
    const places = Array.from({ length: Math.min(all, MOST) }, (_, i) => Math.floor((i * all) / Math.min(all, MOST)));
    for (const place of places) await run(place);
  }
}
