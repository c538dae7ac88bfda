/** Tensors of a model that has no checkpoint: random, or shapes without memory. */
import { Philox } from "../core/philox.ts";
import type { Shape } from "../core/shape.ts";
import { type Frozen, Param } from "../tensor/tensor.ts";
import type { Engine } from "../wasm/engine.ts";
import type { Ptr } from "../wasm/memory.ts";
import type { Init, Tensors } from "./weights.ts";

/**
 * Random f32 tensors, to train from nothing: matrices N(0, std²), norms one, biases zero. The tensor's number in order of
 * asking is its stream, so the values depend on the seed alone.
 */
export function randomTensors(engine: Engine, seed: number, std: number): Tensors {
  let stream = 0;
  return {
    get(name: string, shape: Shape, init: Init): Param {
      const param = new Param(engine.memory, name, shape);
      const random = new Philox(seed, stream++);
      const values = param.values();
      if (init === "normal") for (let i = 0; i < values.length; i++) values[i] = std * random.normal();
      else values.fill(init === "ones" ? 1 : 0);
      return param;
    },
  };
}

/** Names and shapes only: for counting parameters of a model that is not loaded. Computing with them is an error. */
export function shapesOnly(): Tensors {
  return {
    get: (name, shape): Frozen => ({ kind: "frozen", name, shape, dtype: "f32", ptr: 0 as Ptr }),
  };
}
