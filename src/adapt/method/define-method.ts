/**
 * What a PEFT method is: its name, its options, and what it does at each kind of site. One file in src/methods/ defines
 * one method; naming, matching, saving, merging and switching are done for all of them by the rest of this folder.
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

/** How an adapter becomes part of the weights below it. Left out by methods that no single weight can express. */
export interface Foldable {
  /** Looks at the unchanged weight, then returns what changes it, piece by piece and in place. */
  fold?(tape: Tape): (rows: WeightRows) => void;
  /** The same for the layer's bias, as a whole. */
  foldBias?(bias: Float32Array): void;
  /** Told after the base weight has changed by merging or unmerging. */
  rebase?(): void;
  /** What changes the weight. Parts of tied layers with the same of these leave them tied; left out, a part is its own. */
  readonly change?: object;
}

export interface LinearPart extends LinearDelta, Foldable, Factored {
  /** The same for some rows only, where a batch has an adapter for each sequence. Left out by methods that cannot. */
  forwardRows?(x: Value, rows: Rows, below: (x: Value) => Value): Value;
}
export interface EmbeddingPart extends EmbeddingDelta, Foldable, Factored {}

/** What a method does at places that are not its target layers. */
export interface SiteParts {
  /** Layers that are no targets and follow one that is, such as an output projection tied to the embedding. */
  readonly linear?: ReadonlyMap<Linear, LinearPart>;
  readonly embedding?: ReadonlyMap<Embedding, EmbeddingPart>;
  readonly residual?: ReadonlyMap<Residual, ResidualPart>;
  readonly attention?: ReadonlyMap<Attention, AttentionDelta>;
  /** Rows, or keys and values, before every sequence. One adapter with such can be active at a time. */
  readonly virtual?: VirtualTokens;
}

/**
 * A bottleneck adapter at one residual connection, step by step, so that src/adapt/compose/compose.ts can put several together.
 * `z` is the sub-layer's output, as adapters before this one made it, and `x` the residual stream that went in; [T, D] all.
 */
export interface ResidualPart {
  /** What the bottleneck reads, and what its output is added to. */
  enter(z: Value, x: Value, site: Residual): { readonly input: Value; readonly residual: Value };
  /** The scaled output of the bottleneck, to which nothing is added yet. */
  bottleneck(input: Value, starts: Int32Array | null): Value;
  /** The adapted z: dropout, gate and the adapter's own residual. `starts` are the sequences' first rows. */
  leave(output: Value, input: Value, residual: Value, starts: Int32Array | null): Value;
  /** Whether the connection itself, LN(z + x), still follows. */
  readonly joins: boolean;
}

/** The model as methods see it that act on more than single layers. */
export interface ModelShape {
  readonly traits: TaskTraits;
  readonly modelType: string;
  readonly config: RawConfig;
  readonly layers: ReadonlyMap<string, Module>;
  readonly sites: readonly Site[];
  readonly headName: string;
  /** PEFT's tables of what is adapted when the user names no modules. */
  readonly targets: DefaultTargets;
  /** The layer's own weight and bias, whatever is active. */
  weightsOf(module: Module): { readonly weight: Weight; readonly bias: Weight | null };
}

/** What a whole adapter does besides what its parts do. A method that has no need of it leaves it out. */
export interface Lifecycle<V = MethodValues> {
  /** Added to the mean loss of every training batch, a scalar [1, 1]. */
  penalty?(tape: Tape): Value | null;
  /** Called after each optimizer step, with the gradients of that step still there, times `gradScale` as clipping had it. */
  afterStep?(step: number, gradScale: number): void;
  /** Numbers that the course of training goes on from, besides the trained ones: for checkpoints. */
  readonly state?: ReadonlyMap<string, Float32Array>;
  /** Options as they are saved, where training has changed them. */
  savedValues?(): Partial<V>;
}

/** What a file says of the model that an adapter belongs to. */
const provenance = {
  taskType: text({ filledIn: true }),
  baseModelNameOrPath: text({ filledIn: true }),
  revision: text({ filledIn: true }),
} satisfies Options;

/** Options that methods with target modules have: which modules they adapt, and what files say about them. */
export const common = {
  targetModules: namesOrPattern('layers to adapt: names with commas, a regular expression, or "all-linear"'),
  excludeModules: namesOrPattern("layers to exclude, in the same forms"),
  layersToTransform: layerNumbers("numbers of the layers to adapt (default: all)"),
  layersPattern: namesOrPattern("the part of a name before the layer's number"),
  modulesToSave: names("other modules to train in full; a task's head always is"),
  ...provenance,
} satisfies Options;

/** Options of prompt methods: how many virtual tokens, and the sizes of the model, which are filled in from it. */
export const promptCommon = {
  numVirtualTokens: sizeOrNull({
    help: "number of virtual tokens before every sequence",
    cli: { default: 20, reason: "PEFT has no default; 20 is the prompt length of its examples" },
  }),
  tokenDim: sizeOrNull({ filledIn: true }),
  numTransformerSubmodules: sizeOrNull({ filledIn: true }),
  numAttentionHeads: sizeOrNull({ filledIn: true }),
  numLayers: sizeOrNull({ filledIn: true }),
  modulesToSave: common.modulesToSave,
  ...provenance,
} satisfies Options;

/** Some options of `common`, for methods that have no others. */
export function commonOnly<K extends keyof typeof common>(...keys: readonly K[]): Pick<typeof common, K> {
  return Object.fromEntries(keys.map((key) => [key, common[key]])) as Pick<typeof common, K>;
}

export type CommonValues = ValuesOf<typeof common>;

/** All values of a method's options, its own and the common ones. */
export type MethodValues<S extends Options = Options> = ValuesOf<S> &
  CommonValues & { readonly seed: number; readonly inferenceMode: boolean };

/** What a reader of docs/methods.md wants to know. */
export interface MethodAbout {
  readonly title: string;
  /** Author, year, where; with the link. */
  readonly paper: string;
  /** The change to the model, in one or a few lines of plain text. */
  readonly equation: string;
  /** When to choose it, in a sentence or two. */
  readonly when: string;
  /** Options to count it with where some must be given. */
  readonly example?: Readonly<Record<string, unknown>>;
  /** A peak learning rate to begin with, where LoRA's 2e-4 does not suit. */
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

export interface MethodDefinition<S extends Options> {
  /** The published `peft_type`. The file of the method has this name in lower case, or `file`. */
  readonly peftType: string;
  /** The name of its file where that is not `peftType` in lower case. */
  readonly file?: string;
  readonly about: MethodAbout;
  readonly options: S;
  /** Options besides its own; `common` unless told otherwise. They stand for `targetModules` and what goes with it. */
  readonly common?: Options;
  /** What keys in files begin with; "base_model.model." unless told otherwise. */
  readonly keyPrefix?: string;
  /** How adapters of it are stored: as PEFT does unless told otherwise. */
  readonly format?: "peft" | "adapterhub";
  /** `targetModules` when the user names none; null where the method adapts no layers. `DefaultTargets.linear` by default. */
  targets?: ((defaults: DefaultTargets, model: ModelShape, values: MethodValues<S>) => readonly string[] | null) | null;
  /** Options that differ by layer: the one that holds patterns, and the one whose value they replace. */
  readonly patterns?: { readonly [Pattern in keyof S]?: keyof S };
  /** Published keys that this version does not implement, with the only value that they may have. */
  readonly absent?: Readonly<Record<string, unknown>>;
  /** Published keys that have no effect here whatever their value, with their default. They are kept. */
  readonly inert?: Readonly<Record<string, string | number>>;
  /** What the keys of a file mean where that is not what they mean to a fresh adapter. */
  readonly fromFile?: FromFile;
  /** Whether a tensor that a file holds has no part in what the adapter computes. */
  ignores?(key: string): boolean;
  /** What is wrong with options that are each well typed, or null. `spell` gives an option's name as its author wrote it. */
  check?(values: MethodValues<S>, spell: Spell): string | null;
  /** What keeps an adapter from being added to others of the method, of which these are the options; or null. */
  beside?(values: MethodValues<S>, others: readonly MethodValues<S>[]): string | null;
  /** Options that follow from the layers that were matched; says through `warn` what it changes. */
  settle?(
    values: MethodValues<S>,
    layers: readonly Module[],
    warn: (message: string) => void,
    model: ModelShape,
  ): Partial<MethodValues<S>>;
  /** Made once for an adapter and given to each of its parts: what layers share. */
  shared?(layers: readonly Module[], values: MethodValues<S>, make: MakeAt, model: ModelShape): unknown;
  linear?(layer: Linear, values: MethodValues<S>, make: Make, shared: unknown): LinearPart;
  embedding?(layer: Embedding, values: MethodValues<S>, make: Make, shared: unknown): EmbeddingPart;
  /** Whether the own table of an adapted embedding is saved along, as PEFT does for most. True where left out. */
  savesTables?(values: MethodValues<S>): boolean;
  /** The target layers are replaced by trained copies, whose tensors are saved below the layer's name and this suffix. */
  readonly copies?: string;
  sites?(model: ModelShape, values: MethodValues<S>, make: MakeAt, shared: unknown): SiteParts;
  /** Called last, when all parts are there. */
  lifecycle?(
    parts: readonly LinearPart[],
    values: MethodValues<S>,
    make: MakeAt,
    shared: unknown,
  ): Lifecycle<MethodValues<S>>;
  /** Whether ΔW of its layers is the same whatever W: then it can be turned into plain LoRA. */
  readonly additive?: boolean;
  /** Whether a weighted combination of adapters is that of their tensors, Σ wᵢ·tᵢ, rather than of low-rank factors. */
  readonly combinesByTensor?: boolean;
  /** Whether an adapter can be replaced by another of the method while it is active, as serving does. */
  readonly swappable?: boolean;
  /** Options that training itself changes: a resumed run may find other values in its files. */
  readonly learned?: readonly (keyof S & string)[];
  /** What the shape of a tensor in a file says that differs from the shape which its config asks for, in words, or null. */
  misfit?(key: string, stored: Shape, wanted: Shape): string | null;
}

/** A method with its options chosen: what `getPeftModel` and `addAdapter` take. */
export interface MethodConfig {
  readonly method: Method;
  readonly values: MethodValues;
  /** Whether the user named a task; otherwise it is the model's. */
  readonly namesTask: boolean;
  /** Options of its file, as the file spells them, that keep it from being trained on here. */
  readonly inferenceOnly?: readonly string[];
  /** The file that it was read from, key by key, so that saving it again changes nothing else. */
  readonly file: Readonly<Record<string, unknown>> | null;
}

export interface Method<S extends Options = Options> extends MethodDefinition<S> {
  /** Chooses options; those left out have PEFT's defaults. Throws FormatError for an unknown name or an ill-typed value. */
  (options?: Partial<MethodValues<S>>): MethodConfig;
}

/**
 * Makes a method from its definition.
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

/** A method with options, whose names messages write as `spell` does. */
export function configOf(
  method: Method,
  given: Readonly<Record<string, unknown>>,
  spell: Spell = asNamed,
): MethodConfig {
  const values = checkedValues(method, given, `${methodName(method)} options`, spell);
  return { method, values, namesTask: given.taskType !== undefined, file: null };
}

/** What a method is called: the name of its file. */
export function methodName({ file, peftType }: { readonly file?: string; readonly peftType: string }): string {
  return file ?? peftType.toLowerCase();
}

/** The config with other values for some of its options, checked. */
export function withValues(config: MethodConfig, values: Readonly<Record<string, unknown>>): MethodConfig {
  const { method } = config;
  const what = `${methodName(method)} options`;
  return { ...config, values: checkedValues(method, { ...config.values, ...values }, what, asNamed) };
}

/** Options that are in no file: what decides the random start of an adapter, and whether it is made to be trained. */
const unsaved = {
  seed: whole(0, 0, { unsaved: true, filledIn: true }),
  inferenceMode: flag(false, { unsaved: true, filledIn: true }),
} satisfies Options;

/** Every option of a method by name. */
export function optionsOf(method: Method): Options {
  return { ...(method.common ?? common), ...unsaved, ...method.options };
}

/**
 * Completes and checks values given by camelCase name. `what` and `spell` say where they come from and how their names are
 * written there.
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
    return `${layers} cannot be used when ${targets} is one regular expression; name the layers in it`;
  }
  if (typeof targetModules === "string" && layersPattern !== null) {
    return `${pattern} cannot be used when ${targets} is one regular expression`;
  }
  if (layersPattern !== null && layersPattern.length > 0 && layersToTransform === null) {
    return `${pattern} says where layer numbers stand, but ${layers} names no layers`;
  }
  return method.check?.(values, spell) ?? null;
}

/** What a method's options are called in files, by camelCase name. */
export function publishedNames(method: Method): Map<string, string> {
  const options = optionsOf(method);
  const own = Object.keys(options).filter((name) => !options[name]!.unsaved);
  const others = [...Object.keys(method.absent ?? {}), ...Object.keys(method.inert ?? {})];
  return new Map([...own, ...others].map((name) => [name, snakeCase(name)]));
}
