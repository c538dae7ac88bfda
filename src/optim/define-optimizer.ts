/**
 * Shared by all optimizers: their state tensors, groups of parameters with their own learning rate and weight decay,
 * and the memory for both. An optimizer's file defines the tensors that it keeps per parameter and how one step updates
 * it.
 */
import { callOptions, expectArgument } from "../core/call-options.ts";
import { StateError } from "../core/errors.ts";
import { atLeastZero, completeOptions, type Option, type Options, option, type ValuesOf } from "../core/options.ts";
import { type Shape, sizeOf } from "../core/shape.ts";
import type { Param } from "../tensor/tensor.ts";
import { MemoryBlock } from "../wasm/block.ts";
import type { Engine } from "../wasm/engine.ts";
import { aligned, byMemory, type Ptr } from "../wasm/memory.ts";

/** A tensor that an optimizer keeps for a parameter, zero at the start. */
export interface StateTensor {
  /** The same for all parameters, such as "exp_avg". */
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: "F32" | "U8";
}

/** Parameters with their own learning rate or weight decay. */
export interface ParamGroup {
  /** Whether a parameter belongs to the group. It joins the first group that accepts it. */
  readonly has: (name: string, param: Param) => boolean;
  /** Factor of the learning rate. 1 by default. */
  readonly lrFactor?: number;
  /** Instead of the optimizer's own. */
  readonly weightDecay?: number;
}

/** One trained tensor with its state. */
export interface ParamState {
  readonly name: string;
  readonly param: Param;
  readonly state: readonly (StateTensor & { readonly ptr: Ptr })[];
  readonly lrFactor: number;
  readonly weightDecay: number;
}

/** The inputs of one parameter's step. */
export interface Update<V> {
  readonly engine: Engine;
  readonly param: Param;
  /** The address of one of the parameter's state tensors; 0 if it has none with that name. */
  readonly at: (name: string) => Ptr;
  /** Learning rate and weight decay of the parameter's group. */
  readonly lr: number;
  readonly weightDecay: number;
  /** Factor of the gradient. */
  readonly gradScale: number;
  /** Number of the step, from 1. */
  readonly t: number;
  /** Memory that all updates share. */
  readonly shared: Ptr;
  readonly options: V;
}

/** What defines an optimizer. */
export interface OptimizerDefinition<S extends Options> {
  /** Its name in messages. */
  readonly name: string;
  readonly options: S & { readonly weightDecay: Option<number> };
  /** The problem with the combination of options, or null. */
  readonly problemWith?: (options: ValuesOf<S>) => string | null;
  readonly state: (shape: Shape, options: ValuesOf<S>) => readonly StateTensor[];
  /** Bytes of the memory that all updates share. It is not part of the state. */
  readonly sharedBytes?: (shapes: readonly Shape[], threads: number) => number;
  /** Fills the shared memory. */
  readonly prepare?: (engine: Engine, shared: Ptr) => void;
  /** Updates one parameter and its state. */
  readonly update: (update: Update<ValuesOf<S>>) => void;
}

/** The options of an optimizer's constructor. */
export type OptimizerOptions<S extends Options> = Partial<ValuesOf<S>> & { readonly groups?: readonly ParamGroup[] };

/** Trains the given Params. Its state lives in the engine's memory until it is disposed of. */
export interface Optimizer {
  /** The name of its kind, such as "AdamW". */
  readonly name: string;
  /** The trained parameters, in the order of the given map, and the state of each. */
  readonly slots: readonly ParamState[];
  /** The number of completed steps. Set when a checkpoint is loaded. */
  steps: number;
  /** Sets all gradients to zero. */
  zeroGrad(): void;
  /** Updates every parameter with its gradient times `gradScale`, the clipping factor. */
  step(lr: number, gradScale?: number): void;
  /** Frees the state. The Params are kept. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** A kind of optimizer. */
export interface OptimizerClass<S extends Options> {
  /** Throws StateError if there is nothing to train or a Param is not trainable, FormatError for an invalid option. */
  new (engine: Engine, params: ReadonlyMap<string, Param>, options?: OptimizerOptions<S>): Optimizer;
  readonly options: S;
  /** The given options and defaults for the rest. Throws FormatError that lists every invalid one. */
  complete(given: Partial<ValuesOf<S>>): ValuesOf<S>;
  /** Bytes of memory that it needs for parameters of these shapes. */
  stateBytes(params: Iterable<{ readonly shape: Shape }>, options?: Partial<ValuesOf<S>>, threads?: number): number;
}

/** The class of an optimizer. */
export function defineOptimizer<S extends Options>(definition: OptimizerDefinition<S>): OptimizerClass<S> {
  const { name, options, problemWith, sharedBytes = () => 0 } = definition;
  const complete = (given: Partial<ValuesOf<S>>): ValuesOf<S> => {
    return completeOptions(name, options as S, given, { together: problemWith });
  };
  return class implements Optimizer {
    static readonly options: S = options;
    static readonly complete = complete;
    static stateBytes(
      params: Iterable<{ readonly shape: Shape }>,
      given: Partial<ValuesOf<S>> = {},
      threads = 1,
    ): number {
      const values = complete(given);
      const shapes = Array.from(params, ({ shape }) => shape);
      const blocks = shapes.flatMap((shape) => definition.state(shape, values)).map(bytesOf);
      return [...blocks, sharedBytes(shapes, threads)].reduce((sum, bytes) => sum + aligned(bytes), 0);
    }

    readonly name = name;
    readonly slots: readonly ParamState[];
    steps = 0;
    readonly #engine: Engine;
    readonly #values: ValuesOf<S>;
    /** By memory. */
    readonly #shared: readonly (MemoryBlock | null)[];
    /** All of its memory. */
    readonly #blocks: MemoryBlock[] = [];
    #disposed = false;

    constructor(
      engine: Engine,
      params: ReadonlyMap<string, Param>,
      { groups = [], ...given }: OptimizerOptions<S> = {},
    ) {
      const values = complete(given as Partial<ValuesOf<S>>);
      expectGroups(name, groups);
      expectTrainable(name, params);
      this.#engine = engine;
      this.#values = values;
      try {
        this.slots = Array.from(params, ([key, param]) => {
          const group = groups.find(({ has }) => has(key, param)) ?? null;
          const tensors = definition.state(param.shape, values);
          return {
            name: key,
            param,
            state: tensors.map((tensor) => this.#zeros(key, tensor, param.ptr)),
            lrFactor: group?.lrFactor ?? 1,
            weightDecay: group?.weightDecay ?? (values.weightDecay as number),
          };
        });
        this.#shared = byMemory(engine.memory, params.values()).map((own) => {
          const bytes =
            own.length === 0
              ? 0
              : sharedBytes(
                  own.map(({ shape }) => shape),
                  engine.threads,
                );
          if (bytes === 0) return null;
          const shared = this.#block(bytes, `the working memory of ${name}`, own[0]!.ptr);
          definition.prepare?.(engine, shared.ptr);
          return shared;
        });
      } catch (error) {
        this.dispose();
        throw error;
      }
    }

    #block(bytes: number, what: string, near: Ptr): MemoryBlock {
      const block = new MemoryBlock(this.#engine.memory, bytes, what, near);
      this.#blocks.push(block);
      return block;
    }

    #zeros(param: string, tensor: StateTensor, near: Ptr): StateTensor & { readonly ptr: Ptr } {
      const bytes = bytesOf(tensor);
      const block = this.#block(bytes, `the optimizer's state of "${param}"`, near);
      this.#engine.memory.u8(block.ptr, bytes).fill(0);
      return {
        ...tensor,
        get ptr() {
          return block.ptr;
        },
      };
    }

    /** Throws StateError, before anything is changed, if it or a parameter was disposed of or is no longer trainable. */
    #expectUsable(): void {
      if (this.#disposed) throw new StateError(`this ${name} optimizer was disposed of: create another`);
      for (const { param } of this.slots) param.gradient();
    }

    zeroGrad(): void {
      this.#expectUsable();
      for (const { param } of this.slots) param.gradient().fill(0);
    }

    step(lr: number, gradScale = 1): void {
      this.#expectUsable();
      this.steps++;
      for (const { param, state, lrFactor, weightDecay } of this.slots) {
        param.updates++;
        definition.update({
          engine: this.#engine,
          param,
          at: (wanted) => state.find((tensor) => tensor.name === wanted)?.ptr ?? (0 as Ptr),
          lr: lr * lrFactor,
          weightDecay,
          gradScale,
          t: this.steps,
          shared: this.#shared[this.#engine.memory.indexOf(param.ptr)]?.ptr ?? (0 as Ptr),
          options: this.#values,
        });
      }
    }

    dispose(): void {
      if (this.#disposed) return;
      this.#disposed = true;
      for (const block of this.#blocks) block.free();
    }
    [Symbol.dispose](): void {
      this.dispose();
    }
  };
}

/** Bytes of a tensor of the state. */
export function bytesOf({ shape, dtype }: StateTensor): number {
  return sizeOf(shape) * (dtype === "F32" ? 4 : 1);
}

const groupOptions = {
  has: option<unknown>(undefined, "a function of a parameter's name", (value) => typeof value === "function"),
  lrFactor: atLeastZero(1),
  weightDecay: atLeastZero(0),
};

/** Throws FormatError for a group with an unknown or wrong option, or without `has`. */
function expectGroups(name: string, groups: readonly ParamGroup[]): void {
  expectArgument(name, '"groups"', groups, Array.isArray(groups), "a list of groups");
  for (const [i, group] of groups.entries()) {
    const { has } = callOptions(`${name}: groups[${i}]`, groupOptions, group);
    expectArgument(`${name}: groups[${i}]`, '"has"', has, has !== undefined, groupOptions.has.expected);
  }
}

function expectTrainable(name: string, params: ReadonlyMap<string, Param>): void {
  const isMap = typeof params?.entries === "function" && !Array.isArray(params);
  expectArgument(
    name,
    "the second argument",
    params,
    isMap,
    "parameters by name, as model.namedTrainable() gives them",
  );
  if (params.size === 0) throw new StateError(`${name}: no trainable parameters were given, expected at least one`);
  for (const [key, { trainable }] of params) {
    if (!trainable) throw new StateError(`${name}: "${key}" is not trainable; call setTrainable(true) on it first`);
  }
}
