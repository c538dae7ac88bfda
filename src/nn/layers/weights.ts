/** How a model file requests its layers: by published name, with the expected shape. */
import type { Stored } from "../../ops/linear/linear.ts";
import type { Weight } from "../../tensor/tensor.ts";
import type { Ptr } from "../../wasm/memory.ts";
import { Attention, type AttentionParts } from "./attention.ts";
import { Embedding } from "./embedding.ts";
import { Linear } from "./linear.ts";
import { LayerNorm, RmsNorm } from "./norm.ts";
import { Parameter } from "./parameter.ts";
import { PatchConvolution } from "./patch-convolution.ts";
import { Residual, type ResidualParts } from "./residual.ts";

/** A layer that has a published name and weights. */
export type Module = Linear | PatchConvolution | Embedding | RmsNorm | LayerNorm | Parameter;

/** A site without its own weights where an adapter may act. */
export type Site = Attention | Residual;

/** The initialization of a tensor of a model without a checkpoint. */
export type Init = "normal" | "zeros" | "ones";

/**
 * The role of a tensor in the model, which determines how far it may be compressed: the matrix of a linear layer, by
 * its storage order, an output projection, a table of rows by id, or anything else.
 */
export type Role = Stored | "output" | "table" | "other";

/** An address in the memory of a tensor, or of what is at a place, by its name: for a model that is spread over several. */
export type Near = (name: string) => Ptr;

/** Where tensors come from: a checkpoint, a random generator, or nowhere (shapes only). */
export interface Tensors {
  get(name: string, shape: readonly number[], init: Init, role: Role): Weight;
  /** A tensor of a head, which checkpoints of other tasks lack: it then starts at random. */
  head(name: string, shape: readonly number[], init: Init): Weight;
}

/** Sizes of a linear layer. */
export interface LinearShape {
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** True if the layer has a bias; its path if that is not below the layer's own. */
  readonly bias?: boolean | string;
  /** "in-out" for GPT-2's Conv1D, whose matrices are published as [in, out]. */
  readonly stored?: Stored;
  /** Whether it is the projection to the vocabulary. */
  readonly output?: boolean;
}

/** A node in the tree of published names. Records every layer and every site created below it. */
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

  /** The part of the tree below `path`; "" is the whole tree. */
  at(path: string): Weights {
    return path === "" ? this : new Weights(this.#tensors, this.#name(path), this.modules, this.sites);
  }

  /**
   * The blocks of a stack, which `make` builds at `path`.0, `path`.1 and so on, with their published names and an address in the
   * memory that has them.
   */
  blocks<B extends object>(
    path: string,
    count: number,
    make: (w: Weights, layer: number) => B,
  ): (B & { name: string; near: Ptr })[] {
    return Array.from({ length: count }, (_, layer) => {
      const part = this.at(`${path}.${layer}`);
      const block = make(part, layer);
      return { ...block, name: part.#prefix, near: Array.from(this.modules.values()).at(-1)!.weight.ptr };
    });
  }

  linear(path: string, linear: LinearShape): Linear {
    const { inFeatures, outFeatures, bias = false, stored = "out-in", output = false } = linear;
    const name = this.#name(path);
    const shape = stored === "out-in" ? [outFeatures, inFeatures] : [inFeatures, outFeatures];
    const weight = this.#tensors.get(`${name}.weight`, shape, "normal", output ? "output" : stored);
    const biasPath = bias === true ? `${path}.bias` : bias || null;
    return this.#add(new Linear(name, weight, this.#vector(biasPath, outFeatures), stored));
  }

  /** The same node for tensors of a task: a tensor that a checkpoint of another task lacks starts at random. */
  ofTask(): Weights {
    const tensors = this.#tensors;
    const head: Tensors["head"] = (name, shape, init) => tensors.head(name, shape, init);
    return new Weights({ get: head, head }, this.#prefix, this.modules, this.sites);
  }

  /** A linear layer of a task's head. */
  head(path: string, shape: LinearShape): Linear {
    return this.ofTask().linear(path, shape);
  }

  /** An output projection that is the embedding's own table. Only its bias is stored, under the name `bias`. */
  tiedHead(path: string, embedding: Embedding, bias: string | null = null): Linear {
    return this.#add(new Linear(this.#name(path), embedding.weight, this.#vector(bias, embedding.rows)));
  }

  /** A tensor that belongs to no layer, such as ViT's class token. It is part of the module called `path`. */
  parameter(path: string, shape: readonly number[], init: Init = "normal"): Parameter {
    const name = this.#name(path);
    return this.#add(new Parameter(name, this.#tensors.get(name, shape, init, "other")));
  }

  /** A convolution over non-overlapping patches, published as `shape` [out, channels, height, width] with a bias. */
  patchConvolution(path: string, shape: readonly [number, number, number, number]): PatchConvolution {
    const name = this.#name(path);
    const weight = this.#tensors.get(`${name}.weight`, shape, "normal", "other");
    return this.#add(new PatchConvolution(name, weight, this.#vector(`${path}.bias`, shape[0])!));
  }

  embedding(path: string, rows: number, width: number): Embedding {
    const name = this.#name(path);
    return this.#add(new Embedding(name, this.#tensors.get(`${name}.weight`, [rows, width], "normal", "table")));
  }

  rmsNorm(path: string, width: number, eps: number): RmsNorm {
    const name = this.#name(path);
    return this.#add(new RmsNorm(name, this.#tensors.get(`${name}.weight`, [width], "ones", "other"), eps));
  }

  layerNorm(path: string, width: number, eps: number): LayerNorm {
    const name = this.#name(path);
    const weight = this.#tensors.get(`${name}.weight`, [width], "ones", "other");
    return this.#add(new LayerNorm(name, weight, this.#vector(`${path}.bias`, width)!, eps));
  }

  /** Self-attention of the module at `path`, whose projections already exist. */
  attention(path: string, parts: AttentionParts): Attention {
    const site = new Attention(this.#name(path), parts);
    this.sites.push(site);
    return site;
  }

  /** The residual connection that closes a sub-layer, in a module of the sub-layer that is published at `path`; "" is this one. */
  residual(path: string, parts: ResidualParts): Residual {
    return this.#site(new Residual(path === "" ? this.#prefix : this.#name(path), parts, false));
  }

  /** The same if the connection is in the block itself. */
  blockResidual(parts: ResidualParts): Residual {
    return this.#site(new Residual(this.#prefix, parts, true));
  }

  #site<S extends Site>(site: S): S {
    this.sites.push(site);
    return site;
  }

  #vector(path: string | null, size: number): Weight | null {
    return path === null ? null : this.#tensors.get(this.#name(path), [size], "zeros", "other");
  }
  #name(path: string): string {
    return this.#prefix === "" ? path : `${this.#prefix}.${path}`;
  }
  #add<M extends Module>(module: M): M {
    this.modules.set(module.name, module);
    return module;
  }
}
