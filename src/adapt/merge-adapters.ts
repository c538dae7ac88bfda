/** Merges the adapters of a set into the base, temporarily or permanently. */

import { withLabels } from "../nn/tasks/label-names.ts";
import type { ModelUse } from "../nn/tasks/model-uses.ts";
import { quoted } from "./adapter-name.ts";
import type { AdapterSet } from "./adapter-set.ts";
import { expectMergeable, mergeInto } from "./merge/merge.ts";
import { expectUntieable, untieForGood } from "./merge/untie.ts";
import { bakeReplaced } from "./merge/write-copies.ts";

/** Merges more adapters into the base weights. If that fails, nothing changes. */
export function mergeAdapters(set: AdapterSet, wanted: readonly string[], safeMerge: boolean): void {
  const fresh = wanted.filter((name) => !set.merged.includes(name));
  if (fresh.length === 0) {
    set.warn("all adapters are already merged, nothing to do");
    return;
  }
  const before = set.merged;
  if (before.length > 0) set.warn(`adapters ${quoted(before)} are already merged; ${quoted(fresh)} are now merged too`);
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

/** Restores the base weights, bit for bit. */
export function unmergeAdapters(set: AdapterSet): void {
  if (set.merged.length === 0) set.warn("no adapter is merged, nothing to do");
  else set.unmerge();
}

/** Merges adapters into the base, including the modules that they replace, and removes all adapters. */
export function mergeForGood(set: AdapterSet, names: readonly string[], safeMerge: boolean): void {
  const { layers } = set;
  const adapters = names.map((name) => set.get(name));
  if (set.merged.length > 0) set.unmerge();
  expectMergeable(layers, adapters, safeMerge);
  expectUntieable(set.model, layers, adapters);
  untieForGood(set.model, layers, adapters, set.warn);
  bakeReplaced(layers, adapters);
  const { labels = null } = adapters.findLast((adapter) => adapter.labels !== null) ?? {};
  set.deactivate();
  mergeInto(layers, adapters, null);
  set.model.weightChanges++;
  set.clear();
  if (labels !== null) set.model.config = withLabels(set.model.config, labels); // the base has the adapter's head
}

const withoutAny: ModelUse = {
  call: "disableAdapter",
  what: "runs without adapters in disableAdapter()",
  next: "wait for that call to end",
};

/** Runs `body` on the base without adapters. */
export function withoutAdapters<T>(set: AdapterSet, body: () => T): T {
  const { enabled, merged, model } = set;
  const isBusy = model.uses.any;
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
  if (!(result instanceof Promise)) {
    back();
    return result;
  }
  if (!isBusy) return model.uses.during(withoutAny, () => result).finally(back) as T;
  back();
  result.catch(() => {}); // it may fail now that adapters act again
  model.uses.expectNone("disableAdapter with a function that returns a promise");
  return result;
}
