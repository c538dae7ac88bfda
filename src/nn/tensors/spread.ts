/** Spreads a model over the memories of an engine: which tensor goes where. */
import { HandingTape } from "../../tape/handing-tape.ts";
import { createEngine, type Engine, MOST_MEMORIES } from "../../wasm/engine.ts";
import { addressIn } from "../../wasm/memories.ts";
import { MAX_BYTES } from "../../wasm/memory.ts";
import { type Near, type Tensors, Weights } from "../layers/weights.ts";

/** Makes the tensors of a model in an engine. */
export type Place = (engine: Engine, near?: Near) => Tensors;
/** Builds the model of them. */
export type BuildModel = (weights: Weights, engine: Engine) => unknown;

/**
 * Blocks stay whole and in the order of the model, so that activations change memories as rarely as can be, and the largest share
 * is as small as this allows: each memory has about the same room for working memory.
 */
export async function spread(engine: Engine, place: Place, build: BuildModel): Promise<Near> {
  const sizes = await sizesOf(place, build);
  const taken = engine.memory.each.map(({ usedBytes }) => usedBytes);
  const { memories } = assigned(sizes, taken);
  engine.tapes = HandingTape;
  return (name) => addressIn(memories.get(name) ?? memories.get(wholeOf(name)) ?? taken.length - 1);
}

/** How much of a memory weights may take at most: the rest is for adapters, optimizers and working memory. */
const SHARE = 0.75 * MAX_BYTES;

/** The number of memories for a model: as few as leave room in each. */
export async function memoriesFor(place: Place, build: BuildModel): Promise<number> {
  const sizes = await sizesOf(place, build);
  const most = Math.max(SHARE, ...sizes.values());
  let count = 1;
  while (count < MOST_MEMORIES && assigned(sizes, Array<number>(count).fill(0)).most > most) count++;
  return count;
}

/** The part of a model that stays together: its block, or its layer where it is in none. */
function wholeOf(name: string): string {
  return name.match(/^.*?\.\d+(?=\.|$)/)?.[0] ?? name.replace(/\.[^.]+$/, "");
}

/** Bytes of each whole, in order, by a dry run. */
async function sizesOf(place: Place, build: BuildModel): Promise<Map<string, number>> {
  const engine = await createEngine({ measuring: true });
  const tensors = place(engine);
  const sizes = new Map<string, number>();
  const counted = <T extends (name: string, ...rest: never[]) => unknown>(make: T) =>
    ((name: string, ...rest: never[]) => {
      const before = engine.memory.usedBytes;
      const tensor = make(name, ...rest);
      const whole = wholeOf(name);
      sizes.set(whole, (sizes.get(whole) ?? 0) + engine.memory.usedBytes - before);
      return tensor;
    }) as unknown as T;
  const get: Tensors["get"] = (name, ...rest) => tensors.get(name, ...rest);
  const head: Tensors["head"] = (name, ...rest) => tensors.head(name, ...rest);
  build(new Weights({ get: counted(get), head: counted(head) }), engine);
  return sizes;
}

/** The memory of each whole, given what is in each memory already, and the most that is then in one. */
function assigned(
  sizes: ReadonlyMap<string, number>,
  taken: readonly number[],
): { memories: Map<string, number>; most: number } {
  let [low, high] = [0, [...sizes.values(), ...taken].reduce((sum, bytes) => sum + bytes, 0)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (filled(sizes, taken, middle) === null) low = middle;
    else high = middle;
  }
  return { memories: filled(sizes, taken, high)!, most: high };
}

/** The same with at most `most` bytes in each, null if they do not fit. */
function filled(
  sizes: ReadonlyMap<string, number>,
  taken: readonly number[],
  most: number,
): Map<string, number> | null {
  const found = new Map<string, number>();
  let [memory, bytes] = [0, taken[0]!];
  for (const [whole, size] of sizes) {
    while (bytes + size > most) {
      memory++;
      if (memory === taken.length) return null;
      bytes = taken[memory]!;
    }
    bytes += size;
    found.set(whole, memory);
  }
  return found;
}
