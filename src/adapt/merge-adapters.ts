/** Merging the adapters of a set into the base: for a while, or for good. */
import { quoted } from "./adapter-name.ts";
import type { AdapterSet } from "./adapter-set.ts";
import { expectMergeable, mergeInto } from "./merge/merge.ts";
import { expectUntieable, untieForGood } from "./merge/untie.ts";
import { bakeReplaced } from "./merge/write-copies.ts";

/** Folds adapters into the base weights besides those that are merged already. When that fails, all is as before. */
export function mergeAdapters(set: AdapterSet, wanted: readonly string[], safeMerge: boolean): void {
  const fresh = wanted.filter((name) => !set.merged.includes(name));
  if (fresh.length === 0) {
    set.warn("all adapters are already merged, nothing to do");
    return;
  }
  const before = set.merged;
  if (before.length > 0) set.warn(`adapters ${quoted(before)} are merged already, now also ${quoted(fresh)}`);
  const names = [...before, ...fresh];
  const adapters = names.map((name) => set.get(name));
  set.restore();
  try {
    expectMergeable(set.layers, adapters, safeMerge);
    set.fold(names);
  } catch (error) {
    set.restore();
    set.fold(before);
    throw error;
  } finally {
    set.refresh();
  }
}

/** Puts the base weights back as they were, bit for bit. */
export function unmergeAdapters(set: AdapterSet): void {
  if (set.merged.length === 0) set.warn("no adapter is merged, nothing to do");
  else set.unmerge();
}

/** Folds adapters into the base, along with what they replace, and takes all adapters off. */
export function mergeForGood(set: AdapterSet, names: readonly string[], safeMerge: boolean): void {
  const { layers } = set;
  const adapters = names.map((name) => set.get(name));
  if (set.merged.length > 0) set.unmerge();
  expectMergeable(layers, adapters, safeMerge);
  expectUntieable(set.model, layers, adapters);
  untieForGood(set.model, layers, adapters, set.warn);
  bakeReplaced(layers, adapters);
  set.deactivate();
  mergeInto(layers, adapters, null);
  set.clear();
}

/** Runs `body` on the base alone. */
export function withoutAdapters<T>(set: AdapterSet, body: () => T): T {
  const { enabled, merged } = set;
  if (merged.length > 0) set.unmerge();
  set.setEnabled(false);
  const back = () => {
    set.setEnabled(enabled);
    if (merged.length > 0) mergeAdapters(set, merged, false);
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
