/** What the tests of ops share: leaves on a tape, and a comparison of an op's gradients with differences of its values. */
import { expect, vi } from "vitest";
import { f32ToBf16, f32ToF16 } from "../../src/core/half.ts";
import { type Shape, sizeOf } from "../../src/core/shape.ts";
import { Tape, type TapeOptions, type Value } from "../../src/tape/tape.ts";
import { bytesPerElement, type DenseDtype, type Frozen, Param } from "../../src/tensor/tensor.ts";
import { Arena } from "../../src/wasm/arena.ts";
import { createEngine, type Engine } from "../../src/wasm/engine.ts";
import { aligned, type Ptr } from "../../src/wasm/memory.ts";
import { engineBuilds } from "../kernels/bed.ts";
import { numbers } from "../reference/finite-differences.ts";

/** The builds that this engine can run. */
export const builds = engineBuilds;

/** An engine with tensors of its own, the same numbers on every run. */
export class Gym {
  readonly engine: Engine;
  #seed = 0;

  constructor(engine: Engine) {
    this.engine = engine;
  }
  static async open(build: "baseline" | "relaxed"): Promise<Gym> {
    return new Gym(await createEngine({ build }));
  }

  param(name: string, shape: Shape, trainable = true): Param {
    const param = new Param(this.engine.memory, name, shape);
    param.values().set(numbers(param.size, ++this.#seed));
    param.setTrainable(trainable);
    return param;
  }

  frozen(name: string, shape: Shape, dtype: DenseDtype = "f32"): Frozen {
    const { memory } = this.engine;
    const values = Float32Array.from(numbers(sizeOf(shape), ++this.#seed));
    const ptr = memory.alloc(values.length * bytesPerElement[dtype], name);
    if (dtype === "f32") memory.f32(ptr, values.length).set(values);
    else (dtype === "f16" ? f32ToF16 : f32ToBf16)(values, memory.u16(ptr, values.length));
    return { kind: "frozen", name, shape, dtype, ptr, dispose: () => {} };
  }
  [Symbol.dispose](): void {
    this.engine.dispose();
  }
}

/** The leaves that were made on a tape, and the Param of each. */
const leaves = new WeakMap<Tape, { x: Value; param: Param }[]>();

/** A Value with the numbers of a Param, to which its gradient flows back. */
export function leaf(tape: Tape, param: Param): Value {
  const x = tape.value(param.shape, [param]);
  tape.copy(x.ptr, param.ptr, param.size * 4);
  tape.record(x, [], (dx) => tape.kernels.axpy_f32(param.grad, dx, 1, 0, param.size));
  leaves.set(tape, [...(leaves.get(tape) ?? []), { x, param }]);
  return x;
}

/**
 * Stands for the loss Σ w·y with `weights` w that are constants, so that no two elements of y count alike. Before, `earlier` is
 * added to the gradients of the tape's leaves, as if an op after y had used them too.
 */
function weighed(y: Value, weights: Float32Array, earlier: number): Value {
  const { tape } = y;
  const loss = tape.value([1], [y]);
  const bring = (x: Value, dx: Float32Array) => {
    const ptr = tape.alloc(dx.byteLength);
    if (!tape.planning) tape.memory.f32(ptr, dx.length).set(dx);
    tape.addGradient(x, ptr);
    tape.free(ptr);
  };
  tape.record(loss, [], () => {
    const used = earlier === 0 ? [] : (leaves.get(tape) ?? []);
    for (const { x } of used) if (x.needsGrad) bring(x, new Float32Array(sizeOf(x.shape)).fill(earlier));
    bring(y, weights);
  });
  return loss;
}

export interface GradientOptions {
  /** Of the tape: training mode for dropout. */
  training?: boolean;
  /** Distance of the differences. */
  h?: number;
}

/** What the leaves' gradients have in them when an op adds to them. */
const EARLIER = 0.375;

/**
 * The contract of every op. Fails unless the gradient that `op` brings to each of `params` is that of Σ w·op(), with a w of its
 * own for each element of the result, by differences of fourth order:
 * (8·(f(h) − f(−h)) − (f(2h) − f(−2h))) / 12h. Their error is about h⁴/30 of the fifth derivative, 2e-9 here, and that
 * of the rounding of values, about 2⁻²⁴·√size/h, below 1e-4 for the sizes of these tests. Fails too unless
 *
 *   - a second backward pass adds the same again, and so does an op whose inputs already have a gradient;
 *   - the others get the same gradient when one of `params` is frozen;
 *   - gradients have the same bits with checkpointing;
 *   - the plan was exact, and all of the step but its result and uploads is given back.
 */
export function expectGradients(
  engine: Engine,
  params: readonly Param[],
  op: (tape: Tape) => Value,
  { training = false, h = 2 ** -6 }: GradientOptions = {},
): void {
  const values = () => Tape.once(engine, { training }, (tape) => tape.download(op(tape)));
  const weights = Float32Array.from(numbers(values().length, 99));
  const loss = () => values().reduce((sum, y, i) => sum + y * weights[i]!, 0);
  const backward = ({ checkpointing = false, earlier = 0 } = {}) => {
    const uses = new Map<Param, number>();
    const options = { recording: true, training, checkpointing };
    const { planned, peak, left, uploaded } = measure(engine, options, (tape) => {
      const y = () => {
        const result = checkpointing ? tape.block("op", tape.value([1]), () => op(tape)) : op(tape);
        expect(result.needsGrad, "whether the result needs a gradient").toBe(true);
        return weighed(result, weights, earlier);
      };
      tape.backward(tape.scope(y), 1);
      uses.clear();
      for (const { param } of leaves.get(tape) ?? []) uses.set(param, (uses.get(param) ?? 0) + 1);
    });
    expect(peak, "bytes of the run against its plan").toBe(planned);
    expect(left - uploaded, "bytes left: the loss alone").toBe(blockBytes(4));
    return uses;
  };
  const fresh = (how?: { checkpointing?: boolean; earlier?: number }) => {
    for (const param of params) if (param.trainable) param.gradient().fill(0);
    return backward(how);
  };
  fresh();
  const once = new Map(params.map((param) => [param, param.gradient().slice()]));
  for (const [param, found] of once) expectSlopes(param, found, (i) => slope(loss, param, i, h));
  backward();
  for (const [param, found] of once) expectSlopes(param, param.gradient(), (i) => 2 * found[i]!);
  const uses = fresh({ earlier: EARLIER });
  for (const [param, found] of once)
    expectSlopes(param, param.gradient(), (i) => found[i]! + EARLIER * (uses.get(param) ?? 0));
  fresh({ checkpointing: true });
  for (const [param, found] of once) expect(param.gradient(), `${param.name} with checkpointing`).toEqual(found);
  for (const frozen of params.length > 1 ? params : []) {
    frozen.setTrainable(false);
    fresh();
    for (const [param, found] of once) if (param !== frozen) expectSlopes(param, param.gradient(), (i) => found[i]!);
    frozen.setTrainable(true);
  }
}

function expectSlopes(param: Param, found: Float32Array, want: (i: number) => number): void {
  const slopes = Array.from(found, (_, i) => want(i));
  const scale = Math.max(1, ...slopes.map(Math.abs));
  slopes.forEach((slope, i) => {
    if (Math.abs(found[i]! - slope) <= 1e-4 * scale) return;
    expect.fail(`gradient of ${param.name}[${i}] is ${found[i]}, expected ${slope} (the largest is ${scale})`);
  });
}

function slope(loss: () => number, param: Param, i: number, h: number): number {
  const value = param.values()[i]!;
  const at = (step: number) => {
    param.values()[i] = value + step;
    return loss();
  };
  const want = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
  param.values()[i] = value;
  return want;
}

/** Bytes that an arena gives to a request. */
export function blockBytes(byteLength: number): number {
  return Math.max(64, aligned(byteLength));
}

/** What a step took: by its plan, at its peak, at its end, and in what the host uploaded. */
export interface StepMemory {
  readonly planned: number;
  readonly peak: number;
  readonly left: number;
  readonly uploaded: number;
}

/** Plans and runs `step` in an arena of just the planned size. */
export function measure(engine: Engine, options: TapeOptions, step: (tape: Tape) => void): StepMemory {
  const planned = Tape.plan(engine, options, step);
  const arena = new Arena(engine.memory.alloc(planned, "an arena of the test"), planned);
  const take = vi.spyOn(engine, "takeArena").mockReturnValue(arena);
  let left = 0;
  let uploaded = 0;
  Tape.run(engine, planned, options, (tape) => {
    const upload = vi.spyOn(tape, "upload");
    step(tape);
    left = arena.usedBytes;
    uploaded = upload.mock.calls.reduce((sum, [data]) => sum + blockBytes(data.byteLength), 0);
  });
  take.mockRestore();
  engine.memory.free(arena.base as Ptr);
  return { planned, peak: arena.peakBytes, left, uploaded };
}

/** The numbers of a Value, computed on a tape of its own. */
export const run = (gym: Gym, op: (tape: Tape) => Value, training = false): Float32Array =>
  Tape.once(gym.engine, { training }, (tape) => tape.download(op(tape)));
