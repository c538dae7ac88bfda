/** Tied layers that adapters change in different ways: each needs a separate weight before anything is folded into it. */
import { UnsupportedError } from "../../core/errors.ts";
import type { Module } from "../../nn/layers/weights.ts";
import type { Model } from "../../nn/tasks/model.ts";
import { expectDense, storedBytes } from "../../tensor/elements.ts";
import { allocateFrozen } from "../../tensor/frozen.ts";
import type { Weight } from "../../tensor/tensor.ts";
import type { Base } from "../adaptable-model.ts";
import type { Adapter, Warn } from "../adapter.ts";
import type { Foldable } from "../method/define-method.ts";

/** A layer that has a copy of the weight which it shared. */
export interface Untied {
  readonly module: Module;
  readonly shared: Weight;
}

/** What an adapter folds into a layer's weight, if anything. */
export function foldableOf(adapter: Adapter, module: Module): Foldable | undefined {
  if (module.kind === "linear") return adapter.linear.get(module);
  return module.kind === "embedding" ? adapter.embedding.get(module) : undefined;
}

/**
 * Gives tied layers whose weight adapters change differently a weight each: the one that the table is named after keeps it, the
 * others get copies. With `replacing`, trained copies of whole layers count as changes too.
 */
export function untie(base: Base, adapters: readonly Adapter[], replacing: boolean): Untied[] {
  const { memory } = base.engine;
  const untied = affected(base, adapters, replacing);
  for (const { module, shared } of untied) {
    const { dtype, shape } = expectDense(shared);
    const own = allocateFrozen(memory, `${module.name}.weight`, shape, dtype, false, undefined, shared.ptr);
    storedBytes(memory, own).set(storedBytes(memory, shared));
    base.replaceWeight(module, own);
  }
  return untied;
}

/** Gives layers the weight back that they shared, and frees their own. */
export function retie(base: Base, untied: readonly Untied[]): void {
  for (const { module, shared } of untied) {
    base.weightsOf(module).weight.dispose();
    base.replaceWeight(module, shared);
  }
}

/** Throws UnsupportedError for a model that reads a weight otherwise when it is not tied, and cannot be written for that reason. */
export function expectUntieable(model: Model, base: Base, adapters: readonly Adapter[]): void {
  const [first] = affected(base, adapters, true);
  if (first === undefined || model.traits.stacks.length === 1) return;
  throw new UnsupportedError(
    `"${first.module.name}" cannot get a separate weight by merging: a tied ${model.modelType} scales what goes into its head, ` +
      "an untied one does not. Keep the adapter beside the base",
  );
}

/** Unties for good: the config says so from now on. */
export function untieForGood(model: Model, base: Base, adapters: readonly Adapter[], warn: Warn): void {
  const untied = untie(base, adapters, true);
  if (untied.length === 0) return;
  model.config = { ...model.config, tie_word_embeddings: false };
  for (const { module, shared } of untied) {
    warn(
      `"${module.name}" was tied to "${shared.name}" and has a separate weight after merging: both are written, and the config ` +
        "says that they are tied no longer",
    );
  }
}

function affected(base: Base, adapters: readonly Adapter[], replacing: boolean): Untied[] {
  const sharers = new Map<Weight, Module[]>();
  for (const module of base.layers.values()) {
    const { weight } = base.weightsOf(module);
    sharers.set(weight, [...(sharers.get(weight) ?? []), module]);
  }
  return Array.from(sharers).flatMap(([shared, modules]) => {
    const [first, ...rest] = modules.map((module) => changesOf(module, adapters, replacing));
    if (rest.every((changes) => sameItems(changes, first!))) return [];
    const others = modules.filter(({ name }) => `${name}.weight` !== shared.name);
    return others.map((module) => ({ module, shared }));
  });
}

/** What adapters do to a layer's weight, in order. */
function changesOf(module: Module, adapters: readonly Adapter[], replacing: boolean): object[] {
  return adapters.flatMap((adapter) => {
    const part = foldableOf(adapter, module);
    const copies = replacing ? adapter.replaced.filter((each) => each.module === module) : [];
    return [...copies.flatMap(({ weight }) => weight ?? []), ...(part ? [part.change ?? part] : [])];
  });
}

function sameItems(a: readonly object[], b: readonly object[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}
