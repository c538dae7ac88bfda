/** Creates a method's tensors: it handles names, memory and reproducible random numbers. */
import { Philox } from "../../core/random/philox.ts";
import type { Shape } from "../../core/shape.ts";
import type { Near } from "../../nn/layers/weights.ts";
import { Tape } from "../../tape/tape.ts";
import { Param } from "../../tensor/tensor.ts";
import type { Engine } from "../../wasm/engine.ts";
import type { Memory, Ptr } from "../../wasm/memory.ts";

/**
 * How a tensor is initialized: `uniform` is U(−bound, bound), `normal` is N(0, std²); a function writes the values
 * itself.
 */
export type Start =
  | "zeros"
  | "ones"
  | { readonly uniform: number }
  | { readonly normal: number }
  | ((values: Float32Array) => void);

/** torch's initialization of nn.Linear, Kaiming-uniform with a = √5: U(−1/√inputs, 1/√inputs). */
export function kaimingUniform(inputs: number): Start {
  return { uniform: 1 / Math.sqrt(inputs) };
}

/** Makes the tensors of an adapter. */
export interface Make {
  readonly engine: Engine;
  /** Runs a computation that reads the base, in separate working memory. */
  once<T>(compute: (tape: Tape) => T): T;
  /** The seed of initial values that a method draws itself. */
  readonly seed: number;
  /**
   * The shape of a tensor in the file that the adapter is loaded from; null if the file lacks it or there is no file.
   */
  stored(suffix: string): Shape | null;
  /** Whether the adapter is filled from a file. */
  readonly loading: boolean;
  /** A trained tensor. It is saved as the layer's name, a dot and `suffix`; with `saved: false` it is not saved. */
  param(suffix: string, shape: Shape, start: Start, options?: { saved?: boolean }): Param;
  /** A tensor that is neither trained nor saved, but recomputed from the base whenever the adapter is created. */
  constant(suffix: string, shape: Shape, start: Start): Param;
  /**
   * A tensor that is saved but not trained. It is read from a file that contains it and otherwise initialized as for a
   * fresh adapter.
   */
  kept(suffix: string, shape: Shape, start: Start): Param;
  /** A tensor that is computed when the adapter is saved. */
  exported(suffix: string, compute: () => { shape: Shape; values: Float32Array }): void;
}

/** `Make` for any location: a layer by its name; null leaves keys unchanged, without the prefix of the method. */
export type MakeAt = (place: string | null) => Make;

/** The purpose of tensors: training, filling from a file, or only listing. */
export type Purpose = "fresh" | "load" | "list";

/** A tensor that is computed when it is saved. */
export type Exported = () => { shape: Shape; values: Float32Array };

/** Shapes of a file's tensors by key. */
export type StoredShapes = ReadonlyMap<string, { readonly shape: Shape }>;

export interface MakerOptions {
  readonly engine: Engine;
  readonly seed: number;
  readonly purpose: Purpose;
  /** The prefix of keys. */
  readonly prefix: string;
  readonly stored: StoredShapes | null;
  /** An address in the memory that has the layer at a place. */
  readonly near?: Near | undefined;
}

/** Creates the tensors of one adapter. Everything is stored by its key in a file. */
export class TensorMaker {
  /** Trained tensors, in creation order. */
  readonly params = new Map<string, Param>();
  /** The trained tensors that a file does not contain. */
  readonly unsaved = new Set<string>();
  /** Saved but not trained. */
  readonly kept = new Map<string, Param>();
  readonly exported = new Map<string, Exported>();
  /** All tensors, of every kind. */
  readonly #made: Param[] = [];
  readonly #options: MakerOptions;
  #stream = 0;

  constructor(options: MakerOptions) {
    this.#options = options;
  }

  /** The interface that a method gets for one location. */
  at(place: string | null): Make {
    const { engine, seed, purpose, stored } = this.#options;
    const key = (suffix: string) => this.key(place, suffix);
    const near = place === null ? undefined : this.#options.near?.(place);
    return {
      engine,
      once: (compute) => Tape.once(engine, {}, (tape) => tape.at(near ?? (0 as Ptr), () => compute(tape))),
      seed,
      loading: purpose === "load",
      stored: (suffix) => stored?.get(key(suffix))?.shape ?? null,
      param: (suffix, shape, start, { saved = true } = {}) => {
        const param = this.param(key(suffix), shape, start, key(suffix), near);
        if (!saved) this.unsaved.add(key(suffix));
        return param;
      },
      constant: (suffix, shape, start) => this.#tensor(key(suffix), shape, start, purpose !== "list", near),
      kept: (suffix, shape, start) => {
        const tensor = this.#tensor(key(suffix), shape, start, purpose !== "list" && !stored?.has(key(suffix)), near);
        this.kept.set(key(suffix), tensor);
        return tensor;
      },
      exported: (suffix, compute) => void this.exported.set(key(suffix), compute),
    };
  }

  /** Whether a file fills the tensors, and whether it has this key. */
  get loading(): boolean {
    return this.#options.purpose === "load";
  }
  has(key: string): boolean {
    return this.#options.stored?.has(key) ?? false;
  }

  key(place: string | null, suffix: string): string {
    return place === null ? suffix : `${this.#options.prefix}${place}.${suffix}`;
  }

  /** A trained tensor by its complete key. An unsaved one that a file lacks is initialized as for a fresh adapter. */
  param(key: string, shape: Shape, start: Start, name = key, near?: Ptr): Param {
    const { purpose, stored } = this.#options;
    const param = this.#tensor(
      name,
      shape,
      start,
      purpose === "fresh" || (purpose === "load" && !stored?.has(key)),
      near,
    );
    this.params.set(key, param);
    return param;
  }

  /** Bytes of all tensors, gradients included. */
  get bytes(): number {
    return this.#made.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  dispose(): void {
    for (const tensor of this.#made) tensor.dispose();
  }

  #tensor(name: string, shape: Shape, start: Start, written: boolean, near?: Ptr): Param {
    const { engine, seed, purpose } = this.#options;
    const tensor = new Param(purpose === "list" ? noMemory : engine.memory, name, shape, near);
    this.#made.push(tensor);
    const random = new Philox(seed, this.#stream++);
    if (written && !tensor.memory.measuring) begin(tensor, start, random);
    return tensor;
  }
}

/** Assigns addresses and holds nothing, for tensors that are only listed. */
const noMemory = { alloc: () => 0 as Ptr, free: () => {} } as unknown as Memory;

function begin(tensor: Param, start: Start, random: Philox): void {
  if (typeof start === "function") {
    // An initialization may compute in the engine, which can grow its memory: write to a copy, then get a new view.
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
