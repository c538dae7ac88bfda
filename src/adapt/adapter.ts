/**
 * One adapter on one model: the tensors of a method at every layer and site that its options match, and everything else
 * that it trains.
 */
import { FormatError, UnsupportedError } from "../core/errors.ts";
import { StepBudget } from "../core/patterns/match-program.ts";
import { sizeOf } from "../core/shape.ts";
import type { RawConfig } from "../nn/config.ts";
import type { Embedding } from "../nn/layers/embedding.ts";
import type { Linear } from "../nn/layers/linear.ts";
import type { Module } from "../nn/layers/weights.ts";
import { readElements } from "../tensor/elements.ts";
import type { Param, Weight } from "../tensor/tensor.ts";
import type { Engine } from "../wasm/engine.ts";
import type { Base } from "./adaptable-model.ts";
import { byPattern, findCopied, findTargets, STEPS } from "./matching.ts";
import {
  type EmbeddingPart,
  type Lifecycle,
  type LinearPart,
  type MethodConfig,
  type MethodValues,
  optionsOf,
  type SiteParts,
} from "./method/define-method.ts";
import { headsOf } from "./method/head-modules.ts";
import { fullMatch } from "./method/python-pattern.ts";
import { type Exported, type MakeAt, type Purpose, type StoredShapes, TensorMaker } from "./method/tensor-maker.ts";
import { stackTables } from "./method/token-rows.ts";

export type { Base, BaseWeights } from "./adaptable-model.ts";

/** The prefix of every key in an adapter file: the attribute in which PEFT keeps the wrapped model. */
export const KEY_PREFIX = "base_model.model.";

/** A layer's own weight or bias, replaced by a trained copy while the adapter is active. */
export interface Replaced {
  readonly module: Module;
  readonly weight: Param | null;
  readonly bias: Param | null;
  /**
   * Whether the copy replaces the base's own parameters, as a trained bias does, instead of being counted in addition.
   */
  readonly standsIn: boolean;
}

/** Receives a warning. */
export type Warn = (message: string) => void;

/** The purpose of an adapter, and the file that fills it. */
export interface AdapterOrigin {
  readonly purpose: Purpose;
  readonly stored?: StoredShapes;
}

/** Layers that PEFT calls embeddings, of any kind: ties and base weights need care there. */
const embeddingNames = ["embed_tokens", "lm_head"];

export class Adapter {
  readonly name: string;
  /** Includes what was filled in when the adapter was created: its targets, and options that follow from them. */
  readonly config: MethodConfig;
  readonly linear = new Map<Linear, LinearPart>();
  readonly embedding = new Map<Embedding, EmbeddingPart>();
  readonly replaced: Replaced[] = [];
  readonly sites: SiteParts;
  readonly lifecycle: Lifecycle;
  /** The weights that it was made for. */
  readonly weightChanges: number;
  /** The labels of the head that it brings, as a config has them: null where it has no head, or is for the base's labels. */
  labels: RawConfig | null = null;
  readonly #maker: TensorMaker;
  readonly #prefix: string;
  /** The values of single layers, by the options that hold patterns. */
  readonly #patterns: ReadonlyMap<string, (name: string) => number | undefined>;

  /** Creates all tensors; they are not trainable yet. Leaves nothing behind if it throws. */
  constructor(name: string, config: MethodConfig, base: Base, { purpose, stored }: AdapterOrigin, warn: Warn) {
    this.name = name;
    this.weightChanges = base.weightChanges;
    const { method } = config;
    const { layers, values } = settled(config, base, warn, purpose === "load");
    this.config = { ...config, values };
    this.#prefix = method.keyPrefix ?? KEY_PREFIX;
    this.#patterns = new Map(
      Object.keys(method.patterns ?? {}).map((option) => [option, byPattern(patternsIn(values, option), option)]),
    );
    this.#maker = new TensorMaker({
      engine: base.engine,
      seed: values.seed,
      purpose,
      prefix: this.#prefix,
      stored: stored ?? null,
      near: base.near,
    });
    const make: MakeAt = (place) => this.#maker.at(place);
    try {
      const shared = method.shared?.(layers, values, make, base) ?? null;
      for (const layer of layers) this.#adapt(layer, base, shared);
      this.sites = method.sites?.(base, values, make, shared) ?? {};
      for (const [layer, part] of this.sites.linear ?? []) this.linear.set(layer, part);
      for (const [layer, part] of this.sites.embedding ?? []) this.embedding.set(layer, part);
      this.#copyModules(base, warn);
      this.#copyBiases(base);
      this.lifecycle = method.lifecycle?.([...this.linear.values()], values, make, shared) ?? {};
    } catch (error) {
      this.dispose();
      throw error;
    }
    this.#warnOfPatterns(warn);
    this.#warnOfTies(base, warn);
    this.#warnOfShared(base, warn);
  }

  /** Trained tensors by their keys in a file, in the order of the model. */
  get params(): ReadonlyMap<string, Param> {
    return this.#maker.params;
  }
  /** The contents of a file except for computed tensors: trained and kept ones. */
  get saved(): Map<string, Param> {
    const { params, kept, unsaved } = this.#maker;
    return new Map([...params, ...kept].filter(([key]) => !unsaved.has(key)));
  }
  /** Kept tensors, which a file may omit. */
  get kept(): ReadonlyMap<string, Param> {
    return this.#maker.kept;
  }
  /** Tensors that are computed when they are saved. */
  get exported(): ReadonlyMap<string, Exported> {
    return this.#maker.exported;
  }
  get trainable(): boolean {
    return Array.from(this.#maker.params.values()).some((param) => param.trainable);
  }
  setTrainable(trainable: boolean): void {
    const { inferenceOnly = [] } = this.config;
    if (trainable && inferenceOnly.length > 0) {
      const names = inferenceOnly.map((key) => `"${key}"`).join(" and ");
      throw new UnsupportedError(
        `adapter "${this.name}" was trained with ${names}, which this version can run but not train: load it for inference`,
      );
    }
    for (const param of this.#maker.params.values()) param.setTrainable(trainable);
  }
  /** The number of trained parameters, and how many of them replace parameters of the base (biases). */
  count(): { params: number; standIns: number } {
    const params = Array.from(this.#maker.params.values()).reduce((sum, { size }) => sum + size, 0);
    const standing = this.replaced.filter(({ standsIn }) => standsIn);
    return { params, standIns: standing.reduce((sum, { bias }) => sum + (bias?.size ?? 0), 0) };
  }

  /**
   * Base weights that are also saved, by file key, as with PEFT's `save_embedding_layers="auto"`: those of the adapted
   * input embedding and output projection, if at least one of them is a target by its usual name.
   */
  savedBase(base: Base): Map<string, Weight> {
    const { method, values } = this.config;
    const { targetModules } = values;
    if (!targetModules || method.copies || method.savesTables?.(values) === false) return new Map();
    const targeted =
      typeof targetModules === "string"
        ? [...base.layers.keys()]
            .filter((name) => embeddingNames.includes(lastPart(name)))
            .some(fullMatch(targetModules, "targetModules"))
        : embeddingNames.some((name) => targetModules.includes(name));
    if (!targeted) return new Map();
    const input = Array.from(base.layers.values()).find(({ kind }) => kind === "embedding")?.name;
    const adapted = [...this.embedding.keys(), ...this.linear.keys()];
    const ends = adapted.filter(({ name }) => name === input || name === base.headName);
    return new Map(
      ends.map((layer) => [`${this.#prefix}${layer.name}.base_layer.weight`, base.weightsOf(layer).weight]),
    );
  }

  /** The prefix of its keys. */
  get keyPrefix(): string {
    return this.#prefix;
  }

  /** Bytes of all its tensors, gradients included. */
  get bytes(): number {
    return this.#maker.bytes;
  }

  dispose(): void {
    this.#maker.dispose();
  }

  #adapt(layer: Module, base: Base, shared: unknown): void {
    const { method, values } = this.config;
    if (method.copies !== undefined) {
      this.#copyLayer(layer, base, `.${method.copies}`);
      return;
    }
    const here = { ...values, ...this.#patternValues(layer.name) };
    const make = this.#maker.at(layer.name);
    if (layer.kind === "linear") this.linear.set(layer, method.linear!(layer, here, make, shared));
    else if (layer.kind === "embedding") this.embedding.set(layer, method.embedding!(layer, here, make, shared));
  }

  /** modules_to_save: a fully trained copy of the whole layer. */
  #copyModules(base: Base, warn: Warn): void {
    const own = this.config.values.modulesToSave ?? [];
    const byTask = this.#trainsHeads() ? headsOf(base.traits) : [];
    const all = [...base.layers.keys()];
    const named = findCopied(
      all,
      own.filter((entry) => !byTask.includes(entry)),
      warn,
    );
    const heads = this.#fromHub
      ? all.filter((name) => this.#maker.has(`${name}.weight`))
      : findCopied(all, byTask, () => {}); // a model has at most one of them
    for (const name of all.filter((each) => named.includes(each) || heads.includes(each))) {
      this.#copyLayer(base.layers.get(name)!, base, "");
    }
  }

  /** PEFT's configs without modules_to_save leave heads unchanged. */
  #trainsHeads(): boolean {
    const { method } = this.config;
    return method.format === "adapterhub" || Object.hasOwn(optionsOf(method), "modulesToSave");
  }

  /** Whether it is filled from an AdapterHub folder: either the folder has a head, or the base keeps its own. */
  get #fromHub(): boolean {
    return this.config.method.format === "adapterhub" && this.#maker.loading;
  }

  #copyLayer(module: Module, base: Base, suffix: string): void {
    const { weight, bias } = base.weightsOf(module);
    const own = module.kind === "parameter" ? module.name : `${module.name}${suffix}.weight`;
    const copy = this.#copy(base.engine, `${module.name}.weight`, weight, own);
    const copiedBias = bias && this.#copy(base.engine, `${module.name}.bias`, bias, `${module.name}${suffix}.bias`);
    this.replaced.push({ module, weight: copy, bias: copiedBias, standsIn: false });
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
      const copy = this.#copy(base.engine, `${module.name}.bias`, bias, savedAs);
      this.replaced.push({ module, weight: null, bias: copy, standsIn: true });
    }
  }

  #copy(engine: Engine, name: string, from: Weight, savedAs: string): Param {
    const start = (values: Float32Array) => values.set(readElements(engine.memory, from));
    return this.#maker.param(this.#prefix + savedAs, from.shape, start, name, from.ptr);
  }

  #warnOfPatterns(warn: Warn): void {
    const { method, values } = this.config;
    const names = [...this.linear.keys(), ...this.embedding.keys()].map((layer) => layer.name);
    for (const option of Object.keys(method.patterns ?? {})) {
      const budget = new StepBudget(STEPS);
      const idle = Object.keys(patternsIn(values, option)).filter((key) => {
        const fits = byPattern({ [key]: 0 }, option, budget);
        return !names.some((name) => fits(name) !== undefined);
      });
      if (idle.length > 0) warn(`${option} ${JSON.stringify(idle)} match no adapted module`);
    }
  }

  /** The options of one layer that patterns override. */
  #patternValues(name: string): Record<string, number> {
    const found: Record<string, number> = {};
    for (const [option, replaces] of Object.entries(this.config.method.patterns ?? {})) {
      const value = this.#patterns.get(option)!(name);
      if (value !== undefined) found[replaces as string] = value;
    }
    return found;
  }

  /** PEFT wraps the module "shared", which its stacks do not run: each of them has the table under a separate name. */
  #warnOfShared(base: Base, warn: Warn): void {
    if (this.config.method.format === "adapterhub") return;
    const { targetModules, modulesToSave } = this.config.values;
    const named = (entries: unknown) => [entries ?? []].flat().some((entry) => String(entry).endsWith("shared"));
    const adapted = [...this.embedding.keys(), ...this.replaced.map(({ module }) => module)];
    const shared = adapted.find((layer) => stackTables(base, layer as Embedding).length > 0);
    const chosen = named(targetModules) || named(modulesToSave) || targetModules === "all-linear";
    if (shared === undefined || !chosen || this.#keepsRows(shared)) return;
    warn(
      `adapter "${this.name}" changes "${shared.name}", the table of both stacks. PEFT wraps that module alone, which they do not run: ` +
        "loaded there, this part of the adapter does nothing",
    );
  }

  /** Whether only rows of single tokens are trained, which PEFT carries over to the stacks. */
  #keepsRows(layer: Module): boolean {
    return layer.kind === "embedding" && this.embedding.get(layer)?.change !== undefined;
  }

  #warnOfTies(base: Base, warn: Warn): void {
    const head = base.layers.get(base.headName);
    if (!head || this.sites.linear?.has(head as Linear)) return;
    const { weight } = base.weightsOf(head);
    const isTied = Array.from(base.layers.values()).some(
      (layer) => layer !== head && base.weightsOf(layer).weight === weight,
    );
    const { targetModules, modulesToSave } = this.config.values;
    const entries = [...(typeof targetModules === "string" ? [] : (targetModules ?? [])), ...(modulesToSave ?? [])];
    if (!isTied || !entries.some((entry) => embeddingNames.includes(lastPart(entry)))) return;
    warn(
      `"${base.headName}" is tied to the embedding but adapter "${this.name}" changes only one of them: the other stays unchanged`,
    );
  }
}

/**
 * Listed without allocation: names and shapes of the tensors that an adapter would train, and how many parameters
 * replace the base's.
 */
export function listAdapter(
  config: MethodConfig,
  base: Base,
  warn: Warn,
): { tensors: { name: string; shape: readonly number[]; size: number }[]; standIns: number } {
  const adapter = new Adapter("default", config, base, { purpose: "list" }, warn);
  const tensors = Array.from(adapter.params, ([name, { shape }]) => ({ name, shape, size: sizeOf(shape) }));
  return { tensors, standIns: adapter.count().standIns };
}

/** The layers that an adapter adapts, and its options completed with what follows from them. */
function settled(
  config: MethodConfig,
  base: Base,
  warn: Warn,
  isLoaded: boolean,
): { layers: readonly Module[]; values: MethodValues } {
  const { method } = config;
  const heads = headsOf(base.traits);
  const saved = config.values.modulesToSave ?? [];
  const inFile = method.options.modulesToSave ?? (method.common ?? { modulesToSave: true }).modulesToSave;
  const named = heads.length > 0 && inFile;
  const values = {
    ...config.values,
    ...(named && { modulesToSave: [...saved, ...heads.filter((head) => !saved.includes(head))] }),
    ...(!config.namesTask && config.file === null && { taskType: base.traits.taskType }),
  } as MethodValues;
  const byDefault =
    method.targets === undefined ? base.targets.linear : (method.targets?.(base.targets, base, values) ?? null);
  if (method.targets === null || (byDefault === null && !values.targetModules)) {
    return { layers: [], values: { ...values, ...method.settle?.(values, [], warn, base) } as MethodValues };
  }
  const { linear, suggested } = base.targets;
  if (byDefault?.length === 0 && !values.targetModules) {
    const example = byDefault === linear && suggested ? `, such as targetModules: ${JSON.stringify(suggested)}` : "";
    throw new FormatError(
      `PEFT has no default targetModules of ${method.peftType} for "${base.modelType}": specify them${example}`,
    );
  }
  const names = { layers: [...base.layers.keys()], allLinear: base.allLinear, byDefault: byDefault ?? [] };
  const found = findTargets(names, values, isLoaded ? warn : undefined); // files of PEFT may hold idle entries
  const layers = adaptable(
    found.targets.map((target) => base.layers.get(target)!),
    config,
  );
  const own = { ...values, targetModules: found.targetModules };
  return { layers, values: { ...own, ...method.settle?.(own, layers, warn, base) } as MethodValues };
}

/** The layers, after checking that the method supports each kind. */
function adaptable(layers: readonly Module[], { method }: MethodConfig): readonly Module[] {
  if (method.copies !== undefined) return layers;
  const knows = (layer: Module) =>
    (layer.kind === "linear" && method.linear) || (layer.kind === "embedding" && method.embedding);
  const foreign = layers.filter((layer) => !knows(layer));
  if (foreign.length === 0) return layers;
  const kinds = (["linear", "embedding"] as const).filter((kind) => method[kind]).join(" and ");
  const list = foreign.slice(0, 3).map(({ name, kind }) => `"${name}" (${kind})`);
  throw new UnsupportedError(`${method.peftType} adapts ${kinds} layers, but targetModules match ${list.join(", ")}`);
}

/** The `bias` option of methods that have it. */
export function biasOf({ values }: MethodConfig): string {
  return ((values as Readonly<Record<string, unknown>>).bias as string | undefined) ?? "none";
}

function patternsIn(values: MethodValues, option: string): Readonly<Record<string, number>> {
  return ((values as Readonly<Record<string, unknown>>)[option] ?? {}) as Readonly<Record<string, number>>;
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}
