/**
 * A model with named adapters on it. The base is changed in place, as in PEFT: layers run through whatever adapters are active.
 * Which adapters are active and which are trained are two questions, asked apart.
 */
import { openSource, openTarget, type SourceLike, type TargetLike } from "../checkpoint/open.ts";
import { FormatError, ShapeError, StateError, UnsupportedError } from "../core/errors.ts";
import type { Source } from "../core/host.ts";
import { formatShape } from "../core/shape.ts";
import { didYouMean } from "../core/similar.ts";
import type { Task } from "../core/task.ts";
import type { CausalLM } from "../nn/causal-lm.ts";
import type { KvCache } from "../nn/kv-cache.ts";
import type { Measured, Model, ProblemType } from "../nn/model.ts";
import type { PassOptions } from "../nn/pass.ts";
import type { Labelled, LabelledSequences, Sequences } from "../nn/sequences.ts";
import { scaleBy } from "../ops/elementwise.ts";
import { concatenateRows } from "../ops/rows.ts";
import { Tape, type Value } from "../tape/tape.ts";
import type { Param, Weight } from "../tensor/tensor.ts";
import { Adapter, type AdapterOrigin, biasOf, type Replaced, type Warn } from "./adapter.ts";
import { openHubFusion } from "./adapterhub.ts";
import { readSetup, subFolder, writeSetup } from "./adapterhub-setup.ts";
import { bakeReplaced } from "./bake.ts";
import { type Base, baseOf } from "./base.ts";
import { composed, placeOf } from "./compose.ts";
import { activeHeads, attachHeads } from "./composed-heads.ts";
import { type Block, blocksIn, copiesIn, expectNestable, fusionName, namesIn } from "./composition.ts";
import { repeated, repeatedRows } from "./copies.ts";
import { checkedValues, type MethodConfig, methodName } from "./define-method.ts";
import { convertedAdapter, type LoraSize, type WeightedOptions, weightedAdapter } from "./derive.ts";
import { Fusion, type FusionOptions, fusionOptions } from "./fusion.ts";
import { methodNamed } from "./known-methods.ts";
import { openTensorsFor, readAdapterConfig, readFusion, readTensors } from "./load.ts";
import type { StoredShapes } from "./make.ts";
import { expectMergeable, mergeInto, type Originals, restore } from "./merge.ts";
import { BASE_ROUTE, route, virtualOf } from "./routes.ts";
import { writeAdapter, writeFusion } from "./save.ts";
import { type Spelling, trainableLine } from "./trainable-line.ts";

/** The adapter that lies at the root of a folder; others have sub-folders by name. */
export const DEFAULT_ADAPTER = "default";

export interface AdapterOptions {
  adapterName?: string;
  /** Told of what is odd but not wrong. By default `console.warn`. */
  onWarning?: Warn;
}

export interface GetPeftModelOptions extends AdapterOptions {
  /** Decides the random start; the config's own `seed` by default. */
  seed?: number;
}

export interface LoadAdapterOptions {
  /** Go on training it. An adapter for inference has no gradients, which halves its memory. */
  isTrainable?: boolean;
  /** Options of the method, in camelCase, to use instead of the file's: another dropout, for instance. */
  values?: Readonly<Record<string, unknown>>;
}

export interface LoadFusionOptions extends LoadAdapterOptions {
  /** The fused adapters in the order of the file, where they have other names here. */
  adapterNames?: readonly string[];
}

/**
 * Puts a fresh adapter on a model, active and trainable. The model is changed in place.
 *
 * @example
 * const model = getPeftModel(base, lora({ r: 8, loraAlpha: 16 }));
 */
export function getPeftModel<M extends Model>(
  model: M,
  config: MethodConfig,
  options: GetPeftModelOptions = {},
): PeftModel<M> {
  const { adapterName = DEFAULT_ADAPTER, seed = config.values.seed } = options;
  const peft = new PeftModel(model, options);
  peft.addAdapter(adapterName, changed(config, { seed }));
  peft.setAdapter(adapterName);
  peft.setTrainable(adapterName, !config.values.inferenceMode);
  return peft;
}

export interface RoutedOptions extends PassOptions {
  /** The adapter of each sequence, "__base__" for none: all in one pass of the base. */
  readonly adapterNames?: readonly string[];
}

export interface MergeOptions {
  /** Which adapters, the active ones by default. */
  adapterNames?: readonly string[];
  /** Change nothing unless every result is finite. */
  safeMerge?: boolean;
}

/** A model with named adapters on it: add, load, activate, train, merge and save them. */
export class PeftModel<M extends Model = Model> {
  /** The model below. Its layers run through the active adapters until `dispose` or `unload`. */
  readonly base: M;
  readonly #layers: Base;
  readonly #warn: Warn;
  readonly #adapters = new Map<string, Adapter>();
  readonly #originals: Originals = new Map();
  readonly #fusions = new Map<string, Fusion>();
  #active: readonly string[] = [];
  /** How the active adapters work together where they meet at a residual connection. */
  #composition: Block = { type: "Stack", children: [] };
  #merged: readonly string[] = [];
  #enabled = true;

  /** A model without adapters yet: see `getPeftModel` and `PeftModel.fromPretrained`. */
  constructor(model: M, { onWarning = console.warn }: { onWarning?: Warn } = {}) {
    this.base = model;
    this.#layers = baseOf(model);
    this.#warn = onWarning;
  }

  /**
   * Loads an adapter folder, written here, by PEFT or by AdapterHub, on top of a model: active, and trainable when asked for. A
   * folder with several bottleneck adapters and how they work together is loaded as a whole.
   *
   * @example
   * const model = await PeftModel.fromPretrained(base, "runs/sonnets/adapter");
   */
  static async fromPretrained<M extends Model>(
    model: M,
    source: SourceLike,
    options: AdapterOptions & LoadAdapterOptions = {},
  ): Promise<PeftModel<M>> {
    const { adapterName = DEFAULT_ADAPTER } = options;
    const peft = new PeftModel(model, options);
    const folder = openSource(source);
    const setup = await readSetup(folder);
    if (setup !== null) {
      await peft.#loadSetup(folder, setup, options);
      return peft;
    }
    await peft.loadAdapter(folder, adapterName, options);
    peft.setAdapter(adapterName);
    return peft;
  }

  async #loadSetup(source: Source, setup: Block, options: LoadAdapterOptions): Promise<void> {
    for (const name of namesIn(setup)) {
      await this.loadAdapter(subFolder(source, name === DEFAULT_ADAPTER ? "" : name), name, options);
    }
    const fused = blocksIn(setup).flatMap((block) => (block.type === "Fuse" ? [block.name] : []));
    const { isTrainable = false } = options;
    for (const name of fused) await this.loadAdapterFusion(subFolder(source, name), { isTrainable });
    this.setAdapter(setup);
  }

  // ---- the model

  get engine() {
    return this.base.engine;
  }
  get vocabSize(): number {
    return this.base.vocabSize;
  }
  get contextLength(): number {
    return this.base.contextLength;
  }
  /** Replaces every dropout probability of the base's config in training, when set. Adapters keep their own. */
  get dropout(): number | null {
    return this.base.dropout;
  }
  set dropout(p: number | null) {
    this.base.dropout = p;
  }
  get task(): Task {
    return this.base.task;
  }
  /**
   * Losses of everything that is labelled: see `Model.loss`. In training, what the method adds is one more row. Adapters in
   * parallel have their losses one after the other, so that their mean is the sum of the adapters' means.
   */
  loss(tape: Tape, batch: LabelledSequences): Value {
    const copies = this.#copies();
    const losses = this.base.loss(tape, repeated(copies === 1 && this.#trainsAll() ? batch : whole(batch), copies));
    const penalties = tape.recording ? this.#applied().flatMap(({ whole }) => whole.penalty?.(tape) ?? []) : [];
    if (tape.recording) penalties.push(...this.#appliedFusions().flatMap((fusion) => fusion.penalty(tape) ?? []));
    if (penalties.length === 0) return losses;
    // Each row will count 1 / labels of the step; the penalty counts as much as the mean of these rows.
    return concatenateRows([losses, ...penalties.map((penalty) => scaleBy(penalty, losses.shape[0]! / copies))]);
  }
  /** Losses and what they are computed from, for metrics: see `Model.measure`. */
  measure(tape: Tape, batch: LabelledSequences): Measured | null {
    return this.base.measure(tape, batch);
  }
  get labelNames(): readonly string[] | null {
    return this.base.labelNames;
  }
  get problemType(): ProblemType | null {
    return this.base.problemType;
  }
  countLabels(example: Labelled): number {
    return this.base.countLabels(example);
  }
  problemWith(example: Labelled): string | null {
    return this.base.problemWith(example);
  }
  /** What the model says of each sequence: see `Model.outputs`. */
  outputs(tape: Tape, sequences: Sequences, options: RoutedOptions = {}): Value {
    return this.#routed(options, (rest) => this.base.outputs(tape, repeated(sequences, this.#copies(rest)), rest));
  }
  /** Logits of rows: see `CausalLM.logits`. `adapterNames` gives each sequence its own adapter. */
  logits(
    this: PeftModel<CausalLM>,
    tape: Tape,
    sequences: Sequences,
    rows?: Int32Array,
    options: RoutedOptions = {},
  ): Value {
    return this.#routed(options, (rest) => {
      const copies = this.#copies(rest);
      const all = rows && repeatedRows(rows, sequences.starts.at(-1)!, copies);
      return this.base.logits(tape, repeated(sequences, copies), all, rest);
    });
  }
  /** Hidden rows after the last norm: see `CausalLM.hidden`. */
  hidden(this: PeftModel<CausalLM>, tape: Tape, sequences: Sequences, options?: PassOptions): Value {
    return this.base.hidden(tape, repeated(sequences, this.#copies(options)), options);
  }
  /** Logits of a batch on the host: see `CausalLM.forward`. `adapterNames` gives each sequence its own adapter. */
  forward(sequences: Sequences, options: RoutedOptions = {}): Float32Array {
    return Tape.once(this.engine, {}, (tape) => tape.download(this.outputs(tape, sequences, options)));
  }
  /** A key-value cache. What it holds belongs to the adapters that were active when it was filled. */
  cache(this: PeftModel<CausalLM>, capacity: number, sequences?: number): KvCache {
    return this.base.cache(capacity, sequences);
  }

  #routed<T>({ adapterNames, ...options }: RoutedOptions, run: (options: PassOptions) => T): T {
    if (adapterNames === undefined) return run(options);
    for (const name of adapterNames) if (name !== BASE_ROUTE) this.#get(name);
    if (this.#merged.length > 0)
      throw new StateError(`adapters ${quoted(this.#merged)} are merged: unmerge them to give each sequence its own`);
    try {
      route(this.#layers, adapterNames, this.#adapters);
      return run({ ...options, virtual: virtualOf(adapterNames, this.#adapters) });
    } finally {
      this.#refresh();
    }
  }

  /** How often a batch is run: once for each of the adapters in parallel. */
  #copies({ cache = null, virtual = [] }: PassOptions = {}): number {
    const copies = this.#enabled && virtual.length === 0 ? copiesIn(this.#composition) : 1;
    if (copies > 1 && cache !== null)
      throw new StateError("adapters in parallel cannot share a key-value cache: activate one of them to generate");
    return copies;
  }

  /** Adapters that act now. */
  #applied(): Adapter[] {
    const active = this.#enabled ? this.#active.map((name) => this.#get(name)) : [];
    return active.filter(({ name }) => !this.#merged.includes(name));
  }

  /** Whether all that acts is trained: below it the base is by itself. */
  #trainsAll(): boolean {
    return this.#applied().every(({ trainable }) => trainable);
  }

  #appliedFusions(): Fusion[] {
    const fused = this.#enabled ? blocksIn(this.#composition).filter((block) => block.type === "Fuse") : [];
    return [...new Set(fused.flatMap(({ name }) => this.#fusions.get(name) ?? []))];
  }

  // ---- adapters by name

  /** Config of each adapter, with its targets filled in. */
  get peftConfig(): ReadonlyMap<string, MethodConfig> {
    return new Map(Array.from(this.#adapters, ([name, { config }]) => [name, config]));
  }
  get activeAdapters(): readonly string[] {
    return this.#active;
  }
  get mergedAdapters(): readonly string[] {
    return this.#merged;
  }
  get adaptersEnabled(): boolean {
    return this.#enabled;
  }

  /** Adds a fresh adapter, neither active nor trainable yet. */
  addAdapter(name: string, config: MethodConfig): void {
    const baseModelNameOrPath = config.values.baseModelNameOrPath ?? (this.base.nameOrPath || null);
    this.#add(name, changed(config, { baseModelNameOrPath }), { purpose: "fresh" });
  }

  /** Loads an adapter folder under a name, not active yet. Leaves the model as it was when the folder does not fit. */
  async loadAdapter(
    from: SourceLike,
    name: string,
    { isTrainable = false, values = {} }: LoadAdapterOptions = {},
  ): Promise<void> {
    const source = openSource(from);
    try {
      const config = changed(await readAdapterConfig(source, this.#warn), values);
      const tensors = await openTensorsFor(config, source, this.#layers);
      const adapter = this.#addFrom(source.name, name, config, { purpose: "load", stored: tensors });
      try {
        await readTensors(adapter, this.#layers, tensors, this.base, source.name);
      } catch (error) {
        this.#adapters.delete(name);
        adapter.dispose();
        throw error;
      }
      adapter.setTrainable(isTrainable);
    } finally {
      await source.close();
    }
  }

  /**
   * Makes one adapter active, or several whose changes add up; bottleneck adapters act one after the other. A composition
   * (`stack`, `fuse`, `split`, `parallel`, `average`, `batchSplit`) says how bottleneck adapters work together. Whether they are
   * trained stays as it is.
   */
  setAdapter(names: string | readonly string[] | Block): void {
    const composition = isBlock(names) ? names : { type: "Stack" as const, children: [...new Set([names].flat())] };
    const wanted = namesIn(composition);
    for (const name of wanted) this.#get(name);
    this.#expectComposable(composition);
    const shared = this.#composes(wanted) ? null : this.#sharedLayer(wanted);
    if (shared !== null)
      throw new StateError(
        `adapters ${quoted(wanted)}: more than one has its own copy of "${shared}"; activate one at a time`,
      );
    const prompts = wanted.filter((name) => this.#get(name).sites.virtual);
    if (prompts.length > 1)
      throw new StateError(
        `adapters ${quoted(prompts)} all put virtual tokens before the text; activate one at a time`,
      );
    if (this.#merged.length > 0) {
      this.#warn(`adapters ${quoted(this.#merged)} are unmerged, since other adapters become active`);
      this.unmergeAdapter();
    }
    this.#active = wanted;
    this.#composition = composition;
    this.#refresh();
  }

  /**
   * Adds the attention that mixes some bottleneck adapters (AdapterFusion), fresh and not trainable yet, and returns its name:
   * the adapters' names with commas. `setAdapter(fuse("a", "b"))` makes it act, `setTrainable("a,b", true)` has it trained.
   */
  addAdapterFusion(
    names: readonly string[] | Block,
    options: "dynamic" | "static" | Partial<FusionOptions> = "dynamic",
    { seed = 0 }: { seed?: number } = {},
  ): string {
    const name = fusionName(isBlock(names) ? names.children : names);
    this.#addFusion(name, typeof options === "string" ? fusionOptions[options] : options, seed, null);
    return name;
  }

  /** Loads a folder that holds a fusion, written here or by AdapterHub, once its adapters are there. Returns its name. */
  async loadAdapterFusion(
    from: SourceLike,
    { adapterNames, isTrainable = false, values = {} }: LoadFusionOptions = {},
  ): Promise<string> {
    const source = openSource(from);
    try {
      const { adapterNames: named, options, tensors } = await openHubFusion(source, this.#layers);
      const name = (adapterNames ?? named).join(",");
      const fusion = this.#addFusion(name, { ...options, ...values }, 0, tensors);
      try {
        await readFusion(fusion, tensors, source.name);
      } catch (error) {
        this.deleteAdapterFusion(name);
        throw error;
      }
      fusion.setTrainable(isTrainable);
      return name;
    } finally {
      await source.close();
    }
  }

  /** Removes a fusion that is not active. Its adapters stay. */
  deleteAdapterFusion(name: string): void {
    const fusion = this.#fusions.get(name);
    if (fusion === undefined)
      throw new StateError(`there is no fusion "${name}", there are ${quoted([...this.#fusions.keys()]) || "none"}`);
    if (this.#appliedFusions().includes(fusion))
      throw new StateError(`fusion "${name}" is active: activate adapters without it first`);
    this.#fusions.delete(name);
    fusion.dispose();
  }

  #addFusion(name: string, options: Partial<FusionOptions>, seed: number, stored: StoredShapes | null): Fusion {
    if (this.#fusions.has(name)) throw new StateError(`there is a fusion "${name}" already: delete it first`);
    const adapters = name.split(",").map((each) => this.#get(each));
    const foreign = adapters.find(({ sites }) => !sites.residual);
    if (foreign) throw new UnsupportedError(`fusion "${name}": "${foreign.name}" is no bottleneck adapter`);
    const fusion = new Fusion(name, adapters, { ...fusionOptions.dynamic, ...options }, this.#layers, { seed, stored });
    this.#fusions.set(name, fusion);
    return fusion;
  }

  /** Whether all are bottleneck adapters, so that a composition says everything about them. */
  #composes(names: readonly string[]): boolean {
    return names.length > 0 && names.every((name) => this.#get(name).sites.residual !== undefined);
  }

  /** Throws unless a composition is of bottleneck adapters, well nested, and has its fusions. */
  #expectComposable(composition: Block): void {
    const blocks = blocksIn(composition);
    const names = namesIn(composition);
    expectNestable(composition);
    if ((blocks.length > 1 || composition.type !== "Stack") && !this.#composes(names)) {
      const other = names.find((name) => !this.#composes([name]));
      throw new UnsupportedError(
        `composition: adapter "${other}" is no bottleneck adapter; activate it alone or in a list`,
      );
    }
    for (const block of blocks) {
      if (block.type !== "Fuse" || this.#fusions.has(block.name)) continue;
      const call = JSON.stringify(block.name.split(","));
      throw new StateError(
        `there is no fusion "${block.name}": call addAdapterFusion(${call}) or loadAdapterFusion first`,
      );
    }
  }

  /** Gives the adapters, or fusions, gradients, or takes them away. */
  setTrainable(names: string | readonly string[], trainable: boolean): void {
    const adapters = [names].flat().map((name) => this.#fusions.get(name) ?? this.#get(name));
    for (const adapter of adapters) adapter.setTrainable(trainable);
  }

  /** Removes an adapter. If it was active and no other is, the first of the rest by name becomes active, as in PEFT. */
  deleteAdapter(name: string): void {
    const adapter = this.#get(name);
    if (this.#merged.includes(name)) throw new StateError(`adapter "${name}" is merged: unmerge it before deleting it`);
    const fusion = Array.from(this.#fusions.keys()).find((each) => each.split(",").includes(name));
    if (fusion !== undefined)
      throw new StateError(`adapter "${name}" is part of fusion "${fusion}": delete that first`);
    this.#adapters.delete(name);
    this.#active = this.#active.filter((other) => other !== name);
    const [next] = [...this.#adapters.keys()].sort();
    if (this.#active.length === 0 && next !== undefined) {
      this.#warn(`adapter "${name}" was active and is deleted: "${next}" is active now`);
      this.#active = [next];
    }
    if (namesIn(this.#composition).join() !== this.#active.join())
      this.#composition = { type: "Stack", children: this.#active };
    this.#refresh();
    adapter.dispose();
  }

  /** Runs `body` on the base alone: its output is the base's, bit for bit, whatever is active or merged. */
  disableAdapter<T>(body: () => T): T {
    const before = { enabled: this.#enabled, merged: this.#merged };
    if (before.merged.length > 0) this.unmergeAdapter();
    this.#enabled = false;
    this.#refresh();
    const back = () => {
      this.#enabled = before.enabled;
      this.#refresh();
      if (before.merged.length > 0) this.mergeAdapter({ adapterNames: before.merged });
    };
    let result: T;
    try {
      result = body();
    } catch (error) {
      back();
      throw error;
    }
    if (result instanceof Promise) return result.finally(back) as T;
    back();
    return result;
  }

  // ---- adapters made of others

  /**
   * Adds an adapter that is the weighted combination of others (all LoRA, or all IA3), not active yet. One adapter at weight 1
   * gives itself.
   *
   * @example
   * model.addWeightedAdapter(["poems", "letters"], [0.7, 0.3], "both", { combination: "cat" });
   */
  addWeightedAdapter(
    names: readonly string[],
    weights: readonly number[],
    name: string,
    options: WeightedOptions = {},
  ): void {
    if (names.length !== weights.length)
      throw new StateError(`${weights.length} weights for ${names.length} adapters, expected one each`);
    const parts = names.map((each, i) => ({ adapter: this.#get(each), weight: weights[i]! }));
    this.#expectNew(name);
    this.#adapters.set(name, weightedAdapter(name, parts, this.#layers, options, this.#warn));
  }

  /**
   * Adds a plain LoRA adapter with the change that another makes to the weights, not active yet: exact for LoRA of any start
   * (PiSSA and OLoRA get twice the rank), otherwise the best of a rank or of a share of the change's energy.
   */
  async convertToLora(from: string, name: string, size: LoraSize | null = null): Promise<void> {
    this.#expectNew(name);
    const lora = await methodNamed("lora");
    this.#adapters.set(name, convertedAdapter(name, this.#get(from), size, lora, this.#layers, this.#warn));
  }

  /**
   * Puts an adapter folder in the place of a loaded LoRA adapter, which keeps its name, its place among the active and whether it
   * is trained. Both must be LoRA. Nothing changes when the folder does not fit.
   */
  async hotswapAdapter(from: SourceLike, name: string): Promise<void> {
    const before = this.#get(name);
    if (this.#merged.length > 0)
      throw new StateError(`adapters ${quoted(this.#merged)} are merged: unmerge them before swapping "${name}"`);
    this.#adapters.delete(name);
    try {
      await this.loadAdapter(from, name, { isTrainable: before.trainable });
      const [was, is] = [before, this.#get(name)].map(({ config }) => methodName(config.method));
      if (was !== is || was !== "lora") {
        this.#get(name).dispose();
        throw new StateError(`adapter "${name}" is ${was} and the new one is ${is}: only LoRA can be swapped for LoRA`);
      }
    } catch (error) {
      this.#adapters.set(name, before);
      throw error;
    }
    this.#refresh();
    before.dispose();
  }

  // ---- merging

  /**
   * Folds adapters (the active ones by default) into the base weights, rounding once to the base's dtype. What was there is kept,
   * so `unmergeAdapter` is exact. With `safeMerge` nothing is changed unless every result is finite.
   */
  mergeAdapter({ adapterNames = this.#active, safeMerge = false }: MergeOptions = {}): void {
    const fresh = adapterNames.filter((name) => !this.#merged.includes(name));
    if (fresh.length === 0) {
      this.#warn("all adapters are already merged, nothing to do");
      return;
    }
    const before = this.#merged;
    if (before.length > 0) this.#warn(`adapters ${quoted(before)} are merged already, now also ${quoted(fresh)}`);
    const names = [...before, ...fresh];
    const adapters = names.map((name) => this.#get(name));
    this.#restore();
    try {
      expectMergeable(this.#layers, adapters, safeMerge);
      mergeInto(this.#layers, adapters, this.#originals);
      this.#merged = names;
    } catch (error) {
      this.#restore();
      mergeInto(this.#layers, adapters.slice(0, before.length), this.#originals);
      throw error;
    } finally {
      this.#refresh();
    }
  }

  /** Puts the base weights back as they were, bit for bit. */
  unmergeAdapter(): void {
    if (this.#merged.length === 0) {
      this.#warn("no adapter is merged, nothing to do");
      return;
    }
    this.#restore();
    this.#merged = [];
    this.#refresh();
  }

  /**
   * Folds adapters into the base for good, along with what they replace (modules_to_save, biases), and gives the base back as a
   * plain model. All adapters are gone afterwards.
   */
  mergeAndUnload({ adapterNames = this.#active, safeMerge = false }: MergeOptions = {}): M {
    const adapters = adapterNames.map((name) => this.#get(name));
    if (this.#merged.length > 0) this.unmergeAdapter();
    expectMergeable(this.#layers, adapters, safeMerge);
    bakeReplaced(this.base, this.#layers, adapters, this.#warn);
    this.#active = [];
    this.#refresh();
    mergeInto(this.#layers, adapters, null);
    return this.unload();
  }

  /** Takes all adapters off and gives the base back. */
  unload(): M {
    this.dispose();
    return this.base;
  }

  // ---- parameters

  /**
   * Tensors that a training step changes (those of active and trainable adapters) by their key in a file, always in the same
   * order. With more than one such adapter, keys begin with the adapter's name and a slash.
   */
  namedTrainable(): Map<string, Param> {
    const active = [...this.#active.map((name) => this.#get(name)), ...this.#activeFusions()];
    const trained = active.filter((adapter) => adapter.trainable);
    const prefix = (name: string) => (trained.length > 1 ? `${name}/` : "");
    const idle = this.#idleHeads();
    return new Map(
      trained.flatMap(({ name, params }) =>
        Array.from(params, ([key, param]) => [prefix(name) + key, param] as const).filter(
          ([, param]) => !idle.has(param),
        ),
      ),
    );
  }

  /** Lets methods with a schedule act after an optimiser step: see `Trainable`. */
  afterStep(step: number, gradScale: number): void {
    for (const { whole, trainable } of this.#applied()) if (trainable) whole.afterStep?.(step, gradScale);
  }
  /** What a checkpoint needs besides the trained tensors, by name. The arrays are the live ones. */
  namedState(): Map<string, Float32Array> {
    return new Map(
      this.#applied().flatMap(({ name, whole }) =>
        Array.from(whole.state ?? [], ([key, values]) => [`${name}/${key}`, values] as const),
      ),
    );
  }

  /** Bytes of all adapters' tensors in memory, gradients included. */
  get adapterBytes(): number {
    const all = [...this.#adapters.values(), ...this.#fusions.values()];
    return all.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** How many numbers are trained, and how many there are in all: base, adapters, copied modules. */
  getNbTrainableParameters(): { trainable: number; all: number } {
    const weights = new Set<Weight>();
    for (const module of this.#layers.layers.values()) {
      const { weight, bias } = this.#layers.weightsOf(module);
      weights.add(weight);
      if (bias) weights.add(bias);
    }
    let all = Array.from(weights).reduce((sum, { shape }) => sum + shape.reduce((size, axis) => size * axis, 1), 0);
    for (const adapter of this.#adapters.values()) {
      const { params, standIns } = adapter.count();
      all += params - standIns;
    }
    for (const { params } of this.#fusions.values()) for (const { size } of params.values()) all += size;
    const trainable = Array.from(this.namedTrainable().values()).reduce((sum, { size }) => sum + size, 0);
    return { trainable, all };
  }

  /** The counts in PEFT's words; `spelling` "grouped" is that of its newer versions. */
  describeTrainable({ spelling }: { spelling?: Spelling } = {}): string {
    const { trainable, all } = this.getNbTrainableParameters();
    return trainableLine(trainable, all, spelling);
  }
  /** Prints `describeTrainable`. */
  printTrainableParameters(options: { spelling?: Spelling } = {}): void {
    console.log(this.describeTrainable(options));
  }

  /** A copy of an adapter's numbers by their key in a file, for checkpoints. */
  adapterState(name: string): Map<string, Float32Array> {
    return new Map(Array.from(this.#get(name).params, ([key, param]) => [key, param.values().slice()]));
  }

  /** Puts back what `adapterState` gave. Throws before anything is changed. */
  loadAdapterState(name: string, state: ReadonlyMap<string, Float32Array>): void {
    const { params } = this.#get(name);
    for (const [key, { size, shape }] of params) {
      const given = state.get(key);
      if (given?.length === size) continue;
      throw new ShapeError(
        `state of adapter "${name}": "${key}" has ${given?.length ?? "no"} numbers, expected ${formatShape(shape)}`,
      );
    }
    const extra = Array.from(state.keys()).find((key) => !params.has(key));
    if (extra !== undefined) throw new FormatError(`state of adapter "${name}": "${extra}" is none of its tensors`);
    for (const [key, param] of params) param.values().set(state.get(key)!);
  }

  /**
   * Writes adapters as PEFT reads them, bottleneck adapters as AdapterHub does: "default" at the root of the target, others in
   * sub-folders by name, and beside them how several bottleneck adapters work together.
   */
  async savePretrained(
    to: TargetLike,
    { selectedAdapters }: { selectedAdapters?: readonly string[] } = {},
  ): Promise<void> {
    const names = selectedAdapters ?? [...this.#adapters.keys(), ...this.#fusions.keys()];
    const adapters = names.filter((name) => !this.#fusions.has(name)).map((name) => this.#get(name));
    const target = openTarget(to);
    for (const fusion of names.flatMap((name) => this.#fusions.get(name) ?? [])) {
      const { config } = this.#get(fusion.name.split(",").at(-1)!);
      await writeFusion(fusion, config, this.#layers, this.base, target, fusion.name);
    }
    if (selectedAdapters === undefined && this.#active.length > 1 && this.#composes(this.#active))
      await writeSetup(this.#composition, target);
    for (const adapter of adapters) {
      const folder = adapter.name === DEFAULT_ADAPTER ? "" : adapter.name;
      await writeAdapter(adapter, this.#layers, this.base, target, folder);
    }
  }

  /** Takes all adapters off the model and frees them. The model itself stays. */
  dispose(): void {
    this.#restore();
    this.#merged = [];
    this.#active = [];
    this.#composition = { type: "Stack", children: [] };
    this.#refresh();
    for (const fusion of this.#fusions.values()) fusion.dispose();
    this.#fusions.clear();
    for (const adapter of this.#adapters.values()) adapter.dispose();
    this.#adapters.clear();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  // ---- inside

  #add(name: string, config: MethodConfig, origin: AdapterOrigin): Adapter {
    this.#expectNew(name);
    if (name === "" || /[./\\]/.test(name))
      throw new FormatError(
        `adapter name ${JSON.stringify(name)} should be a word without "." and "/": it names a folder`,
      );
    const biased = Array.from(this.#adapters.values()).find((other) => biasOf(other.config) !== "none");
    if (biased && biasOf(config) !== "none") {
      throw new StateError(
        `adapter "${name}" and adapter "${biased.name}" both train biases (bias "${biasOf(config)}"): at most one may`,
      );
    }
    if (this.#merged.length > 0)
      throw new StateError(`adapters ${quoted(this.#merged)} are merged: unmerge them before adding "${name}"`);
    const others = [...this.#adapters.values()].filter((each) => each.config.method === config.method);
    const problem = config.method.beside?.(
      config.values,
      others.map((each) => each.config.values),
    );
    if (problem) throw new StateError(`adapter "${name}": ${problem}`);
    const adapter = new Adapter(name, config, this.#layers, origin, this.#warn);
    this.#adapters.set(name, adapter);
    return adapter;
  }

  #expectNew(name: string): void {
    if (!this.#adapters.has(name)) return;
    throw new StateError(`there is an adapter "${name}" already: delete it first, or choose another name`);
  }

  /** An adapter to be filled from a file. That its config fits no layer is told with the file's name and its base's. */
  #addFrom(source: string, name: string, config: MethodConfig, origin: AdapterOrigin): Adapter {
    try {
      return this.#add(name, config, origin);
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause;
      const made = config.values.baseModelNameOrPath;
      const base = made === null ? "" : `, made for "${made}",`;
      throw new FormatError(
        `adapter in ${source}${base} does not fit this ${this.base.modelType} model\n  ${cause.message}`,
        {
          cause,
        },
      );
    }
  }

  #get(name: string): Adapter {
    const adapter = this.#adapters.get(name);
    if (adapter) return adapter;
    const names = [...this.#adapters.keys()];
    throw new StateError(
      `there is no adapter "${name}", there are ${quoted(names) || "none"}.${didYouMean(name, names)}`,
    );
  }

  /** The name of a layer of which more than one adapter has a copy, or null. */
  #sharedLayer(names: readonly string[]): string | null {
    const seen = new Set<string>();
    for (const name of names) {
      for (const { module } of this.#get(name).replaced) {
        if (seen.has(module.name)) return module.name;
        seen.add(module.name);
      }
    }
    return null;
  }

  #activeFusions(): Fusion[] {
    return blocksIn(this.#composition).flatMap((block) =>
      block.type === "Fuse" ? [this.#fusions.get(block.name)!] : [],
    );
  }

  #heads() {
    return activeHeads(this.#composition, this.#adapters, this.#fusions);
  }

  /** Heads of active adapters that another one's head stands in for. */
  #idleHeads(): Set<Param> {
    if (!this.#composes(this.#active)) return new Set();
    const paramsOf = (replaced: readonly Replaced[]) => replaced.flatMap(({ weight, bias }) => [weight, bias]);
    const used = new Set(this.#heads().owners.flatMap(({ replaced }) => paramsOf(replaced)));
    const all = this.#active.flatMap((name) => paramsOf(this.#get(name).replaced));
    return new Set(all.filter((param) => param !== null && !used.has(param)) as Param[]);
  }

  #restore(): void {
    restore(this.engine, this.#originals);
    this.#rebase();
  }
  /** Tells methods that keep something about the base weights that these have changed. */
  #rebase(): void {
    for (const { linear, embedding } of this.#adapters.values()) {
      for (const part of [...linear.values(), ...embedding.values()]) part.rebase?.();
    }
  }

  /** Brings the layers in line with what is active, merged and enabled. */
  #refresh(): void {
    this.#rebase();
    const active = this.#enabled ? this.#active.map((name) => this.#get(name)) : [];
    const applied = this.#applied();
    for (const module of this.#layers.layers.values()) {
      const { weight, bias } = this.#layers.weightsOf(module);
      module.weight = weight;
      if (module.kind === "linear") {
        module.bias = bias;
        // The adapter that was activated first acts on the base, the next on its result: the last is outermost.
        module.deltas = applied.flatMap(({ linear }) => linear.get(module) ?? []).reverse();
      } else if (module.kind === "embedding") {
        module.deltas = applied.flatMap(({ embedding }) => embedding.get(module) ?? []);
      } else if (module.bias !== null) module.bias = bias!;
    }
    for (const { replaced } of this.#composes(this.#active) ? [] : active) {
      for (const { module, weight, bias } of replaced) {
        if (weight) module.weight = weight;
        if (bias && module.bias !== null) module.bias = bias;
      }
    }
    if (this.#enabled && this.#composes(this.#active)) attachHeads(this.#heads());
    for (const site of this.#layers.sites) {
      if (site.kind === "residual")
        site.delta = composed(this.#composition, placeOf(site, applied, this.#appliedFusions()));
      else site.deltas = applied.flatMap(({ sites }) => sites.attention?.get(site) ?? []);
    }
    this.base.virtual = applied.flatMap(({ sites }) => sites.virtual ?? []).at(-1) ?? null;
  }
}

/** The config with other values for some of its options, checked. */
function changed(config: MethodConfig, values: Readonly<Record<string, unknown>>): MethodConfig {
  const { method } = config;
  const what = `${methodName(method)} options`;
  return { ...config, values: checkedValues(method, { ...config.values, ...values }, what, (name) => name) };
}

/** The batch to be run through every block: what adapters that are not trained make of a row may depend on the other rows. */
function whole({ watch: _, given: __, ...batch }: LabelledSequences): LabelledSequences {
  return batch;
}

function isBlock(names: string | readonly string[] | Block): names is Block {
  return typeof names === "object" && !Array.isArray(names);
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}
