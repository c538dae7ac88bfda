/** What the tests of optimizers share: test/golden/optim, and parameters of an engine. */
import { readFileSync } from "node:fs";
import type { Shape } from "../../src/core/shape.ts";
import { Param } from "../../src/tensor/tensor.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { GOLDEN } from "../golden-files.ts";

export const engine = await createEngine({ build: "baseline" });
export const read = <T>(name: string) => JSON.parse(readFileSync(`${GOLDEN}/optim/${name}.json`, "utf8")) as T;

export function param(name: string, shape: Shape, values: ArrayLike<number> | null = null): Param {
  const made = new Param(engine.memory, name, shape);
  if (values !== null) made.values().set(values);
  made.setTrainable(true);
  return made;
}

export const params = (shapes: Readonly<Record<string, Shape>>, values: Readonly<Record<string, number[]>>) =>
  new Map(Object.entries(shapes).map(([name, shape]) => [name, param(name, shape, values[name]!)]));

/** What make_optimizer_goldens.py calls `sequence`. */
export function sequence(seed: number, length: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const part = 0.25 + (0.75 * ((state >>> 16) & 0x7fff)) / 2 ** 15;
    return (state >>> 31 ? -part : part) * 8 ** -(i % 3);
  });
}
