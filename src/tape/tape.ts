/**
 * What one step ran, in order, so that gradients can flow back through it in reverse.
 *
 * An op is recorded only if a gradient must pass through it, and keeps alive only what its backward pass needs. Memory of
 * the step comes from an arena: a Value is given back as soon as its scope has ended and no recorded op needs it any more.
 * The same code run by a planning tape computes nothing and yields the peak of the arena.
 */
import { StateError } from "../core/errors.ts";
import { type Shape, sizeOf } from "../core/shape.ts";
import type { Param } from "../tensor/tensor.ts";
import { Arena } from "../wasm/arena.ts";
import type { Engine } from "../wasm/engine.ts";
import type { Kernels } from "../wasm/generated/kernels.ts";
import type { Memory, Ptr } from "../wasm/memory.ts";

/** An activation, always f32. Lives until its scope ends or, if recorded ops need it, until the backward pass has used it. */
export interface Value {
  readonly kind: "value";
  readonly tape: Tape;
  readonly shape: Shape;
  readonly ptr: Ptr;
  /** Whether the backward pass must bring a gradient here. */
  readonly needsGrad: boolean;
}

interface Slot extends Value {
  grad: Ptr | null;
  holders: number;
  scopeEnded: boolean;
}

interface Step {
  readonly y: Slot;
  readonly kept: readonly Slot[];
  readonly inPlace: boolean;
  readonly backward: (dy: Ptr) => void;
}

export interface TapeOptions {
  /** Record ops for a backward pass. */
  recording?: boolean;
  /** Training mode: dropout is on. */
  training?: boolean;
  /** Two numbers that decide every dropout mask of the step: the run's seed and the number of the step. */
  seed?: readonly [number, number];
}

/** Kernels that do nothing, for a plan. */
function idle(kernels: Kernels): Kernels {
  const names = Object.keys(kernels);
  return Object.fromEntries(names.map((name) => [name, () => 0])) as unknown as Kernels;
}

/**
 * One pass. `Tape.once` runs one whose size is not known yet.
 *
 * @example
 * const logits = Tape.once(model.engine, {}, (tape) => tape.download(model.outputs(tape, concatenateLabelled(examples))));
 */
export class Tape {
  readonly memory: Memory;
  readonly kernels: Kernels;
  readonly planning: boolean;
  readonly recording: boolean;
  readonly training: boolean;
  readonly seed: readonly [number, number];
  /** Floating-point operations of the products run or planned so far: two for each multiply-add that the model needs. */
  flops = 0;
  /** Where the rows of each sequence begin in the activations under way; null where they belong to none. */
  starts: Int32Array | null = null;
  readonly #arena: Arena;
  #steps: Step[] = [];
  #scopes: Slot[][] = [];
  #streams = 0;
  #released = false;

  private constructor(engine: Engine, arena: Arena, planning: boolean, options: TapeOptions) {
    this.#arena = arena;
    this.planning = planning;
    this.memory = engine.memory;
    // Sizes of workspaces are asked of the real kernels even in a plan.
    this.kernels = planning ? { ...idle(engine.kernels), ...sizes(engine.kernels) } : engine.kernels;
    this.recording = options.recording ?? false;
    this.training = options.training ?? false;
    this.seed = options.seed ?? [0, 0];
  }

  /** Runs `step` without computing and returns the bytes of working memory that it needs. */
  static plan(engine: Engine, options: TapeOptions, step: (tape: Tape) => void): number {
    const arena = new Arena(0, Number.POSITIVE_INFINITY);
    step(new Tape(engine, arena, true, options));
    return arena.peakBytes;
  }

  /** Runs `step` in `bytes` of working memory, which are given back afterwards whatever happens. */
  static run<T>(engine: Engine, bytes: number, options: TapeOptions, step: (tape: Tape) => T): T {
    const tape = new Tape(engine, engine.takeArena(bytes), false, options);
    try {
      return step(tape);
    } finally {
      tape.#released = true;
      engine.returnArena();
    }
  }

  /** Plans, then runs: for one-off passes whose size is not known yet. */
  static once<T>(engine: Engine, options: TapeOptions, step: (tape: Tape) => T): T {
    const bytes = Tape.plan(engine, options, step);
    return Tape.run(engine, bytes, options, step);
  }

  // ---- making values

  /** A new Value with undefined contents. It needs a gradient if any of `from` does and the tape is recording. */
  value(shape: Shape, from: readonly (Value | Param | null)[] = []): Value {
    const needsGrad =
      this.recording && from.some((x) => x !== null && (x.kind === "value" ? x.needsGrad : x.trainable));
    const slot: Slot = {
      kind: "value",
      tape: this,
      shape,
      ptr: this.alloc(sizeOf(shape) * 4),
      needsGrad,
      grad: null,
      holders: 0,
      scopeEnded: false,
    };
    this.#scopes.at(-1)?.push(slot);
    return slot;
  }

  /** Raw working memory, contents undefined. Freed by `free`, or at the end of the step. */
  alloc(byteLength: number): Ptr {
    if (this.#released) throw new StateError("this tape was released: its step is over");
    return this.#arena.alloc(byteLength);
  }
  free(ptr: Ptr): void {
    this.#arena.free(ptr);
  }

  /** Copies numbers from the host into the step's memory. */
  upload(data: Int32Array | Float32Array): Ptr {
    const ptr = this.alloc(data.byteLength);
    if (!this.planning) {
      if (data instanceof Int32Array) this.memory.i32(ptr, data.length).set(data);
      else this.memory.f32(ptr, data.length).set(data);
    }
    return ptr;
  }

  /** A copy of a Value's numbers on the host. Zeros in a plan. */
  download(x: Value): Float32Array {
    const size = sizeOf(x.shape);
    return this.planning ? new Float32Array(size) : this.memory.f32(x.ptr, size).slice();
  }

  /** Sets `size` f32 numbers to `value`. */
  fill(ptr: Ptr, size: number, value: number): void {
    if (!this.planning) this.memory.f32(ptr, size).fill(value);
  }

  /** Copies `byteLength` bytes inside the memory. */
  copy(to: Ptr, from: Ptr, byteLength: number): void {
    if (!this.planning) new Uint8Array(this.memory.wasm.buffer).copyWithin(to, from, from + byteLength);
  }

  /** A number for each random op of the step, the same when the step is run again. */
  nextStream(): number {
    return this.#streams++;
  }

  // ---- scopes

  /**
   * Runs `body` and gives back every Value made in it that is neither its result nor needed by the backward pass. A
   * model wraps each of its blocks in one.
   */
  scope(body: () => Value): Value {
    const made: Slot[] = [];
    this.#scopes.push(made);
    const result = body() as Slot;
    this.#scopes.pop();
    for (const slot of made) if (slot !== result) this.#endScope(slot);
    if (made.includes(result)) this.#scopes.at(-1)?.push(result);
    return result;
  }

  #endScope(slot: Slot): void {
    slot.scopeEnded = true;
    if (slot.holders === 0) this.#arena.free(slot.ptr);
  }

  // ---- recording

  /**
   * Remembers how the gradient passes through the op that made `y`. `kept` are the Values that `backward` reads. Does
   * nothing when `y` needs no gradient.
   */
  record(y: Value, kept: readonly Value[], backward: (dy: Ptr) => void): void {
    this.#record(y as Slot, kept as readonly Slot[], false, backward);
  }

  /** The same for an op that changed `x` where it lay: `backward` turns the gradient of the result into that of the input, in place. */
  recordInPlace(x: Value, kept: readonly Value[], backward: (dx: Ptr) => void): void {
    this.#record(x as Slot, kept as readonly Slot[], true, backward);
  }

  #record(y: Slot, kept: readonly Slot[], inPlace: boolean, backward: (dy: Ptr) => void): void {
    if (!y.needsGrad) return;
    for (const slot of kept) slot.holders++;
    this.#steps.push({ y, kept, inPlace, backward });
  }

  /** The gradient of `x`, zero when nothing has been added to it yet. For kernels that add. */
  gradient(x: Value): Ptr {
    const { ptr, fresh } = this.gradientSlot(x);
    if (fresh) this.fill(ptr, sizeOf(x.shape), 0);
    return ptr;
  }

  /** The gradient of `x`; `fresh` says that its contents are undefined and must be overwritten rather than added to. */
  gradientSlot(x: Value): { ptr: Ptr; fresh: boolean } {
    const slot = x as Slot;
    if (slot.grad !== null) return { ptr: slot.grad, fresh: false };
    slot.grad = this.alloc(sizeOf(x.shape) * 4);
    return { ptr: slot.grad, fresh: true };
  }

  /** Adds `dy` (same shape as x) to the gradient of `x`. */
  addGradient(x: Value, dy: Ptr): void {
    const { ptr, fresh } = this.gradientSlot(x);
    const size = sizeOf(x.shape);
    if (fresh) this.copy(ptr, dy, size * 4);
    else this.kernels.add_f32(ptr, ptr, dy, 0, size);
  }

  /**
   * Runs the recorded ops in reverse. `loss` is the Value to start from, `seed` its gradient (a scalar for every element).
   * Gradients of Params are added to; afterwards the tape is empty.
   */
  backward(loss: Value, seed: number): void {
    if (!this.recording) throw new StateError("backward: this tape does not record; make it with recording: true");
    const { ptr } = this.gradientSlot(loss);
    this.fill(ptr, sizeOf(loss.shape), seed);
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) this.#backThrough(step);
  }

  #backThrough({ y, kept, inPlace, backward }: Step): void {
    if (y.grad !== null) {
      backward(y.grad);
      if (!inPlace) this.#freeGradient(y);
    }
    for (const slot of kept) {
      // Some kernels compute the gradients of all operands at once, needed or not.
      if (!slot.needsGrad) this.#freeGradient(slot);
      slot.holders--;
      if (slot.holders === 0 && slot.scopeEnded) this.#arena.free(slot.ptr);
    }
  }

  #freeGradient(slot: Slot): void {
    if (slot.grad !== null) this.#arena.free(slot.grad);
    slot.grad = null;
  }
}

/** The kernels that only state a size. */
function sizes(kernels: Kernels): Partial<Kernels> {
  return Object.fromEntries(Object.entries(kernels).filter(([name]) => name.endsWith("_workspace")));
}
