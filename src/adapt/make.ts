/** What a method is given to make its tensors with: names, memory and reproducible random numbers are looked after here. */
import { Philox } from "../core/philox.ts";
import type { Shape } from "../core/shape.ts";
import { Tape } from "../tape/tape.ts";
import { Param } from "../tensor/tensor.ts";
import type { Engine } from "../wasm/engine.ts";
import type { Memory, Ptr } from "../wasm/memory.ts";

/** How a tensor starts: `uniform` is U(−bound, bound), `normal` is N(0, std²); a function writes the values itself. */
export type Start =
  | "zeros"
  | "ones"
  | { readonly uniform: number }
  | { readonly normal: number }
  | ((values: Float32Array) => void);

/** torch's start of nn.Linear, Kaiming-uniform with a = √5: U(−1/√inputs, 1/√inputs). */
export function kaimingUniform(inputs: number): Start {
  return { uniform: 1 / Math.sqrt(inputs) };
}

export interface Make {
  readonly engine: Engine;
  /** Runs a computation that looks at the base, in working memory of its own. */
  once<T>(compute: (tape: Tape) => T): T;
  /** Decides random starts that a method draws itself. */
  readonly seed: number;
  /** A trained tensor. It is saved as the layer's name, a dot and `suffix`. */
  param(suffix: string, shape: Shape, start: Start): Param;
  /** A tensor that is neither trained nor saved, but made anew from the base whenever the adapter is. */
  constant(suffix: string, shape: Shape, start: Start): Param;
}

/** Why tensors are made: to be trained, to be filled from a file, or only to be listed. */
export type Purpose = "fresh" | "load" | "list";

/** Makes the tensors of one adapter. */
export class TensorMaker {
  /** Trained tensors in the order of making, by their name in files without the common prefix. */
  readonly params = new Map<string, Param>();
  readonly constants: Param[] = [];
  readonly purpose: Purpose;
  readonly #engine: Engine;
  readonly #seed: number;
  #stream = 0;

  constructor(engine: Engine, seed: number, purpose: Purpose) {
    this.#engine = engine;
    this.#seed = seed;
    this.purpose = purpose;
  }

  /** What a method gets for one layer. */
  for(layer: string): Make {
    return {
      engine: this.#engine,
      once: (compute) => Tape.once(this.#engine, {}, compute),
      seed: this.#seed,
      param: (suffix, shape, start) => this.param(`${layer}.${suffix}`, shape, start),
      constant: (suffix, shape, start) => {
        const constant = this.#tensor(`${layer}.${suffix}`, shape, start, this.purpose !== "list");
        this.constants.push(constant);
        return constant;
      },
    };
  }

  /** A trained tensor called `name`, and `savedAs` in files where that differs. */
  param(name: string, shape: Shape, start: Start, savedAs = name): Param {
    const param = this.#tensor(name, shape, start, this.purpose === "fresh");
    this.params.set(savedAs, param);
    return param;
  }

  dispose(): void {
    for (const tensor of [...this.params.values(), ...this.constants]) tensor.dispose();
  }

  #tensor(name: string, shape: Shape, start: Start, written: boolean): Param {
    const memory = this.purpose === "list" ? noMemory : this.#engine.memory;
    const tensor = new Param(memory, name, shape);
    const random = new Philox(this.#seed, this.#stream++);
    try {
      if (written) begin(tensor, start, random);
      return tensor;
    } catch (error) {
      tensor.dispose();
      throw error;
    }
  }
}

/** Gives out addresses and holds nothing, for tensors that are only listed. */
const noMemory = { alloc: () => 0 as Ptr, free: () => {} } as unknown as Memory;

function begin(tensor: Param, start: Start, random: Philox): void {
  if (typeof start === "function") {
    // A start may compute in the engine, which can grow its memory: write to a copy, then take a fresh view.
    const values = new Float32Array(tensor.size);
    start(values);
    tensor.values().set(values);
    return;
  }
  const values = tensor.values();
  if (start === "zeros" || start === "ones") values.fill(start === "ones" ? 1 : 0);
  else if ("uniform" in start) {
    for (let i = 0; i < values.length; i++) values[i] = start.uniform * (2 * random.uniform() - 1);
  } else for (let i = 0; i < values.length; i++) values[i] = start.normal * random.normal();
}
