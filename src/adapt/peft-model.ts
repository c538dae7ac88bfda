/**
 * A model with named adapters on it. The base is changed in place, as in PEFT: layers run through whatever adapters are active.
 * Which adapters are active and which are trained are independent.
 */
import type { SourceLike, TargetLike } from "../checkpoint/open.ts";
import { callback, callOptions, expectArgument } from "../core/call-options.ts";
import { StateError } from "../core/errors.ts";
import { option, whole } from "../core/options.ts";
import type { PinnedPass } from "../generate/generate-options.ts";
import { type GenerateMethod, generateMethod } from "../generate/load-generate.ts";
import type { KvCache } from "../nn/pass/kv-cache.ts";
import { allBlocks, type PassOptions } from "../nn/pass/pass.ts";
import type { LabelledSequences, Sequences } from "../nn/pass/sequences.ts";
import type { CausalLM } from "../nn/tasks/causal-lm.ts";
import { finiteOutputs } from "../nn/tasks/finite-outputs.ts";
import type { Model } from "../nn/tasks/model.ts";
import type { SuggestedRate } from "../nn/tasks/suggested-rate.ts";
import { type Measured, ModelAround } from "../nn/tasks/task-model.ts";
import { concatenateRows } from "../ops/layout/rows.ts";
import { scaleBy } from "../ops/pointwise/elementwise.ts";
import { Tape, type Tensor, type Value } from "../tape/tape.ts";
import type { Param, Weight } from "../tensor/tensor.ts";
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
import { lowestRate } from "./method/method-rate.ts";
import { snakeCase } from "./method/options.ts";
import { type Spelling, trainableLine } from "./trainable-line.ts";
import { copyState, countParams, frozenWeights, namedTrainable, writeState } from "./trained-params.ts";

/** How an adapter is named, and who hears warnings. */
export interface AdapterOptions {
  adapterName?: string;
  /** Receives warnings. `console.warn` by default. */
  onWarning?: Warn;
}

/** How a fresh adapter is made. */
export interface GetPeftModelOptions extends AdapterOptions {
  /** The seed of the initialization; the config's own `seed` by default. */
  seed?: number;
}

/**
 * Adds a fresh adapter to a model, active and trainable. The model is changed in place.
 *
 * @example
 * const model = getPeftModel(base, lora({ r: 8, loraAlpha: 16 }));
 */
export function getPeftModel<M extends Model>(
  model: M,
  config: MethodConfig,
  options: GetPeftModelOptions = {},
): PeftModel<M> {
  callOptions("getPeftModel", peftOptions, options);
  expectArgument("getPeftModel", "the model", model, isModel(model), "a model as an AutoModel class loads it");
  const isMethod = typeof config === "object" && config !== null && "values" in config;
  expectArgument(
    "getPeftModel",
    "the second argument",
    config,
    isMethod,
    "a method with its options, such as lora({ r: 8 })",
  );
  const { adapterName = DEFAULT_ADAPTER, seed = config.values.seed } = options;
  const peft = new PeftModel(model, options);
  peft.addAdapter(adapterName, withValues(config, { seed }));
  peft.setAdapter(adapterName);
  peft.setTrainable(adapterName, !config.values.inferenceMode);
  return peft;
}

const peftOptions = {
  adapterName: option<string>(DEFAULT_ADAPTER, "a name", (value) => typeof value === "string"),
  seed: whole(0, 0),
  onWarning: callback(),
};

/** How a pass over several adapters runs. */
export interface RoutedOptions extends PassOptions {
  /** The adapter of each sequence, "__base__" for none; all run in one pass of the base. */
  readonly adapterNames?: readonly string[];
}

/** How adapters are merged into the base. */
export interface MergeOptions {
  /** Which adapters, the active ones by default. */
  adapterNames?: readonly string[];
  /** Change nothing if any result is not finite. */
  safeMerge?: boolean;
}

/** Looks at the parts of a model instead of its class, whose code is loaded with the first model. */
function isModel(given: unknown): boolean {
  return typeof given === "object" && given !== null && "modules" in given && "sites" in given && "traits" in given;
}

/** A model with named adapters on it: add, load, activate, train, merge and save them. */
export class PeftModel<M extends Model = Model> extends ModelAround<M> {
  readonly #adapters: AdapterSet;

  /**
   * Wraps a model that has no adapters yet; its layers run through the active ones until `dispose` or `unload`: see
   * `getPeftModel` and `PeftModel.fromPretrained`.
   */
  constructor(model: M, { onWarning = console.warn }: { onWarning?: Warn } = {}) {
    super(model);
    this.#adapters = new AdapterSet(model, onWarning);
  }

  /** The adapters. Throws StateError once this was disposed of. */
  get #set(): AdapterSet {
    this.#adapters.expectOpen();
    return this.#adapters;
  }

  /** The same, to change them. Throws StateError while a use of the model forbids that. */
  #change(doing: string): AdapterSet {
    this.#adapters.expectChangeable(doing);
    return this.#adapters;
  }

  /**
   * Loads an adapter folder written by Lorikeet, PEFT or AdapterHub onto a model: active, and trainable if requested. A
   * folder with several bottleneck adapters and their composition is loaded as a whole.
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
   * Losses of all labels: see `TaskModel.loss`. In training, a method's penalty is one more row. The losses of parallel
   * adapters are concatenated, so that their mean is the sum of the adapters' means.
   */
  override loss(tape: Tape, batch: LabelledSequences, options: PassOptions = {}): Value {
    const copies = this.#copies(options);
    if (tape.recording) this.#set.expectTrainedApart();
    if (copies > 1) tape.needsWholeBatch = true;
    // The result of an untrained adapter for a row may depend on the other rows: then no rows can be cached.
    const keepsRows = copies === 1 && this.#set.applied().every(({ trainable }) => trainable);
    const losses = this.base.loss(tape, repeated(batch, copies), keepsRows ? options : allBlocks(options));
    const penalties = tape.recording
      ? this.#set.applied().flatMap(({ lifecycle }) => lifecycle.penalty?.(tape) ?? [])
      : [];
    if (tape.recording) penalties.push(...this.#set.appliedFusions().flatMap((fusion) => fusion.penalty(tape) ?? []));
    if (penalties.length === 0) return losses;
    // Each row has the weight 1 / (labels of the step); the penalty weighs as much as the mean of these rows.
    return concatenateRows([losses, ...penalties.map((penalty) => scaleBy(penalty, losses.shape[0]! / copies))]);
  }
  /** The model's outputs for each sequence: see `TaskModel.outputs`. */
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
  /** Outputs of a batch on the host: see `Model.forward`. `adapterNames` gives each sequence its own adapter. */
  forward(sequences: Sequences, options: RoutedOptions = {}): Tensor {
    return Tape.once(this.engine, {}, (tape) => finiteOutputs(tape, this.outputs(tape, sequences, options), "forward"));
  }
  override measure(tape: Tape, batch: LabelledSequences): Measured | null {
    this.#set.applied();
    return super.measure(tape, batch);
  }
  /** A key-value cache. Its contents belong to the adapters that were active when it was filled. */
  cache(this: PeftModel<CausalLM>, capacity: number, sequences?: number): KvCache {
    return this.base.cache(capacity, sequences);
  }

  /**
   * Generates text: see the function `generate`.
   *
   * @example
   * const texts = await model.generate([[1, 5, 9], [1, 7]], { adapterNames: ["poems", "__base__"] });
   */
  readonly generate: GenerateMethod = generateMethod(this);

  /**
   * Runs passes with the adapters that are active now, whatever is active by then: for work in several passes, such as generating,
   * between which others may use the model. `adapterNames` has the adapter of each prompt instead, "__base__" for none. Throws
   * StateError when these adapters are deleted, merged or trained in between.
   */
  pin(adapterNames?: readonly string[]): PinnedPass {
    const pinOf = (name?: string) => this.#set.pin(name === BASE_ROUTE ? null : name);
    if (adapterNames === undefined) {
      const { run, acting } = pinOf();
      return { run: (pass) => run(() => pass({})), acting: () => acting };
    }
    const pins = new Map(adapterNames.map((name) => [name, pinOf(name)]));
    if (pins.size > 1) this.#routed({ adapterNames }, () => {}); // refuses what cannot be routed at once
    return {
      acting: (prompt) => pins.get(adapterNames[prompt]!)!.acting,
      run: (pass, prompts) => {
        const names = prompts.map((prompt) => adapterNames[prompt]!);
        const [first, ...others] = new Set(names);
        if (others.length === 0) return pins.get(first!)!.run(() => pass({}));
        for (const name of [first!, ...others]) pins.get(name)!.expectSame();
        return this.#routed({ adapterNames: names }, pass);
      },
    };
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

  /** How often a batch is run: once per parallel adapter. */
  #copies({ cache = null, virtual = [] }: PassOptions = {}): number {
    const { enabled, composition } = this.#set;
    const copies = enabled && virtual.length === 0 ? copiesIn(composition) : 1;
    if (copies > 1 && cache !== null)
      throw new StateError("parallel adapters cannot share a key-value cache: activate one of them to generate");
    return copies;
  }

  // ---- adapters by name

  /** The config of each adapter, with its targets filled in. */
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

  /** Loads an adapter folder under a name, not active yet. Leaves the model unchanged if the folder does not fit. */
  async loadAdapter(from: SourceLike, name: string, options: LoadAdapterOptions = {}): Promise<void> {
    await (await files()).loadAdapter(this.#change("loadAdapter"), from, name, options);
  }

  /**
   * Makes one adapter active, or several whose changes add up; bottleneck adapters act one after the other. A composition
   * (`stack`, `fuse`, `split`, `parallel`, `average`, `batchSplit`) defines how bottleneck adapters combine. Whether
   * they are trained does not change.
   */
  setAdapter(names: string | readonly string[] | CompositionNode): void {
    this.#change("setAdapter").activate(names);
  }

  /**
   * Adds the attention that mixes some bottleneck adapters (AdapterFusion), fresh and not trainable yet, and returns
   * its name: the adapters' names joined with commas. `setAdapter(fuse("a", "b"))` activates it, `setTrainable("a,b",
   * true)` makes it trainable.
   */
  addAdapterFusion(
    names: readonly string[] | CompositionNode,
    options: "dynamic" | "static" | Partial<FusionOptions> = "dynamic",
    { seed = 0 }: { seed?: number } = {},
  ): string {
    const name = fusionName(isNode(names) ? names.children : names);
    this.#change("addAdapterFusion").addFusion(
      name,
      typeof options === "string" ? fusionOptions[options] : options,
      seed,
      null,
    );
    return name;
  }

  /**
   * Loads a folder with a fusion, written by Lorikeet or AdapterHub, whose adapters are already loaded. Returns its
   * name.
   */
  async loadAdapterFusion(from: SourceLike, options: LoadFusionOptions = {}): Promise<string> {
    return (await files()).loadAdapterFusion(this.#change("loadAdapterFusion"), from, options);
  }

  /** Removes a fusion that is not active. Its adapters are kept. */
  deleteAdapterFusion(name: string): void {
    this.#change("deleteAdapterFusion").removeFusion(name);
  }

  /** Makes adapters or fusions trainable, or frozen again. */
  setTrainable(names: string | readonly string[], trainable: boolean): void {
    const set = this.#change("setTrainable");
    const adapters = [names].flat().map((name) => set.fusions.get(name) ?? set.get(name));
    for (const adapter of adapters) adapter.setTrainable(trainable);
  }

  /** Removes an adapter. If it was the only active one, the first of the rest by name becomes active, as in PEFT. */
  deleteAdapter(name: string): void {
    this.#change("deleteAdapter").remove(name);
  }

  /** Runs `body` on the base without adapters: the output is the base's, bit for bit, whatever is active or merged. */
  disableAdapter<T>(body: () => T): T {
    return withoutAdapters(this.#set, body);
  }

  // ---- derived adapters

  /**
   * Adds an adapter that is the weighted combination of others (all LoRA, or all IA3), not active yet. A single adapter
   * at weight 1 gives a copy.
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
      throw new StateError(`${weights.length} weights for ${names.length} adapters, expected one per adapter`);
    const set = this.#change("addWeightedAdapter");
    set.expectRoom(name);
    const { layers, warn } = set;
    const parts = names.map((each, i) => ({ adapter: this.#set.get(each), weight: weights[i]! }));
    this.#set.put(weightedAdapter(name, parts, layers, options, warn));
  }

  /**
   * Adds a plain LoRA adapter with the change that another makes to the weights, not active yet: exact for LoRA of any start
   * (PiSSA and OLoRA get twice the rank), otherwise the best approximation with a rank or with a fraction of the
   * change's energy.
   */
  async convertToLora(from: string, name: string, size: LoraSize | null = null): Promise<void> {
    this.#set.expectRoom(name);
    const { layers, warn } = this.#set;
    const lora = await methodNamed("lora");
    this.#set.expectRoom(name); // others may have been added while the method was loading
    this.#set.put(convertedAdapter(name, this.#set.get(from), size, lora, layers, warn));
  }

  /**
   * Replaces a loaded LoRA adapter with an adapter folder; the name, the position among the active ones and whether it
   * is trained are kept. Both must be LoRA. Nothing changes if the folder does not fit.
   */
  async hotswapAdapter(from: SourceLike, name: string): Promise<void> {
    await (await files()).hotswapAdapter(this.#change("hotswapAdapter"), from, name);
  }

  // ---- merging

  /**
   * Merges adapters (the active ones by default) into the base weights, rounding once to the base's dtype. The original
   * weights are kept, so `unmergeAdapter` is exact. With `safeMerge`, nothing changes if any result is not finite.
   */
  mergeAdapter({ adapterNames = this.#set.active, safeMerge = false }: MergeOptions = {}): void {
    mergeAdapters(this.#change("mergeAdapter"), adapterNames, safeMerge);
  }

  /** Restores the base weights, bit for bit. */
  unmergeAdapter(): void {
    unmergeAdapters(this.#change("unmergeAdapter"));
  }

  /**
   * Permanently merges adapters into the base, including what they replace (modules_to_save, biases), and returns the
   * base as a plain model. All adapters are removed.
   */
  mergeAndUnload({ adapterNames = this.#set.active, safeMerge = false }: MergeOptions = {}): M {
    mergeForGood(this.#change("mergeAndUnload"), adapterNames, safeMerge);
    return this.base;
  }

  /** Removes all adapters and returns the base. */
  unload(): M {
    this.#change("unload").clear();
    return this.base;
  }

  // ---- parameters

  /**
   * Tensors that a training step changes (those of active and trainable adapters) by their keys in a file, always in
   * the same order. With more than one such adapter, keys start with the adapter's name and a slash.
   */
  namedTrainable(): Map<string, Param> {
    return namedTrainable(this.#set);
  }
  /** Weights of the base and of adapters that training reads and does not change, always in the same order. */
  frozenWeights(): Iterable<Weight> {
    return frozenWeights(this.#set);
  }

  /** A peak learning rate for AdamW that suits the trained adapters: the lowest of theirs. */
  get suggestedRate(): SuggestedRate {
    const trained = this.#set.applied().filter(({ trainable }) => trainable);
    return lowestRate(
      trained.map(({ config }) => config.method),
      this.base.width,
    );
  }

  /** Lets methods with a schedule act after an optimizer step: see `Trainable`. */
  afterStep(step: number, gradScale: number): void {
    for (const { lifecycle, trainable } of this.#set.applied()) if (trainable) lifecycle.afterStep?.(step, gradScale);
  }
  /** What a checkpoint stores in addition to the trained tensors, by name. The arrays are the live ones. */
  namedState(): Map<string, Float32Array> {
    return new Map(
      this.#set
        .applied()
        .flatMap(({ name, lifecycle }) =>
          Array.from(lifecycle.state ?? [], ([key, values]) => [`${name}/${key}`, values] as const),
        ),
    );
  }

  /** Whether training changes this key of a config that `savePretrained` writes, as AdaLoRA does with its ranks. */
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

  /** The number of trained parameters and the total: base, adapters, copied modules. */
  getNbTrainableParameters(): { trainable: number; all: number } {
    return countParams(this.#set);
  }

  /** The counts in PEFT's wording; `spelling` "grouped" is the format of its newer versions. */
  describeTrainable({ spelling }: { spelling?: Spelling } = {}): string {
    const { trainable, all } = this.getNbTrainableParameters();
    return trainableLine(trainable, all, spelling);
  }
  /** Prints `describeTrainable`. */
  printTrainableParameters(options: { spelling?: Spelling } = {}): void {
    console.log(this.describeTrainable(options));
  }

  /** A copy of an adapter's values by their keys in a file, for checkpoints. */
  adapterState(name: string): Map<string, Float32Array> {
    return copyState(this.#set.get(name));
  }

  /** Restores the result of `adapterState`. Throws before changing anything. */
  loadAdapterState(name: string, state: ReadonlyMap<string, Float32Array>): void {
    writeState(this.#change("loadAdapterState").get(name), state);
  }

  /**
   * Writes adapters in PEFT's format, and bottleneck adapters in AdapterHub's: "default" at the root of the target,
   * others in subfolders with their names, and the composition of several bottleneck adapters.
   */
  async savePretrained(
    to: TargetLike,
    { selectedAdapters }: { selectedAdapters?: readonly string[] } = {},
  ): Promise<void> {
    await (await files()).saveAdapters(this.#set, to, selectedAdapters);
  }

  /**
   * Removes all adapters from the model and frees them. The model itself is kept. Calls under way that only read the
   * adapters end with StateError. Throws StateError while the model is trained.
   */
  dispose(): void {
    this.#adapters.end();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The code that reads and writes folders is loaded on first use. */
const files = () => import("./files/adapter-files.ts");
