/** How a model file asks for its layers: by published name, with the shape it expects. */
import type { Stored } from "../ops/linear.ts";
import type { Weight } from "../tensor/tensor.ts";
import { Embedding } from "./embedding.ts";
import { Linear } from "./linear.ts";
import { LayerNorm, RmsNorm } from "./norm.ts";

/** A layer that has a published name and weights. */
export type Module = Linear | Embedding | RmsNorm | LayerNorm;

/** How a tensor of a model without a checkpoint starts. */
export type Init = "normal" | "zeros" | "ones";

/** Where tensors come from: a checkpoint, a random generator, or nowhere (shapes only). */
export interface Tensors {
  get(name: string, shape: readonly number[], init: Init): Weight;
}

export interface LinearShape {
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly bias?: boolean;
  /** "in-out" for GPT-2's Conv1D, whose matrices are published as [in, out]. */
  readonly stored?: Stored;
}

/** A place in the tree of published names. Remembers every layer made below it. */
export class Weights {
  readonly modules: Map<string, Module>;
  readonly #tensors: Tensors;
  readonly #prefix: string;

  constructor(tensors: Tensors, prefix = "", modules: Map<string, Module> = new Map()) {
    this.#tensors = tensors;
    this.#prefix = prefix;
    this.modules = modules;
  }

  /** The part of the tree below `path`. */
  at(path: string): Weights {
    return new Weights(this.#tensors, this.#name(path), this.modules);
  }

  linear(path: string, { inFeatures, outFeatures, bias = false, stored = "out-in" }: LinearShape): Linear {
    const name = this.#name(path);
    const shape = stored === "out-in" ? [outFeatures, inFeatures] : [inFeatures, outFeatures];
    const weight = this.#tensors.get(`${name}.weight`, shape, "normal");
    return this.#add(
      new Linear(name, weight, bias ? this.#tensors.get(`${name}.bias`, [outFeatures], "zeros") : null, stored),
    );
  }

  /** An output projection that is the embedding's own table. Nothing is stored for it. */
  tiedHead(path: string, embedding: Embedding): Linear {
    return this.#add(new Linear(this.#name(path), embedding.weight, null));
  }

  embedding(path: string, rows: number, width: number): Embedding {
    const name = this.#name(path);
    return this.#add(new Embedding(name, this.#tensors.get(`${name}.weight`, [rows, width], "normal")));
  }

  rmsNorm(path: string, width: number, eps: number): RmsNorm {
    const name = this.#name(path);
    return this.#add(new RmsNorm(name, this.#tensors.get(`${name}.weight`, [width], "ones"), eps));
  }

  layerNorm(path: string, width: number, eps: number): LayerNorm {
    const name = this.#name(path);
    const weight = this.#tensors.get(`${name}.weight`, [width], "ones");
    return this.#add(new LayerNorm(name, weight, this.#tensors.get(`${name}.bias`, [width], "zeros"), eps));
  }

  #name(path: string): string {
    return this.#prefix === "" ? path : `${this.#prefix}.${path}`;
  }
  #add<M extends Module>(module: M): M {
    this.modules.set(module.name, module);
    return module;
  }
}
