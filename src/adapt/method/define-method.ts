/**
 * The definition of a PEFT method: its name, its options, and what it does at each kind of site. One file in
 * src/methods/ defines one method; the rest of this folder does the naming, matching, saving, merging and switching for
 * all of them.
 */
import { UnsupportedError } from "../../core/errors.ts";
import {
  asNamed,
  completeOptions,
  flag,
  names,
  namesOrPattern,
  type Options,
  type Spell,
  text,
  type ValuesOf,
  whole,
  wholeOrNull,
} from "../../core/options.ts";
import type { Shape } from "../../core/shape.ts";
import type { RawConfig } from "../../nn/config.ts";
import type { DefaultTargets } from "../../nn/define-model.ts";
import type { Attention, AttentionDelta } from "../../nn/layers/attention.ts";
import type { Embedding, EmbeddingDelta } from "../../nn/layers/embedding.ts";
import type { Linear, LinearDelta } from "../../nn/layers/linear.ts";
import type { Residual } from "../../nn/layers/residual.ts";
import type { Module, Site } from "../../nn/layers/weights.ts";
import type { VirtualTokens } from "../../nn/pass/virtual-tokens.ts";
import type { TaskTraits } from "../../nn/tasks/task-traits.ts";
import type { WeightRows } from "../../ops/linear/fold.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import type { Weight } from "../../tensor/tensor.ts";
import type { Factored } from "./factors.ts";
import { layerNumbers, sameJson, sizeOrNull, snakeCase } from "./options.ts";
import type { Make, MakeAt } from "./tensor-maker.ts";

/** Rows of an activation, ends exclusive. */
export type Rows = readonly { readonly start: number; readonly end: number }[];

/** How an adapter is merged into the weights below it. Omitted by methods that a single weight cannot express. */
export interface Foldable {
  /** Reads the unchanged weight, then returns a function that changes it in place, piece by piece. */
  fold?(tape: Tape): (rows: WeightRows) => void;
  /** The same for the layer's bias, as a whole. */
  foldBias?(bias: Float32Array): void;
  /** Called after merging or unmerging has changed the base weight. */
  rebase?(): void;
  /** What changes the weight. Parts of tied layers with the same of these leave them tied; left out, a part is its own. */
  readonly change?: object;
}

/** What an adapter does at a linear layer. */
export interface LinearPart extends LinearDelta, Foldable, Factored {
  /**
   * The same for individual rows, if a batch has an adapter per sequence. Omitted by methods that do not support this.
   */
  forwardRows?(x: Value, rows: Rows, below: (x: Value) => Value): Value;
}
/** What an adapter does at an embedding. */
export interface EmbeddingPart extends EmbeddingDelta, Foldable, Factored {}

/** What a method does outside its target layers. */
export interface SiteParts {
  /** Layers that are not targets but follow one, such as an output projection tied to the embedding. */
  readonly linear?: ReadonlyMap<Linear, LinearPart>;
  readonly embedding?: ReadonlyMap<Embedding, EmbeddingPart>;
  readonly residual?: ReadonlyMap<Residual, ResidualPart>;
  readonly attention?: ReadonlyMap<Attention, AttentionDelta>;
  /** Rows, or keys and values, before every sequence. Only one adapter with them can be active at a time. */
  readonly virtual?: VirtualTokens;
}

/**
 * A bottleneck adapter at one residual connection, step by step, so that src/adapt/compose/compose.ts can put several together.
 * `z` is the sub-layer's output after the adapters before this one, and `x` the residual stream that went in; all are
 * [T, D].
 */
export interface ResidualPart {
  /** The input of the bottleneck, and the value that its output is added to. */
  enter(z: Value, x: Value, site: Residual): { readonly input: Value; readonly residual: Value };
  /** The scaled output of the bottleneck, before anything is added. */
  bottleneck(input: Value, starts: Int32Array | null): Value;
  /** The adapted z: dropout, gate and the adapter's own residual. `starts` are the sequences' first rows. */
  leave(output: Value, input: Value, residual: Value, starts: Int32Array | null): Value;
  /** Whether the connection itself, LN(z + x), still follows. */
  readonly joins: boolean;
}

/** The model for methods that act on more than single layers. */
export interface ModelShape {
  readonly traits: TaskTraits;
  readonly modelType: string;
  readonly config: RawConfig;
  readonly layers: ReadonlyMap<string, Module>;
  readonly sites: readonly Site[];
  readonly headName: string;
  /** PEFT's tables of modules to adapt if the user specifies none. */
  readonly targets: DefaultTargets;
  /** The layer's own weight and bias, independent of active adapters. */
  weightsOf(module: Module): { readonly weight: Weight; readonly bias: Weight | null };
}

/** What a whole adapter does in addition to its parts. Omitted by methods that do not need it. */
export interface Lifecycle<V = MethodValues> {
  /** Added to the mean loss of every training batch, a scalar [1, 1]. */
  penalty?(tape: Tape): Value | null;
  /**
   * Called after each optimizer step, while the gradients of that step, multiplied by clipping's `gradScale`, are still
   * available.
   */
  afterStep?(step: number, gradScale: number): void;
  /** The training state in addition to the trained parameters: for checkpoints. */
  readonly state?: ReadonlyMap<string, Float32Array>;
  /** Options to save, if training has changed them. */
  savedValues?(): Partial<V>;
}

/** What a file states about the model that an adapter belongs to. */
const provenance = {
  taskType: text({ filledIn: true }),
  baseModelNameOrPath: text({ filledIn: true }),
  revision: text({ filledIn: true }),
} satisfies Options;

/** Options of methods with target modules: which modules to adapt, and related keys in files. */
export const common = {
  targetModules: namesOrPattern('layers to adapt: comma-separated names, a regular expression, or "all-linear"'),
  excludeModules: namesOrPattern("layers to exclude, in the same format"),
  layersToTransform: layerNumbers("numbers of the layers to adapt (default: all)"),
  layersPattern: namesOrPattern("the part of a name before the layer's number"),
  modulesToSave: names("other modules to train fully; a task's head always is"),
  ...provenance,
} satisfies Options;

/**
 * Options of prompt methods: the number of virtual tokens, and the sizes of the model, which are filled in from the
 * model.
 */
export const promptCommon = {
  numVirtualTokens: sizeOrNull({
    help: "number of virtual tokens before every sequence",
    cli: { default: 20, reason: "PEFT has no default; 20 is the prompt length of its examples" },
  }),
  tokenDim: sizeOrNull({ filledIn: true }),
  numTransformerSubmodules: wholeOrNull({ least: 1, most: 2 }, { filledIn: true }),
  numAttentionHeads: sizeOrNull({ filledIn: true }),
  numLayers: sizeOrNull({ filledIn: true }),
  modulesToSave: common.modulesToSave,
  ...provenance,
} satisfies Options;

/** Some options of `common`, for methods without the others. */
export function commonOnly<K extends keyof typeof common>(...keys: readonly K[]): Pick<typeof common, K> {
  return Object.fromEntries(keys.map((key) => [key, common[key]])) as Pick<typeof common, K>;
}

/** The values of the options that all methods have. */
export type CommonValues = ValuesOf<typeof common>;

/** All values of a method's options, its own and the common ones. */
export type MethodValues<S extends Options = Options> = ValuesOf<S> &
  CommonValues & { readonly seed: number; readonly inferenceMode: boolean };

/** The description of a method in docs/methods.md. */
export interface MethodAbout {
  readonly title: string;
  /** Author, year and source, with the link. */
  readonly paper: string;
  /** The change to the model, in one or a few lines of plain text. */
  readonly equation: string;
  /** When to choose it, in one or two sentences. */
  readonly when: string;
  /** Options for counting its parameters, if some are required. */
  readonly example?: Readonly<Record<string, unknown>>;
  /** A suggested peak learning rate, if the one that follows from the width of the model does not suit. */
  readonly learningRate?: number;
}

/**
 * Options by camelCase name from those of the file called `name`, and the options of which training does what this version does
 * not: with any, the adapter is for inference. `trained` says that the file is that of an adapter with tensors.
 */
export type FromFile = (
  given: Readonly<Record<string, unknown>>,
  file: { readonly name: string; readonly warn: (message: string) => void; readonly trained: boolean },
) => { readonly values: Readonly<Record<string, unknown>>; readonly inferenceOnly: readonly string[] };

/** What the file of a method declares. */
export interface MethodDefinition<S extends Options> {
  /** The published `peft_type`. The file of the method has this name in lower case, or `file`. */
  readonly peftType: string;
  /** The name of its file if that is not `peftType` in lower case. */
  readonly file?: string;
  readonly about: MethodAbout;
  readonly options: S;
  /** Options in addition to its own: `targetModules` and related options; `common` by default. */
  readonly common?: Options;
  /** The prefix of keys in files; "base_model.model." by default. */
  readonly keyPrefix?: string;
  /** How its adapters are stored: in PEFT's format by default. */
  readonly format?: "peft" | "adapterhub";
  /**
   * `targetModules` if the user specifies none; null if the method adapts no layers. `DefaultTargets.linear` by
   * default.
   */
  targets?: ((defaults: DefaultTargets, model: ModelShape, values: MethodValues<S>) => readonly string[] | null) | null;
  /** Options that differ by layer: the one with the patterns, and the one whose value they replace. */
  readonly patterns?: { readonly [Pattern in keyof S]?: keyof S };
  /** Published keys that this version does not implement, with the only value that each may have. */
  readonly absent?: Readonly<Record<string, unknown>>;
  /** Published keys that have no effect here, with their default. Their values are preserved. */
  readonly inert?: Readonly<Record<string, string | number>>;
  /** What the keys of a file mean where that is not what they mean to a fresh adapter. */
  readonly fromFile?: FromFile;
  /** Whether a tensor that a file holds has no part in what the adapter computes. */
  ignores?(key: string): boolean;
  /**
   * The problem with options that are individually valid, or null. `spell` gives an option's name as its author wrote
   * it.
   */
  check?(values: MethodValues<S>, spell: Spell): string | null;
  /** The reason why an adapter is incompatible with others of the method, given their options; or null. */
  beside?(values: MethodValues<S>, others: readonly MethodValues<S>[]): string | null;
  /** Options that follow from the matched layers; reports changes through `warn`. */
  settle?(
    values: MethodValues<S>,
    layers: readonly Module[],
    warn: (message: string) => void,
    model: ModelShape,
  ): Partial<MethodValues<S>>;
  /** Created once per adapter and passed to each of its parts: what layers share. */
  shared?(layers: readonly Module[], values: MethodValues<S>, make: MakeAt, model: ModelShape): unknown;
  linear?(layer: Linear, values: MethodValues<S>, make: Make, shared: unknown): LinearPart;
  embedding?(layer: Embedding, values: MethodValues<S>, make: Make, shared: unknown): EmbeddingPart;
  /** Whether the table of an adapted embedding is also saved, as PEFT does for most methods. True by default. */
  savesTables?(values: MethodValues<S>): boolean;
  /** The target layers are replaced by trained copies, whose tensors are saved below the layer's name and this suffix. */
  readonly copies?: string;
  sites?(model: ModelShape, values: MethodValues<S>, make: MakeAt, shared: unknown): SiteParts;
  /** Called last, after all parts exist. */
  lifecycle?(
    parts: readonly LinearPart[],
    values: MethodValues<S>,
    make: MakeAt,
    shared: unknown,
  ): Lifecycle<MethodValues<S>>;
  /** Whether ΔW of its layers is independent of W: then it can be converted to plain LoRA. */
  readonly additive?: boolean;
  /** Whether a weighted combination of adapters combines their tensors, Σ wᵢ·tᵢ, instead of low-rank factors. */
  readonly combinesByTensor?: boolean;
  /** Whether an active adapter can be replaced by another of the method, as serving does. */
  readonly swappable?: boolean;
  /** Options that training changes: a resumed run may find other values in its files. */
  readonly learned?: readonly (keyof S & string)[];
  /** A description of how the shape of a tensor in a file contradicts its config, or null. */
  misfit?(key: string, stored: Shape, wanted: Shape): string | null;
}

/** A method with chosen options, for `getPeftModel` and `addAdapter`. */
export interface MethodConfig {
  readonly method: Method;
  readonly values: MethodValues;
  /** Whether the user specified a task; otherwise it is the model's. */
  readonly namesTask: boolean;
  /** Options of its file, as the file spells them, that keep it from being trained on here. */
  readonly inferenceOnly?: readonly string[];
  /** The file it was read from, key by key, so that saving it again changes nothing else. */
  readonly file: Readonly<Record<string, unknown>> | null;
}

/** A PEFT method, complete. */
export interface Method<S extends Options = Options> extends MethodDefinition<S> {
  /**
   * Chooses options; omitted ones have PEFT's defaults. Throws FormatError for an unknown name or a value of the wrong
   * type.
   */
  (options?: Partial<MethodValues<S>>): MethodConfig;
}

/**
 * Creates a method from its definition.
 *
 * @example
 * const config = lora({ r: 4, targetModules: ["q_proj"] }); // src/methods/lora.ts calls defineMethod
 */
export function defineMethod<S extends Options>(definition: MethodDefinition<S>): Method<S> {
  const choose = (options: Partial<MethodValues<S>> = {}): MethodConfig =>
    configOf(method as unknown as Method, options);
  const method = Object.assign(choose, definition);
  return method;
}

/** A method with options; messages spell their names with `spell`. */
export function configOf(
  method: Method,
  given: Readonly<Record<string, unknown>>,
  spell: Spell = asNamed,
): MethodConfig {
  const values = checkedValues(method, given, `${methodName(method)} options`, spell);
  return { method, values, namesTask: given.taskType !== undefined, file: null };
}

/** The name of a method, which is the name of its file. */
export function methodName({ file, peftType }: { readonly file?: string; readonly peftType: string }): string {
  return file ?? peftType.toLowerCase();
}

/** The config with other values for some of its options, checked. */
export function withValues(config: MethodConfig, values: Readonly<Record<string, unknown>>): MethodConfig {
  const { method } = config;
  const what = `${methodName(method)} options`;
  return { ...config, values: checkedValues(method, { ...config.values, ...values }, what, asNamed) };
}

/** Options that no file contains: the seed of an adapter's initialization, and whether the adapter will be trained. */
const unsaved = {
  seed: whole(0, 0, { unsaved: true, filledIn: true }),
  inferenceMode: flag(false, { unsaved: true, filledIn: true }),
} satisfies Options;

/** Every option of a method by name. */
export function optionsOf(method: Method): Options {
  return { ...(method.common ?? common), ...unsaved, ...method.options };
}

/**
 * Completes and checks values given by camelCase name. `what` and `spell` state where they come from and how their
 * names are spelled there.
 */
export function checkedValues(
  method: Method,
  given: Readonly<Record<string, unknown>>,
  what: string,
  spell: Spell,
): MethodValues {
  const options = optionsOf(method);
  const absent = method.absent ?? {};
  const told: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const one = Object.hasOwn(options, name) ? options[name]! : null;
    const isDefault = value === null && one?.is(null) === false; // as PEFT reads files
    if (Object.hasOwn(absent, name)) expectAbsent(what, spell(name), value, absent[name]);
    else if (!isDefault && !Object.hasOwn(method.inert ?? {}, name)) told[name] = value;
  }
  const together = (values: unknown) => problemOf(method, values as MethodValues, spell);
  return completeOptions(what, options, told, { spell, together }) as MethodValues;
}

function expectAbsent(what: string, name: string, value: unknown, only: unknown): void {
  if (value === undefined || sameJson(value, only)) return;
  throw new UnsupportedError(
    `${what}: "${name}" is ${JSON.stringify(value)}, this version implements only ${JSON.stringify(only)}`,
  );
}

/** Rules about several options at once: PEFT's own, and the method's. */
function problemOf(method: Method, values: MethodValues, spell: Spell): string | null {
  const { targetModules = null, layersToTransform = null, layersPattern = null } = values;
  const [targets, layers, pattern] = ["targetModules", "layersToTransform", "layersPattern"].map(
    (n) => `"${spell(n)}"`,
  );
  if (typeof targetModules === "string" && layersToTransform !== null) {
    return `${layers} cannot be used if ${targets} is a regular expression; include the layers in the expression`;
  }
  if (typeof targetModules === "string" && layersPattern !== null) {
    return `${pattern} cannot be used if ${targets} is a regular expression`;
  }
  if (layersPattern !== null && layersPattern.length > 0 && layersToTransform === null) {
    return `${pattern} needs ${layers}, which lists no layers`;
  }
  return method.check?.(values, spell) ?? null;
}

/** The names of a method's options in files, by camelCase name. */
export function publishedNames(method: Method): Map<string, string> {
  const options = optionsOf(method);
  const own = Object.keys(options).filter((name) => !options[name]!.unsaved);
  const others = [...Object.keys(method.absent ?? {}), ...Object.keys(method.inert ?? {})];
  return new Map([...own, ...others].map((name) => [name, snakeCase(name)]));
}
