/** How a model file asks for its layers: by published name, with the shape it expects. */
import type { Stored } from "../ops/linear.ts";
import type { Weight } from "../tensor/tensor.ts";
import { Attention, type AttentionParts } from "./attention.ts";
import { Embedding } from "./embedding.ts";
import { Linear } from "./linear.ts";
import { LayerNorm, RmsNorm } from "./norm.ts";
import { Parameter } from "./parameter.ts";
import { Residual, type ResidualParts } from "./residual.ts";

/** A layer that has a published name and weights. */
export type Module = Linear | Embedding | RmsNorm | LayerNorm | Parameter;

/** A place without weights of its own where an adapter may act. */
export type Site = Attention | Residual;

/** How a tensor of a model without a checkpoint starts. */
export type Init = "normal" | "zeros" | "ones";

/** Where tensors come from: a checkpoint, a random generator, or nowhere (shapes only). */
export interface Tensors {
  get(name: string, shape: readonly number[], init: Init): Weight;
  /** A tensor of a head, which checkpoints of other tasks do not have: it then starts at random. */
  head(name: string, shape: readonly number[], init: Init): Weight;
}

export interface LinearShape {
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly bias?: boolean;
  /** "in-out" for GPT-2's Conv1D, whose matrices are published as [in, out]. */
  readonly stored?: Stored;
}

/** A place in the tree of published names. Remembers every layer and every site made below it. */
export class Weights {
  readonly modules: Map<string, Module>;
  /** In the order of the model. */
  readonly sites: Site[];
  readonly #tensors: Tensors;
  readonly #prefix: string;

  constructor(tensors: Tensors, prefix = "", modules: Map<string, Module> = new Map(), sites: Site[] = []) {
    this.#tensors = tensors;
    this.#prefix = prefix;
    this.modules = modules;
    this.sites = sites;
  }

  /** The part of the tree below `path`; "" is the whole of it. */
  at(path: string): Weights {
    return path === "" ? this : new Weights(this.#tensors, this.#name(path), this.modules, this.sites);
  }

  linear(path: string, { inFeatures, outFeatures, bias = false, stored = "out-in" }: LinearShape): Linear {
    const name = this.#name(path);
    const shape = stored === "out-in" ? [outFeatures, inFeatures] : [inFeatures, outFeatures];
    const weight = this.#tensors.get(`${name}.weight`, shape, "normal");
    return this.#add(
      new Linear(name, weight, bias ? this.#tensors.get(`${name}.bias`, [outFeatures], "zeros") : null, stored),
    );
  }

  /** A linear layer of a task's head: where a checkpoint of another task lacks it, it starts at random. */
  head(path: string, { inFeatures, outFeatures, bias = false }: LinearShape): Linear {
    const name = this.#name(path);
    const weight = this.#tensors.head(`${name}.weight`, [outFeatures, inFeatures], "normal");
    const own = bias ? this.#tensors.head(`${name}.bias`, [outFeatures], "zeros") : null;
    return this.#add(new Linear(name, weight, own));
  }

  /** An output projection that is the embedding's own table. Nothing is stored for it. */
  tiedHead(path: string, embedding: Embedding): Linear {
    return this.#add(new Linear(this.#name(path), embedding.weight, null));
  }

  /** A tensor that belongs to no layer, such as ViT's class token. It is part of the module called `path`. */
  parameter(path: string, shape: readonly number[], init: Init = "normal"): Parameter {
    const name = this.#name(path);
    return this.#add(new Parameter(name, this.#tensors.get(name, shape, init)));
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

  /** Self-attention of the module at `path`, whose projections have been made. */
  attention(path: string, parts: AttentionParts): Attention {
    const site = new Attention(this.#name(path), parts);
    this.sites.push(site);
    return site;
  }

  /** The residual connection that closes a sub-layer. `path` is where AdapterHub keeps its adapters; "" is this very place. */
  residual(path: string, parts: ResidualParts): Residual {
    const site = new Residual(path === "" ? this.#prefix : this.#name(path), parts);
    this.sites.push(site);
    return site;
  }

  #name(path: string): string {
    return this.#prefix === "" ? path : `${this.#prefix}.${path}`;
  }
  #add<M extends Module>(module: M): M {
    this.modules.set(module.name, module);
    return module;
  }
}
