/** Tensors of a model without a checkpoint: random, or shapes without memory. */
import { Philox } from "../../core/random/philox.ts";
import { type Shape, sizeOf } from "../../core/shape.ts";
import { allocateFrozen, frozenWriter, withoutMemory } from "../../tensor/frozen.ts";
import { type DenseDtype, type Frozen, Param, type Weight } from "../../tensor/tensor.ts";
import type { Engine } from "../../wasm/engine.ts";
import type { Init, Near, Role, Tensors } from "../layers/weights.ts";
import { type KeptWeights, keptDtype } from "./kept-dtype.ts";

/** How random weights are made. */
export interface RandomOptions {
  readonly seed: number;
  /** Standard deviation of matrices. */
  readonly std: number;
  /** Repeats a block of random numbers instead of drawing each one: for timing, when the values do not matter. */
  readonly fast?: boolean;
  /** Frozen in this dtype; if omitted, every tensor is trainable, in f32. */
  readonly weights?: KeptWeights | null;
  /** The dtype that `weights` calls "stored", f32 by default. */
  readonly stored?: DenseDtype;
  readonly near?: Near | undefined;
}

/** A prime, so that the rows of a matrix differ. */
const BLOCK = 1021;

/**
 * Random f32 tensors, for training from scratch: matrices N(0, std²), norms one, biases zero. A tensor's number in
 * request order is its random stream, so the values depend only on the seed. They are written by `begin`, once all have been
 * requested: a model that is too large for the engine is refused before.
 */
export function randomTensors(engine: Engine, options: RandomOptions): Tensors & { begin(): void; dispose(): void } {
  const { seed, std, fast = false, weights = null, stored = "f32", near } = options;
  const made: Weight[] = [];
  const starts: (() => void)[] = [];
  const get = (name: string, shape: Shape, init: Init, role: Role = "other"): Weight => {
    if (weights !== null) {
      const tensor = allocateFrozen(
        engine.memory,
        name,
        shape,
        keptDtype(weights, role, shape, stored),
        role === "in-out",
        undefined,
        near?.(name),
      );
      made.push(tensor);
      const stream = starts.length;
      starts.push(() => beginFrozen(engine, tensor, init, std, () => new Philox(seed, stream), fast));
      return tensor;
    }
    const param = new Param(engine.memory, name, shape, near?.(name));
    made.push(param);
    const stream = starts.length;
    starts.push(() => beginTensor(param.values(), init, std, new Philox(seed, stream), fast));
    return param;
  };
  const begin = () => {
    if (!engine.memory.measuring) for (const start of starts) start();
  };
  return { get, head: get, begin, dispose: () => made.forEach((weight) => void weight.dispose()) };
}

/** Floats made at a time: 4 MB. */
const PIECE = 1 << 20;

/**
 * Writes initial values piece by piece, so that no tensor is ever complete in f32; each pass draws the same numbers.
 */
function beginFrozen(
  engine: Engine,
  tensor: Frozen,
  init: Init,
  std: number,
  begin: () => Philox,
  fast: boolean,
): void {
  const writer = frozenWriter(engine, tensor);
  const size = sizeOf(tensor.shape);
  const row = tensor.shape.at(-1)!;
  const piece = Math.max(row, PIECE - (PIECE % row));
  for (let pass = 0; pass < writer.passes; pass++) {
    const random = begin();
    for (let start = 0; start < size; start += piece) {
      const values = new Float32Array(Math.min(piece, size - start));
      beginTensor(values, init, std, random, fast);
      writer.write(values, start, pass);
    }
  }
  writer.finish();
}

/** Writes initial values: N(0, std²), ones or zeros. */
export function beginTensor(values: Float32Array, init: Init, std: number, random: Philox, fast = false): void {
  if (init !== "normal") {
    values.fill(init === "ones" ? 1 : 0);
    return;
  }
  const drawn = fast ? Math.min(BLOCK, values.length) : values.length;
  for (let i = 0; i < drawn; i++) values[i] = std * random.normal();
  for (let i = drawn; i < values.length; i += drawn) values.copyWithin(i, 0, Math.min(drawn, values.length - i));
}

/** Names and shapes only: for counting parameters of an unloaded model. Computing with them is an error. */
export function shapesOnly(): Tensors {
  return { get: (name, shape) => withoutMemory(name, shape), head: (name, shape) => withoutMemory(name, shape) };
}
