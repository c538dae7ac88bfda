/**
 * Records what one step ran, in order, so that gradients can flow back through it in reverse.
 *
 * An op is recorded only if a gradient must pass through it, and keeps alive only what its backward pass needs. Memory of
 * the step comes from an arena: a Value is freed as soon as its scope has ended and no recorded op needs it.
 * With a planning tape, the same code computes nothing and yields the peak of the arena.
 *
 * Until then, a Value that only the backward pass still reads is put away where that is cheap: a norm's or an activation
 * function's result is computed again from what is kept anyway, and with activations in bf16 the rest is narrowed.
 *
 * With checkpointing, only the inputs of each block are kept, and the backward pass reruns the block before it goes
 * back through it (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"). Kernels, inputs and dropout
 * masks are the same both times, so the gradients are the same bits.
 */
import { StateError } from "../core/errors.ts";
import { bf16ToF32, f32ToBf16 } from "../core/half.ts";
import { type Shape, sizeOf } from "../core/shape.ts";
import type { Param } from "../tensor/tensor.ts";
import type { Arena } from "../wasm/arena.ts";
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

/** Numbers on the host, row by row, and their shape. */
export interface Tensor {
  readonly data: Float32Array;
  readonly shape: Shape;
}

/** A Value as the tape knows it. */
export interface Slot extends Value {
  /** Undefined while it is put away. */
  ptr: Ptr;
  /** How it can be computed again, or that its f32 bits must be kept. */
  again: Again | "exact" | null;
  /** While it is put away: its numbers in bf16, or 0 where they will be computed again. */
  away: Ptr | 0 | null;
  grad: Ptr | null;
  holders: number;
  scopeEnded: boolean;
  /** The number of Values that the tape had made before. */
  readonly order: number;
}

/** Ids in the step's memory. */
export interface Ids {
  readonly tape: Tape;
  readonly ptr: Ptr; // i32 [count]
  readonly count: number;
}

/** How a Value follows from others that are kept as long as it is. */
export interface Again {
  readonly from: readonly Slot[];
  readonly compute: (y: Ptr) => void;
}

/** Consecutive sequences of a batch, of which the tape runs one part after the other. */
export interface PartOfBatch {
  /** Rows of its sequences, and of those before them. */
  readonly rows: number;
  readonly before: number;
  readonly last: boolean;
}

/** Rows of a sum over the batch that wait for those of the next part: see src/ops/linear/outer-sum.ts. */
export interface WaitingRows {
  u: Ptr | null;
  x: Ptr | null;
  count: number;
}

interface Step {
  readonly y: Slot;
  readonly kept: readonly Slot[];
  readonly inPlace: boolean;
  readonly place: string;
  readonly backward: (dy: Ptr) => void;
}

/** A block run without recording: the earlier Values that it reads. */
interface Unrecorded {
  readonly reads: Set<Slot>;
  readonly since: number;
}

/** What a pass is for: all off by default, which suits inference. */
export interface TapeOptions {
  /** Record ops for a backward pass. */
  recording?: boolean;
  /** Training mode: dropout is on. */
  training?: boolean;
  /** Two numbers that determine every dropout mask of the step: the run's seed and the number of the step. */
  seed?: readonly [number, number];
  /**
   * Keep only the inputs of each block for the backward pass and recompute the rest there: about a third more time, far
   * less memory.
   */
  checkpointing?: boolean;
  /** The dtype of activations that only the backward pass still reads. */
  activations?: ActivationDtype;
}

/** "f32" keeps activations as they are, "bf16" in half the memory, rounded to 8 bits. */
export type ActivationDtype = (typeof activationDtypes)[number];
export const activationDtypes = ["f32", "bf16"] as const;

/** Narrower Values stay in f32: log-sums, factors of norms and products of low rank. */
const NARROW = 32;

/** Elements that a gradient in place computes at a time: half of a second-level cache. */
const CHUNK = 1 << 16;

/**
 * Kernels that do nothing, for a plan. Those that count give the real numbers, workspaces without `scratch` have no bytes, and an
 * arena refuses what any other may be asked for.
 */
function idle(kernels: Kernels, scratch: boolean): Kernels {
  const inPlan = ([name, kernel]: [string, unknown]) => {
    const isWorkspace = name.endsWith("_workspace");
    if (name.endsWith("_parts") || (isWorkspace && scratch)) return [name, kernel];
    return [name, isWorkspace ? () => 0 : () => undefined];
  };
  return Object.fromEntries(Object.entries(kernels).map(inPlan)) as Kernels;
}

/**
 * One pass. `Tape.once` runs a pass whose size is not known yet.
 *
 * @example
 * const logits = Tape.once(model.engine, {}, (tape) => tape.download(model.outputs(tape, concatenateLabelled(examples))));
 */
export class Tape {
  readonly memory: Memory;
  readonly fewLoads: boolean;
  readonly kernels: Kernels;
  readonly planning: boolean;
  readonly recording: boolean;
  readonly training: boolean;
  readonly seed: readonly [number, number];
  readonly checkpointing: boolean;
  readonly activations: ActivationDtype;
  /**
   * Floating-point operations of the products run or planned so far: two for each multiply-add that the model needs.
   * Recomputation by checkpointing is not counted.
   */
  flops = 0;
  /**
   * The name of the block whose forward or backward pass is running, such as "model.layers.3"; "" outside all blocks.
   */
  place = "";
  /** Whether the backward pass is running. */
  unwinding = false;
  /** The part that runs; null where the batch is not known. */
  part: PartOfBatch | null = null;
  /** Set by ops that do not have the same bits when the parts of a batch run one after the other. */
  needsWholeBatch = false;
  readonly #waiting = new Map<Param, WaitingRows>();
  /** Params that a gradient must reach. */
  readonly #trained = new Set<Param>();
  protected readonly arena: Arena;
  #steps: Step[] = [];
  #scopes: Slot[][] = [];
  #streams = 0;
  #made = 0;
  #unrecorded: Unrecorded | null = null;
  #released = false;

  protected constructor(engine: Engine, arena: Arena, planning: boolean, options: TapeOptions, scratch = true) {
    this.arena = arena;
    this.planning = planning;
    this.memory = engine.memory;
    this.fewLoads = engine.fewLoads;
    this.kernels = planning ? idle(engine.kernels, scratch) : engine.kernels;
    this.recording = options.recording ?? false;
    this.training = options.training ?? false;
    this.seed = options.seed ?? [0, 0];
    this.checkpointing = options.checkpointing ?? false;
    this.activations = options.activations ?? "f32";
  }

  /**
   * Runs `step` without computing and returns the bytes of working memory that it needs, in each of the engine's memories; without
   * the workspaces of kernels if `scratch` is false.
   */
  static plan(
    engine: Engine,
    options: TapeOptions,
    step: (tape: Tape) => void,
    { scratch = true }: { scratch?: boolean } = {},
  ): number {
    const arena = engine.planningArena();
    step(new (tapesOf(engine))(engine, arena, true, options, scratch));
    return arena.peakBytes;
  }

  /**
   * Runs `step` in `bytes` of working memory, which is always freed afterwards. Throws StateError if `step` returns a
   * promise: a step ends before anything else runs.
   */
  static run<T>(engine: Engine, bytes: number, options: TapeOptions, step: (tape: Tape) => T): T {
    const tape = new (tapesOf(engine))(engine, engine.takeArena(bytes), false, options);
    engine.step = tape;
    try {
      const result = step(tape);
      if (isPromise(result)) {
        result.then(undefined, () => {}); // it fails at its next op
        throw new StateError("a step returned a promise: compute it at once, and await before it or after it");
      }
      return result;
    } finally {
      engine.step = null;
      tape.#released = true;
      engine.returnArena();
    }
  }

  /** Plans, then runs: for one-off passes whose size is not known yet. */
  static once<T>(engine: Engine, options: TapeOptions, step: (tape: Tape) => T): T {
    const bytes = Tape.plan(engine, options, step);
    return Tape.run(engine, bytes, options, step);
  }

  // ---- parts of a batch

  /** Begins the forward pass of a part: random numbers are those that its rows have in the batch as a whole. */
  begin(part: PartOfBatch): void {
    this.part = part;
    this.#streams = 0;
  }

  /** The waiting rows of the sum that is the gradient of a Param. */
  waitingRows(param: Param): WaitingRows {
    const waiting = this.#waiting.get(param) ?? { u: null, x: null, count: 0 };
    this.#waiting.set(param, waiting);
    return waiting;
  }

  /**
   * Whether what ran so far has the same bits in parts: the gradient of every Param must be one sum whose rows can wait. If several
   * ops used the Param, parts would mix the order of their sums.
   */
  get isDivisible(): boolean {
    return !this.needsWholeBatch && Array.from(this.#trained).every((param) => this.#waiting.has(param));
  }

  #noteTrained(param: Param): void {
    if (this.#trained.has(param)) this.needsWholeBatch = true;
    this.#trained.add(param);
  }

  /** How many rows of the batch come before those of an activation with this many. */
  rowsBefore(rows: number): number {
    if (this.part?.rows === rows) return this.part.before;
    this.needsWholeBatch = true;
    return 0;
  }

  // ---- making values

  /**
   * A new Value with undefined contents, computed `from` these. It needs a gradient if any of these does and the tape
   * is recording. Throws StateError if one of them was made on another tape.
   */
  value(shape: Shape, from: readonly (Value | Param | null)[] = []): Value {
    if (from.some((x) => x?.kind === "value" && x.tape !== this)) {
      throw new StateError(
        "a Value of another tape cannot be used: download its numbers there, and make a constant of them on this tape",
      );
    }
    const needsGrad =
      this.recording && from.some((x) => x !== null && (x.kind === "value" ? x.needsGrad : x.trainable));
    const slot: Slot = {
      kind: "value",
      tape: this,
      shape,
      ptr: this.alloc(sizeOf(shape) * 4),
      needsGrad,
      again: null,
      away: null,
      grad: null,
      holders: 0,
      scopeEnded: false,
      order: this.#made++,
    };
    if (this.#unrecorded !== null) this.#noteReads(this.#unrecorded, from);
    else if (needsGrad) for (const x of from) if (x?.kind === "param" && x.trainable) this.#noteTrained(x);
    this.#scopes.at(-1)?.push(slot);
    return slot;
  }

  #noteReads({ reads, since }: Unrecorded, from: readonly (Value | Param | null)[]): void {
    for (const x of from) if (x?.kind === "value" && (x as Slot).order < since) reads.add(x as Slot);
  }

  /** Raw working memory, contents undefined. Freed by `free`, or at the end of the step. */
  alloc(byteLength: number): Ptr {
    this.expectRunning();
    return this.arena.alloc(byteLength);
  }
  free(ptr: Ptr): void {
    this.expectRunning();
    this.arena.free(ptr);
  }
  protected expectRunning(): void {
    if (this.#released) throw new StateError("this tape was released: its step is over");
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

  /** Ids, or rows or ranges of rows, in the step's memory. */
  ids(data: Int32Array): Ids {
    return { tape: this, ptr: this.upload(data), count: data.length };
  }

  /**
   * Runs `body`, which computes with what is at `near`: where the engine has several memories, in that one. The Values that it reads
   * are handed over.
   */
  at<T>(_near: Ptr, body: () => T): T {
    return body();
  }

  /** A copy of a Value's numbers on the host. Zeros in a plan. */
  download(x: Value): Float32Array {
    this.expectRunning();
    const size = sizeOf(x.shape);
    return this.planning ? new Float32Array(size) : this.memory.f32(x.ptr, size).slice();
  }

  /** The same with its shape. */
  read(x: Value): Tensor {
    return { data: this.download(x), shape: x.shape };
  }

  /** Sets `size` f32 numbers to `value`. */
  fill(ptr: Ptr, size: number, value: number): void {
    if (!this.planning) this.memory.f32(ptr, size).fill(value);
  }

  /** Copies `byteLength` bytes inside the memory. */
  copy(to: Ptr, from: Ptr, byteLength: number): void {
    if (!this.planning) this.memory.copy(to, from, byteLength);
  }

  /** A number for each random op of the step; it is the same when the step is rerun. */
  nextStream(): number {
    return this.#streams++;
  }
  /** The number of random ops so far. */
  get streams(): number {
    return this.#streams;
  }

  /** Bytes of working memory allocated so far, and those in use now. */
  get takenBytes(): number {
    return this.arena.takenBytes;
  }
  get usedBytes(): number {
    return this.arena.usedBytes;
  }

  // ---- scopes

  /**
   * Runs `body` and frees every Value made in it that is neither its result nor needed by the backward pass. A
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

  /** Ends the life of a Value before its scope ends: only the backward pass may still read it. */
  release(x: Value): void {
    this.#endScope(x as Slot);
  }

  #endScope(slot: Slot): void {
    if (slot.scopeEnded) return;
    slot.scopeEnded = true;
    if (slot.holders === 0) this.drop(slot);
    else if (!this.unwinding) this.#putAway(slot);
  }

  /** Frees the memory of a Value. */
  protected drop(slot: Slot): void {
    this.arena.free(slot.ptr);
  }

  /** Only the backward pass reads it from now on. */
  #putAway(slot: Slot): void {
    const { again, shape, ptr } = slot;
    const size = sizeOf(shape);
    if (again === "exact" || (again === null && (this.activations === "f32" || shape.at(-1)! < NARROW))) return;
    slot.away = again === null ? this.alloc(size * 2) : 0;
    if (slot.away !== 0 && !this.planning) f32ToBf16(this.memory.f32(ptr, size), this.memory.u16(slot.away, size));
    this.free(ptr);
  }

  #bringBack(slot: Slot): void {
    const { again, away, shape } = slot;
    if (away === null) return;
    const size = sizeOf(shape);
    slot.away = null;
    slot.ptr = this.alloc(size * 4);
    if (away !== 0) {
      if (!this.planning) bf16ToF32(this.memory.u16(away, size), this.memory.f32(slot.ptr, size));
      this.free(away);
    } else if (again !== null && again !== "exact") {
      for (const x of again.from) this.#bringBack(x);
      again.compute(slot.ptr);
    }
  }

  /**
   * `y` follows from these Values, which the op that made it keeps for its own gradient: instead of keeping `y` too, the
   * backward pass computes it again, with the same kernel and so the same bits.
   */
  recomputable(y: Value, from: readonly Value[], compute: (y: Ptr) => void): void {
    if (y.needsGrad && this.#unrecorded === null) (y as Slot).again = { from: from as readonly Slot[], compute };
  }

  /** Keeps the f32 bits of `x` for the backward pass, whatever the setting: where rounding would be multiplied. */
  keepExact(x: Value): void {
    (x as Slot).again = "exact";
  }

  /**
   * One block of a model: a scope with a name. With checkpointing, its backward pass runs `body` a second time, which
   * must do the same again: `body` may read outside Values and Params, which get their gradients, but must not change
   * them, and the layers must keep what adapters have set on them.
   */
  block(name: string, x: Value, body: (x: Value) => Value): Value {
    const outside = this.place;
    this.place = name;
    const keepsInputsOnly = this.checkpointing && this.recording && this.#unrecorded === null;
    const y = keepsInputsOnly ? this.#checkpoint(x, body) : this.scope(() => body(x));
    this.place = outside;
    return y;
  }

  #checkpoint(x: Value, body: (x: Value) => Value): Value {
    const streams = this.#streams;
    const reads = new Set([x as Slot]);
    this.#unrecorded = { reads, since: this.#made };
    const y = this.scope(() => body(x)) as Slot;
    this.#unrecorded = null;
    if (reads.has(y)) return y;
    this.note(y, [...reads], false, () => this.#backThroughAgain(y, streams, () => body(x)));
    return y;
  }

  /**
   * Reruns a block exactly as when it made `y`, now recording, and goes back through it. `first` is its first stream.
   */
  #backThroughAgain(y: Slot, first: number, body: () => Value): void {
    const [steps, streams] = [this.#steps, this.#streams];
    const { flops } = this;
    this.#steps = [];
    this.#streams = first;
    const again = this.scope(body) as Slot;
    this.flops = flops;
    [again.grad, y.grad] = [y.grad, null];
    this.#endScope(again);
    this.#unwind();
    this.#steps = steps;
    this.#streams = streams;
  }

  // ---- recording

  /**
   * Records how the gradient passes through the op that made `y`. `kept` are the Values that `backward` reads. Does
   * nothing if `y` needs no gradient.
   */
  record(y: Value, kept: readonly Value[], backward: (dy: Ptr) => void): void {
    this.note(y as Slot, kept as readonly Slot[], false, backward);
  }

  /**
   * The same for an op that changed `x` in place: `backward` converts the gradient of the result to that of the input,
   * also in place.
   */
  recordInPlace(x: Value, kept: readonly Value[], backward: (dx: Ptr) => void): void {
    (x as Slot).again = null;
    this.note(x as Slot, kept as readonly Slot[], true, backward);
  }

  /**
   * The same for a function of each element: `backward` adds to elements `start` to `end` of `dx`. If `x` has no gradient yet, it
   * gets the memory of the gradient of `y`.
   */
  recordElements(
    y: Value,
    x: Value,
    kept: readonly Value[],
    backward: (dx: number, dy: Ptr, start: number, end: number) => void,
  ): void {
    this.note(y as Slot, kept as readonly Slot[], false, (dy) => {
      const size = sizeOf(x.shape);
      if ((x as Slot).grad !== null) return backward(this.gradient(x), dy, 0, size);
      const scratch = this.alloc(Math.min(size, CHUNK) * 4);
      for (let start = 0; start < size; start += CHUNK) {
        const count = Math.min(CHUNK, size - start);
        this.fill(scratch, count, 0);
        backward(scratch - 4 * start, dy, start, start + count);
        this.copy((dy + 4 * start) as Ptr, scratch, count * 4);
      }
      this.free(scratch);
      (x as Slot).grad = dy;
      (y as Slot).grad = null;
    });
  }

  protected note(y: Slot, kept: readonly Slot[], inPlace: boolean, backward: (dy: Ptr) => void): void {
    if (!y.needsGrad || this.#unrecorded !== null) return;
    for (const slot of kept) slot.holders++;
    this.#steps.push({ y, kept, inPlace, place: this.place, backward });
  }

  /** The gradient of `x`, zero if nothing has been added to it yet. For kernels that add. */
  gradient(x: Value): Ptr {
    const { ptr, fresh } = this.gradientSlot(x);
    if (fresh) this.fill(ptr, sizeOf(x.shape), 0);
    return ptr;
  }

  /** The gradient of `x`; `fresh` means that its contents are undefined and must be overwritten instead of added to. */
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
   * Runs the recorded ops in reverse. `loss` is the Value to start from, `seed` its gradient (one number for every element).
   * Gradients of Params are added to; afterwards the tape is empty. Throws StateError if the tape does not record, or if `loss`
   * depends on nothing that is trained.
   */
  backward(loss: Value, seed = 1): void {
    this.expectRunning();
    if (!this.recording) throw new StateError("backward: this tape does not record; create it with recording: true");
    if (!loss.needsGrad) {
      throw new StateError(
        "backward: the loss depends on nothing that is trained; activate an adapter and make it trainable (setTrainable), or compute the loss from the model's outputs",
      );
    }
    const { ptr } = this.gradientSlot(loss);
    this.fill(ptr, sizeOf(loss.shape), seed);
    this.unwinding = true;
    this.#unwind();
    this.unwinding = false;
    this.place = "";
  }

  #unwind(): void {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) this.#backThrough(step);
  }

  #backThrough({ y, kept, inPlace, place, backward }: Step): void {
    this.place = place;
    if (y.grad !== null) {
      for (const slot of kept) this.#bringBack(slot);
      backward(y.grad);
      if (!inPlace) this.#freeGradient(y);
    }
    for (const slot of kept) {
      // Some kernels compute the gradients of all operands at once, needed or not.
      if (!slot.needsGrad) this.#freeGradient(slot);
      slot.holders--;
      if (slot.holders === 0 && slot.scopeEnded) this.#discard(slot);
    }
  }

  #discard(slot: Slot): void {
    if (slot.away === null) this.drop(slot);
    else if (slot.away !== 0) this.arena.free(slot.away);
  }

  #freeGradient(slot: Slot): void {
    if (slot.grad !== null) this.arena.free(slot.grad);
    slot.grad = null;
  }
}

/** The class of the tapes of an engine. */
function tapesOf(engine: Engine): typeof Tape {
  return (engine.tapes as typeof Tape | null) ?? Tape;
}

function isPromise(result: unknown): result is PromiseLike<unknown> {
  return typeof (result as PromiseLike<unknown> | null)?.then === "function";
}
