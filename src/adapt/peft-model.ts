/**
 * A model with named adapters on it. The base is changed in place, as in PEFT: layers run through whatever adapters are active.
 * Which adapters are active and which are trained are two questions, asked apart.
 */
import type { SourceLike, TargetLike } from "../checkpoint/open.ts";
import { StateError } from "../core/errors.ts";
import type { KvCache } from "../nn/pass/kv-cache.ts";
import { allBlocks, type PassOptions } from "../nn/pass/pass.ts";
import type { LabelledSequences, Sequences } from "../nn/pass/sequences.ts";
import type { CausalLM } from "../nn/tasks/causal-lm.ts";
import type { Model } from "../nn/tasks/model.ts";
import { ModelAround } from "../nn/tasks/task-model.ts";
import { concatenateRows } from "../ops/layout/rows.ts";
import { scaleBy } from "../ops/pointwise/elementwise.ts";
import { Tape, type Value } from "../tape/tape.ts";
import type { Param } from "../tensor/tensor.ts";
import type { Warn } from "./adapter.ts";
import { BASE_ROUTE, DEFAULT_ADAPTER, quoted } from "./adapter-name.ts";
import { route, virtualOf } from "./adapter-per-sequence.ts";
import { AdapterSet, isNode } from "./adapter-set.ts";
import { type CompositionNode, copiesIn, fusionName } from "./compose/composition.ts";
import { type FusionOptions, fusionOptions } from "./compose/fusion.ts";
import { repeated, repeatedRows } from "./compose/repeat-batch.ts";
import { convertedAdapter, type LoraSize, type WeightedOptions, weightedAdapter } from "./derive/derive.ts";
import { CONFIG_FILE } from "./files/config-file.ts";
import { methodNamed } from "./files/known-methods.ts";
import type { LoadAdapterOptions, LoadFusionOptions } from "./files/load-options.ts";
import { mergeAdapters, mergeForGood, unmergeAdapters, withoutAdapters } from "./merge-adapters.ts";
import { type MethodConfig, withValues } from "./method/define-method.ts";
import { snakeCase } from "./method/options.ts";
import { type Spelling, trainableLine } from "./trainable-line.ts";
import { copyState, countParams, namedTrainable, writeState } from "./trained-params.ts";

export interface AdapterOptions {
  adapterName?: string;
  /** Told of what is odd but not wrong. By default `console.warn`. */
  onWarning?: Warn;
}

export interface GetPeftModelOptions extends AdapterOptions {
  /** Decides the random start; the config's own `seed` by default. */
  seed?: number;
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
  peft.addAdapter(adapterName, withValues(config, { seed }));
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
export class PeftModel<M extends Model = Model> extends ModelAround<M> {
  readonly #set: AdapterSet;

  /** A model without adapters yet, whose layers run through the active ones until `dispose` or `unload`: see `getPeftModel` and `PeftModel.fromPretrained`. */
  constructor(model: M, { onWarning = console.warn }: { onWarning?: Warn } = {}) {
    super(model);
    this.#set = new AdapterSet(model, onWarning);
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
    const { loadFolder } = await files();
    try {
      await loadFolder(peft.#set, source, adapterName, options);
      return peft;
    } catch (error) {
      peft.dispose();
      throw error;
    }
  }

  // ---- the model

  /**
   * Losses of everything that is labelled: see `TaskModel.loss`. In training, what the method adds is one more row. Adapters in
   * parallel have their losses one after the other, so that their mean is the sum of the adapters' means.
   */
  override loss(tape: Tape, batch: LabelledSequences, options: PassOptions = {}): Value {
    const copies = this.#copies(options);
    // What an adapter that is not trained makes of a row may depend on the other rows: then no rows can be kept.
    const keepsRows = copies === 1 && this.#set.applied().every(({ trainable }) => trainable);
    const losses = this.base.loss(tape, repeated(batch, copies), keepsRows ? options : allBlocks(options));
    const penalties = tape.recording
      ? this.#set.applied().flatMap(({ lifecycle }) => lifecycle.penalty?.(tape) ?? [])
      : [];
    if (tape.recording) penalties.push(...this.#set.appliedFusions().flatMap((fusion) => fusion.penalty(tape) ?? []));
    if (penalties.length === 0) return losses;
    // Each row will count 1 / labels of the step; the penalty counts as much as the mean of these rows.
    return concatenateRows([losses, ...penalties.map((penalty) => scaleBy(penalty, losses.shape[0]! / copies))]);
  }
  /** What the model says of each sequence: see `TaskModel.outputs`. */
  override outputs(tape: Tape, sequences: Sequences, options: RoutedOptions = {}): Value {
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

  /**
   * A function that runs passes with the adapters that are active now, whatever is active by then: for work in several passes, such
   * as generating, between which others may use the model. `adapterNames` has one name instead, "__base__" for none. The function
   * throws StateError when these adapters are deleted, merged or trained in between.
   */
  pin(adapterNames?: readonly string[]): <T>(pass: () => T) => T {
    const [name] = adapterNames ?? [];
    return this.#set.pin(name === BASE_ROUTE ? null : name);
  }

  #routed<T>({ adapterNames, ...options }: RoutedOptions, run: (options: PassOptions) => T): T {
    if (adapterNames === undefined) return run(options);
    const { layers, adapters, merged } = this.#set;
    for (const name of adapterNames) if (name !== BASE_ROUTE) this.#set.get(name);
    if (merged.length > 0)
      throw new StateError(`adapters ${quoted(merged)} are merged: unmerge them to give each sequence its own`);
    try {
      route(layers, adapterNames, adapters);
      return run({ ...options, virtual: virtualOf(adapterNames, adapters) });
    } finally {
      this.#set.refresh();
    }
  }

  /** How often a batch is run: once for each of the adapters in parallel. */
  #copies({ cache = null, virtual = [] }: PassOptions = {}): number {
    const { enabled, composition } = this.#set;
    const copies = enabled && virtual.length === 0 ? copiesIn(composition) : 1;
    if (copies > 1 && cache !== null)
      throw new StateError("adapters in parallel cannot share a key-value cache: activate one of them to generate");
    return copies;
  }

  // ---- adapters by name

  /** Config of each adapter, with its targets filled in. */
  get peftConfig(): ReadonlyMap<string, MethodConfig> {
    return new Map(Array.from(this.#set.adapters, ([name, { config }]) => [name, config]));
  }
  get activeAdapters(): readonly string[] {
    return this.#set.active;
  }
  get mergedAdapters(): readonly string[] {
    return this.#set.merged;
  }
  get adaptersEnabled(): boolean {
    return this.#set.enabled;
  }

  /** Adds a fresh adapter, neither active nor trainable yet. */
  addAdapter(name: string, config: MethodConfig): void {
    const baseModelNameOrPath = config.values.baseModelNameOrPath ?? (this.base.nameOrPath || null);
    this.#set.add(name, withValues(config, { baseModelNameOrPath }));
  }

  /** Loads an adapter folder under a name, not active yet. Leaves the model as it was when the folder does not fit. */
  async loadAdapter(from: SourceLike, name: string, options: LoadAdapterOptions = {}): Promise<void> {
    await (await files()).loadAdapter(this.#set, from, name, options);
  }

  /**
   * Makes one adapter active, or several whose changes add up; bottleneck adapters act one after the other. A composition
   * (`stack`, `fuse`, `split`, `parallel`, `average`, `batchSplit`) says how bottleneck adapters work together. Whether they are
   * trained stays as it is.
   */
  setAdapter(names: string | readonly string[] | CompositionNode): void {
    this.#set.activate(names);
  }

  /**
   * Adds the attention that mixes some bottleneck adapters (AdapterFusion), fresh and not trainable yet, and returns its name:
   * the adapters' names with commas. `setAdapter(fuse("a", "b"))` makes it act, `setTrainable("a,b", true)` has it trained.
   */
  addAdapterFusion(
    names: readonly string[] | CompositionNode,
    options: "dynamic" | "static" | Partial<FusionOptions> = "dynamic",
    { seed = 0 }: { seed?: number } = {},
  ): string {
    const name = fusionName(isNode(names) ? names.children : names);
    this.#set.addFusion(name, typeof options === "string" ? fusionOptions[options] : options, seed, null);
    return name;
  }

  /** Loads a folder that holds a fusion, written here or by AdapterHub, once its adapters are there. Returns its name. */
  async loadAdapterFusion(from: SourceLike, options: LoadFusionOptions = {}): Promise<string> {
    return (await files()).loadAdapterFusion(this.#set, from, options);
  }

  /** Removes a fusion that is not active. Its adapters stay. */
  deleteAdapterFusion(name: string): void {
    this.#set.removeFusion(name);
  }

  /** Gives the adapters, or fusions, gradients, or takes them away. */
  setTrainable(names: string | readonly string[], trainable: boolean): void {
    const adapters = [names].flat().map((name) => this.#set.fusions.get(name) ?? this.#set.get(name));
    for (const adapter of adapters) adapter.setTrainable(trainable);
  }

  /** Removes an adapter. If it was active and no other is, the first of the rest by name becomes active, as in PEFT. */
  deleteAdapter(name: string): void {
    this.#set.remove(name);
  }

  /** Runs `body` on the base alone: its output is the base's, bit for bit, whatever is active or merged. */
  disableAdapter<T>(body: () => T): T {
    return withoutAdapters(this.#set, body);
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
    this.#set.expectRoom(name);
    const { layers, warn } = this.#set;
    const parts = names.map((each, i) => ({ adapter: this.#set.get(each), weight: weights[i]! }));
    this.#set.put(weightedAdapter(name, parts, layers, options, warn));
  }

  /**
   * Adds a plain LoRA adapter with the change that another makes to the weights, not active yet: exact for LoRA of any start
   * (PiSSA and OLoRA get twice the rank), otherwise the best of a rank or of a share of the change's energy.
   */
  async convertToLora(from: string, name: string, size: LoraSize | null = null): Promise<void> {
    this.#set.expectRoom(name);
    const { layers, warn } = this.#set;
    const lora = await methodNamed("lora");
    this.#set.expectRoom(name); // others may have come while the method was loaded
    this.#set.put(convertedAdapter(name, this.#set.get(from), size, lora, layers, warn));
  }

  /**
   * Puts an adapter folder in the place of a loaded LoRA adapter, which keeps its name, its place among the active and whether it
   * is trained. Both must be LoRA. Nothing changes when the folder does not fit.
   */
  async hotswapAdapter(from: SourceLike, name: string): Promise<void> {
    await (await files()).hotswapAdapter(this.#set, from, name);
  }

  // ---- merging

  /**
   * Folds adapters (the active ones by default) into the base weights, rounding once to the base's dtype. What was there is kept,
   * so `unmergeAdapter` is exact. With `safeMerge` nothing is changed unless every result is finite.
   */
  mergeAdapter({ adapterNames = this.#set.active, safeMerge = false }: MergeOptions = {}): void {
    mergeAdapters(this.#set, adapterNames, safeMerge);
  }

  /** Puts the base weights back as they were, bit for bit. */
  unmergeAdapter(): void {
    unmergeAdapters(this.#set);
  }

  /**
   * Folds adapters into the base for good, along with what they replace (modules_to_save, biases), and gives the base back as a
   * plain model. All adapters are gone afterwards.
   */
  mergeAndUnload({ adapterNames = this.#set.active, safeMerge = false }: MergeOptions = {}): M {
    mergeForGood(this.#set, adapterNames, safeMerge);
    return this.base;
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
    return namedTrainable(this.#set);
  }

  /** Lets methods with a schedule act after an optimiser step: see `Trainable`. */
  afterStep(step: number, gradScale: number): void {
    for (const { lifecycle, trainable } of this.#set.applied()) if (trainable) lifecycle.afterStep?.(step, gradScale);
  }
  /** What a checkpoint needs besides the trained tensors, by name. The arrays are the live ones. */
  namedState(): Map<string, Float32Array> {
    return new Map(
      this.#set
        .applied()
        .flatMap(({ name, lifecycle }) =>
          Array.from(lifecycle.state ?? [], ([key, values]) => [`${name}/${key}`, values] as const),
        ),
    );
  }

  /** Whether training itself changes this key of a config that `savePretrained` writes, as AdaLoRA does its ranks. */
  isLearned(file: string, key: string): boolean {
    const [folder, name] = file.includes("/") ? file.split("/") : [DEFAULT_ADAPTER, file];
    const { learned = [] } = this.#set.adapters.get(folder!)?.config.method ?? {};
    return name === CONFIG_FILE && learned.some((option) => snakeCase(option) === key);
  }

  /** Bytes of all adapters' tensors in memory, gradients included. */
  get adapterBytes(): number {
    const { adapters, fusions } = this.#set;
    return [...adapters.values(), ...fusions.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** How many numbers are trained, and how many there are in all: base, adapters, copied modules. */
  getNbTrainableParameters(): { trainable: number; all: number } {
    return countParams(this.#set);
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
    return copyState(this.#set.get(name));
  }

  /** Puts back what `adapterState` gave. Throws before anything is changed. */
  loadAdapterState(name: string, state: ReadonlyMap<string, Float32Array>): void {
    writeState(this.#set.get(name), state);
  }

  /**
   * Writes adapters as PEFT reads them, bottleneck adapters as AdapterHub does: "default" at the root of the target, others in
   * sub-folders by name, and beside them how several bottleneck adapters work together.
   */
  async savePretrained(
    to: TargetLike,
    { selectedAdapters }: { selectedAdapters?: readonly string[] } = {},
  ): Promise<void> {
    await (await files()).saveAdapters(this.#set, to, selectedAdapters);
  }

  /** Takes all adapters off the model and frees them. The model itself stays. */
  dispose(): void {
    this.#set.clear();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Reading and writing folders is loaded when it is first asked for. */
const files = () => import("./files/adapter-files.ts");
