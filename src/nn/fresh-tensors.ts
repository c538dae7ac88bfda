/** Tensors of a model that has no checkpoint: random, or shapes without memory. */
import { Philox } from "../core/philox.ts";
import type { Shape } from "../core/shape.ts";
import { type Frozen, Param } from "../tensor/tensor.ts";
import type { Engine } from "../wasm/engine.ts";
import type { Ptr } from "../wasm/memory.ts";
import type { Init, Tensors } from "./weights.ts";

export interface RandomOptions {
  readonly seed: number;
  /** Standard deviation of matrices. */
  readonly std: number;
  /** Repeats a block of random numbers instead of drawing each: for timing, where the values do not matter. */
  readonly fast?: boolean;
}

const BLOCK = 4096;

/**
 * Random f32 tensors, to train from nothing: matrices N(0, std²), norms one, biases zero. The tensor's number in order of
 * asking is its stream, so the values depend on the seed alone.
 */
export function randomTensors(engine: Engine, { seed, std, fast = false }: RandomOptions): Tensors {
  let stream = 0;
  const get = (name: string, shape: Shape, init: Init): Param => {
    const param = new Param(engine.memory, name, shape);
    beginTensor(param.values(), init, std, new Philox(seed, stream++), fast);
    return param;
  };
  return { get, head: get };
}

/** Writes a start: N(0, std²), ones or zeros. */
export function beginTensor(values: Float32Array, init: Init, std: number, random: Philox, fast = false): void {
  if (init !== "normal") {
    values.fill(init === "ones" ? 1 : 0);
    return;
  }
  const drawn = fast ? Math.min(BLOCK, values.length) : values.length;
  for (let i = 0; i < drawn; i++) values[i] = std * random.normal();
  for (let i = drawn; i < values.length; i += drawn) values.copyWithin(i, 0, Math.min(drawn, values.length - i));
}

/** Names and shapes only: for counting parameters of a model that is not loaded. Computing with them is an error. */
export function shapesOnly(): Tensors {
  const get = (name: string, shape: Shape): Frozen => ({ kind: "frozen", name, shape, dtype: "f32", ptr: 0 as Ptr });
  return { get, head: get };
}
