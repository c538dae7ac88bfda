/** One adapter on one model: the tensors of a method at every layer that its options reach, and what else it trains. */
import { UnsupportedError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import type { Embedding } from "../nn/embedding.ts";
import type { Linear } from "../nn/linear.ts";
import type { Module } from "../nn/weights.ts";
import { readElements } from "../tensor/elements.ts";
import type { Param, Weight } from "../tensor/tensor.ts";
import type { Engine } from "../wasm/engine.ts";
import type { EmbeddingPart, LinearPart, MethodConfig, MethodValues } from "./define-method.ts";
import { type Purpose, TensorMaker } from "./make.ts";
import { byPattern, findCopied, findTargets, type Names } from "./matching.ts";
import { fullMatch } from "./python-pattern.ts";

/** What every key in an adapter file begins with: where PEFT keeps the model it wraps. */
export const KEY_PREFIX = "base_model.model.";

/** The weights of a layer before any adapter. */
export interface BaseWeights {
  readonly weight: Weight;
  readonly bias: Weight | null;
}

/** The model as adapters see it. */
export interface Base {
  readonly engine: Engine;
  readonly layers: ReadonlyMap<string, Module>;
  readonly names: Names;
  readonly headName: string;
  weightsOf(module: Module): BaseWeights;
  /** From now on this is the layer's own weight. */
  replaceWeight(module: Module, weight: Weight): void;
}

/** A layer's own weight or bias, replaced by a trained copy while the adapter is active. */
export interface Replaced {
  readonly module: Module;
  readonly weight: Param | null;
  readonly bias: Param | null;
}

export type Warn = (message: string) => void;

/** Layers that PEFT calls embeddings, whatever they are: where ties and base weights need care. */
const embeddingNames = ["embed_tokens", "lm_head"];

export class Adapter {
  readonly name: string;
  /** With what was filled in when the adapter was made: its targets, and options that follow from them. */
  readonly config: MethodConfig;
  readonly linear = new Map<Linear, LinearPart>();
  readonly embedding = new Map<Embedding, EmbeddingPart>();
  readonly replaced: Replaced[] = [];
  readonly #maker: TensorMaker;

  /** Makes all tensors; they are not trainable yet. Throws before anything is left behind. */
  constructor(name: string, config: MethodConfig, base: Base, purpose: Purpose, warn: Warn) {
    this.name = name;
    const found = findTargets(base.names, config.values, warn);
    const layers = adaptable(
      found.targets.map((target) => base.layers.get(target)!),
      config,
    );
    const own = { ...config.values, targetModules: found.targetModules };
    const values = { ...own, ...config.method.settle?.(own, layers, warn) } as MethodValues;
    this.config = { ...config, values };
    this.#maker = new TensorMaker(base.engine, values.seed, purpose);
    try {
      for (const layer of layers) this.#adapt(layer);
      this.#copyModules(base, warn);
      this.#copyBiases(base);
    } catch (error) {
      this.dispose();
      throw error;
    }
    this.#warnOfPatterns(warn);
    this.#warnOfTies(base, warn);
  }

  /** Trained tensors by the name that they have in a file, in the order of the model. */
  get params(): Map<string, Param> {
    return new Map(Array.from(this.#maker.params, ([name, param]) => [KEY_PREFIX + name, param]));
  }
  get trainable(): boolean {
    return Array.from(this.#maker.params.values()).some((param) => param.trainable);
  }
  setTrainable(trainable: boolean): void {
    for (const param of this.#maker.params.values()) param.setTrainable(trainable);
  }
  /** How many numbers are trained, and how many of those stand in for numbers of the base (biases). */
  count(): { params: number; standIns: number } {
    const params = Array.from(this.#maker.params.values()).reduce((sum, { size }) => sum + size, 0);
    const biases = this.replaced.filter(({ weight }) => weight === null);
    return { params, standIns: biases.reduce((sum, { bias }) => sum + (bias?.size ?? 0), 0) };
  }

  /**
   * Base weights that are saved along, by file key, as PEFT's `save_embedding_layers="auto"` has it: those of the input embedding
   * and the output projection where they are adapted, as soon as one of them is a target by its usual name.
   */
  savedBase(base: Base): Map<string, Weight> {
    const { targetModules } = this.config.values;
    const targeted =
      typeof targetModules === "string"
        ? base.names.layers
            .filter((name) => embeddingNames.includes(lastPart(name)))
            .some(fullMatch(targetModules, "targetModules"))
        : embeddingNames.some((name) => targetModules!.includes(name));
    if (!targeted) return new Map();
    const input = Array.from(base.layers.values()).find(({ kind }) => kind === "embedding")?.name;
    const adapted = [...this.embedding.keys(), ...this.linear.keys()];
    const ends = adapted.filter(({ name }) => name === input || name === base.headName);
    return new Map(ends.map((layer) => [`${KEY_PREFIX}${layer.name}.base_layer.weight`, base.weightsOf(layer).weight]));
  }

  dispose(): void {
    this.#maker.dispose();
  }

  #adapt(layer: Linear | Embedding): void {
    const { method, values } = this.config;
    const here = { ...values, ...patternValues(this.config, layer.name) };
    const make = this.#maker.for(layer.name);
    if (layer.kind === "linear") this.linear.set(layer, method.linear!(layer, here, make));
    else this.embedding.set(layer, method.embedding!(layer, here, make));
  }

  /** modules_to_save: a copy of the whole layer, trained in full. */
  #copyModules(base: Base, warn: Warn): void {
    const entries = this.config.values.modulesToSave ?? [];
    if (entries.length === 0) return;
    for (const name of findCopied([...base.layers.keys()], entries, warn)) {
      const module = base.layers.get(name)!;
      const { weight, bias } = base.weightsOf(module);
      const copy = this.#copy(base.engine, `${name}.weight`, weight);
      this.replaced.push({ module, weight: copy, bias: bias && this.#copy(base.engine, `${name}.bias`, bias) });
    }
  }

  /** `bias`: "all" trains every bias of the model, "..._only" those of adapted layers. */
  #copyBiases(base: Base): void {
    const kind = biasOf(this.config);
    if (kind === "none") return;
    const copied = new Set(this.replaced.map(({ module }) => module));
    for (const module of base.layers.values()) {
      const adapted = module.kind === "linear" && this.linear.has(module);
      const { bias } = base.weightsOf(module);
      if (bias === null || copied.has(module) || (kind !== "all" && !adapted)) continue;
      const savedAs = adapted ? `${module.name}.base_layer.bias` : `${module.name}.bias`;
      this.replaced.push({ module, weight: null, bias: this.#copy(base.engine, `${module.name}.bias`, bias, savedAs) });
    }
  }

  #copy(engine: Engine, name: string, from: Weight, savedAs = name): Param {
    return this.#maker.param(name, from.shape, (values) => values.set(readElements(engine.memory, from)), savedAs);
  }

  #warnOfPatterns(warn: Warn): void {
    const { method, values } = this.config;
    const names = [...this.linear.keys(), ...this.embedding.keys()].map((layer) => layer.name);
    for (const option of Object.keys(method.patterns ?? {})) {
      const patterns = patternsIn(values, option);
      const fits = (key: string) => names.some((name) => byPattern({ [key]: 0 }, name, option) !== undefined);
      const idle = Object.keys(patterns).filter((key) => !fits(key));
      if (idle.length > 0) warn(`${option} ${JSON.stringify(idle)} match no adapted module`);
    }
  }

  #warnOfTies(base: Base, warn: Warn): void {
    const head = base.layers.get(base.headName)!;
    const { weight } = base.weightsOf(head);
    const isTied = Array.from(base.layers.values()).some(
      (layer) => layer !== head && base.weightsOf(layer).weight === weight,
    );
    const { targetModules, modulesToSave } = this.config.values;
    const entries = [...(typeof targetModules === "string" ? [] : (targetModules ?? [])), ...(modulesToSave ?? [])];
    if (!isTied || !entries.some((entry) => embeddingNames.includes(lastPart(entry)))) return;
    warn(
      `"${base.headName}" is tied to the embedding and one of them is part of adapter "${this.name}": the other does not follow`,
    );
  }
}

/** Listed, not made: names and shapes of what an adapter would train. */
export function listAdapter(
  config: MethodConfig,
  base: Base,
  warn: Warn,
): { name: string; shape: readonly number[]; size: number }[] {
  const adapter = new Adapter("default", config, base, "list", warn);
  return Array.from(adapter.params, ([name, { shape }]) => ({ name, shape, size: sizeOf(shape) }));
}

/** The layers, once it is sure that the method knows each kind. */
function adaptable(layers: readonly Module[], { method }: MethodConfig): (Linear | Embedding)[] {
  const foreign = layers.filter((layer) => layer.kind === "norm" || method[layer.kind] === undefined);
  if (foreign.length === 0) return layers as (Linear | Embedding)[];
  const kinds = (["linear", "embedding"] as const).filter((kind) => method[kind]).join(" and ");
  const list = foreign.slice(0, 3).map(({ name, kind }) => `"${name}" (${kind})`);
  throw new UnsupportedError(`${method.peftType} adapts ${kinds} layers, but targetModules match ${list.join(", ")}`);
}

/** `bias` of methods that have it. */
export function biasOf({ values }: MethodConfig): string {
  return ((values as Readonly<Record<string, unknown>>).bias as string | undefined) ?? "none";
}

/** Options of one layer where patterns say otherwise than for the rest. */
function patternValues({ method, values }: MethodConfig, name: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [option, replaces] of Object.entries(method.patterns ?? {})) {
    const value = byPattern(patternsIn(values, option), name, option);
    if (value !== undefined) found[replaces as string] = value;
  }
  return found;
}

function patternsIn(values: MethodValues, option: string): Readonly<Record<string, number>> {
  return ((values as Readonly<Record<string, unknown>>)[option] ?? {}) as Readonly<Record<string, number>>;
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}
