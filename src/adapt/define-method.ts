/**
 * What a PEFT method is: its name, its options, and what it does at each kind of site. One file in src/methods/ defines
 * one method; naming, matching, saving, merging and switching are done for all of them by the rest of this folder.
 */
import { FormatError, UnsupportedError } from "../core/errors.ts";
import { didYouMean } from "../core/similar.ts";
import type { Embedding, EmbeddingDelta } from "../nn/embedding.ts";
import type { Linear, LinearDelta } from "../nn/linear.ts";
import type { WeightRows } from "../ops/fold.ts";
import type { Tape } from "../tape/tape.ts";
import type { Make } from "./make.ts";
import {
  layerNumbers,
  names,
  namesOrPattern,
  type Options,
  sameJson,
  snakeCase,
  text,
  type ValuesOf,
  whole,
} from "./options.ts";

/** How an adapter becomes part of the weights below it. Left out by methods that no single weight can express. */
export interface Foldable {
  /** Looks at the unchanged weight, then returns what changes it, piece by piece and in place. */
  fold?(tape: Tape): (rows: WeightRows) => void;
  /** The same for the layer's bias, as a whole. */
  foldBias?(bias: Float32Array): void;
  /** Told after the base weight has changed by merging or unmerging. */
  rebase?(): void;
}

export interface LinearPart extends LinearDelta, Foldable {}
export interface EmbeddingPart extends EmbeddingDelta, Foldable {}

/** Options that every method has: which modules it adapts, and what files say about it. */
export const common = {
  targetModules: namesOrPattern(),
  excludeModules: namesOrPattern(),
  layersToTransform: layerNumbers(),
  layersPattern: namesOrPattern(),
  modulesToSave: names(),
  taskType: text(),
  baseModelNameOrPath: text(),
  revision: text(),
} satisfies Options;

export type CommonValues = ValuesOf<typeof common>;

/** All values of a method's options, its own and the common ones. */
export type MethodValues<S extends Options = Options> = ValuesOf<S> & CommonValues & { readonly seed: number };

export interface MethodDefinition<S extends Options> {
  /** The published `peft_type`. The file of the method is called so in lower case. */
  readonly peftType: string;
  readonly options: S;
  /** Options that differ by layer: the one that holds patterns, and the one whose value they replace. */
  readonly patterns?: { readonly [Pattern in keyof S]?: keyof S };
  /** Published keys that this version does not implement, with the only value that they may have. */
  readonly absent?: Readonly<Record<string, unknown>>;
  /** Published keys that have no effect here whatever their value, with their default. They are kept. */
  readonly inert?: Readonly<Record<string, string | number>>;
  /** What is wrong with options that are each well typed, or null. `spell` gives an option's name as its author wrote it. */
  check?(values: MethodValues<S>, spell: (name: string) => string): string | null;
  /** Options that follow from the layers that were matched; says through `warn` what it changes. */
  settle?(
    values: MethodValues<S>,
    layers: readonly (Linear | Embedding)[],
    warn: (message: string) => void,
  ): Partial<ValuesOf<S>>;
  linear?(layer: Linear, values: MethodValues<S>, make: Make): LinearPart;
  embedding?(layer: Embedding, values: MethodValues<S>, make: Make): EmbeddingPart;
}

/** A method with its options chosen: what `getPeftModel` and `addAdapter` take. */
export interface MethodConfig {
  readonly method: Method;
  readonly values: MethodValues;
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
 * export const lora = defineMethod({ peftType: "LORA", options: { r: whole(8, 1) }, linear: (layer, { r }, make) => ... });
 * const config = lora({ r: 4, targetModules: ["q_proj"] });
 */
export function defineMethod<S extends Options>(definition: MethodDefinition<S>): Method<S> {
  const choose = (options: Partial<MethodValues<S>> = {}): MethodConfig => {
    const what = `${definition.peftType.toLowerCase()} options`;
    const given = { taskType: "CAUSAL_LM", ...options };
    const erased = method as unknown as Method;
    return { method: erased, values: checkedValues(erased, given, what, (name) => name), file: null };
  };
  const method = Object.assign(choose, definition);
  return method;
}

/** Every option of a method by name. `seed` decides the random start of an adapter and is in no file. */
export function optionsOf(method: Method): Options {
  return { ...common, seed: whole(0, 0), ...method.options };
}

/**
 * Completes and checks values given by camelCase name. `what` and `spell` say where they come from and how their names are
 * written there.
 */
export function checkedValues(
  method: Method,
  given: Readonly<Record<string, unknown>>,
  what: string,
  spell: (name: string) => string,
): MethodValues {
  const options = optionsOf(method);
  const values: Record<string, unknown> = {};
  const absent = method.absent ?? {};
  for (const [name, value] of Object.entries(given)) {
    if (Object.hasOwn(absent, name)) expectAbsent(what, spell(name), value, absent[name]);
    else if (!Object.hasOwn(options, name) && !Object.hasOwn(method.inert ?? {}, name)) {
      const known = Object.keys(options).map(spell);
      throw new FormatError(
        `${what}: "${spell(name)}" is unknown to ${method.peftType}.${didYouMean(spell(name), known)}`,
      );
    }
  }
  for (const [name, { fallback, is, expected }] of Object.entries(options)) {
    const value = given[name] ?? (given[name] === null && is(null) ? null : fallback);
    if (!is(value))
      throw new FormatError(`${what}: "${spell(name)}" is ${JSON.stringify(value)}, expected ${expected}`);
    values[name] = value;
  }
  const problem = problemOf(method, values as MethodValues, spell);
  if (problem !== null) throw new FormatError(`${what}: ${problem}`);
  return values as MethodValues;
}

function expectAbsent(what: string, name: string, value: unknown, only: unknown): void {
  if (value === undefined || sameJson(value, only)) return;
  throw new UnsupportedError(
    `${what}: "${name}" is ${JSON.stringify(value)}, this version implements only ${JSON.stringify(only)}`,
  );
}

/** Rules about several options at once: PEFT's own, and the method's. */
function problemOf(method: Method, values: MethodValues, spell: (name: string) => string): string | null {
  const { targetModules, layersToTransform, layersPattern } = values;
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
  const own = [...Object.keys(common), ...Object.keys(method.options)];
  const others = [...Object.keys(method.absent ?? {}), ...Object.keys(method.inert ?? {})];
  return new Map([...own, ...others].map((name) => [name, snakeCase(name)]));
}
