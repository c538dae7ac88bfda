/**
 * Loads and saves the adapters of a set; load.ts, save.ts and adapterhub.ts handle the files. `PeftModel` loads this
 * module on first use.
 */
import { hasCheckpoint } from "../../checkpoint/checkpoint.ts";
import { writeHashed } from "../../checkpoint/file-hashes.ts";
import { openOutput, openSource, openTarget, type SourceLike, type TargetLike } from "../../checkpoint/open.ts";
import { verifiedSource } from "../../checkpoint/verified-source.ts";
import { FormatError, StateError } from "../../core/errors.ts";
import type { Source, Target } from "../../core/host.ts";
import type { RawConfig } from "../../nn/config.ts";
import { labelNames, withLabels } from "../../nn/tasks/label-names.ts";
import type { Model } from "../../nn/tasks/model.ts";
import { Adapter } from "../adapter.ts";
import { DEFAULT_ADAPTER, quoted } from "../adapter-name.ts";
import type { AdapterSet } from "../adapter-set.ts";
import { type CompositionNode, namesIn, nodesIn } from "../compose/composition.ts";
import { type MethodConfig, methodName, withValues } from "../method/define-method.ts";
import type { StoredShapes } from "../method/tensor-maker.ts";
import { openHubFusion } from "./adapterhub.ts";
import { readSetup, subFolder, writeSetup } from "./adapterhub-setup.ts";
import { openTensorsFor, readAdapterConfig, readFusion, readTensors } from "./load.ts";
import type { LoadAdapterOptions, LoadFusionOptions } from "./load-options.ts";
import { mapped, unwrapped } from "./renamed-keys.ts";
import { type Write, writeAdapter, writeFusion } from "./save.ts";
import { readLabels } from "./saved-labels.ts";
import { withTiedLayers } from "./tied-layers.ts";

/** Loads an adapter under a name and activates it, or loads a folder with several adapters and their composition. */
export async function loadFolder(
  set: AdapterSet,
  from: SourceLike,
  name: string,
  options: LoadAdapterOptions,
): Promise<void> {
  const { subfolder = "", ...others } = options;
  const folder = subFolder(openSource(from), subfolder);
  const setup = await readSetup(folder);
  if (setup !== null) return loadSetup(set, folder, setup, others);
  await loadAdapter(set, folder, name, others);
  set.activate(name);
}

async function loadSetup(
  set: AdapterSet,
  source: Source,
  setup: CompositionNode,
  options: LoadAdapterOptions,
): Promise<void> {
  for (const name of namesIn(setup)) {
    await loadAdapter(set, subFolder(source, name === DEFAULT_ADAPTER ? "" : name), name, options);
  }
  const fused = nodesIn(setup).flatMap((node) => (node.type === "Fuse" ? [node.name] : []));
  const { isTrainable = false } = options;
  for (const name of fused) await loadAdapterFusion(set, subFolder(source, name), { isTrainable });
  set.activate(setup);
}

/** Leaves the model unchanged if the folder does not fit. */
export async function loadAdapter(
  set: AdapterSet,
  from: SourceLike,
  name: string,
  options: LoadAdapterOptions,
): Promise<void> {
  set.expectRoom(name);
  set.put(await read(set, from, name, options, () => set.expectRoom(name)));
}

/** An adapter loaded from a folder, not in the set yet. `expectStill` throws if the set cannot take it any more. */
async function read(
  set: AdapterSet,
  from: SourceLike,
  name: string,
  { isTrainable = false, values = {}, subfolder = "", keyMapping = {}, allowNonFinite = false }: LoadAdapterOptions,
  expectStill: () => void,
): Promise<Adapter> {
  const { layers, model } = set;
  const source = await verifiedSource(subFolder(openSource(from), subfolder), set.warn);
  try {
    const config = withTiedLayers(withValues(await readAdapterConfig(source, set.warn), values), layers);
    const stored = mapped(await openTensorsFor(config, source, layers), keyMapping);
    const tensors = unwrapped(stored, layers, set.warn, source.name);
    expectStill(); // the model may have changed while files were read
    const adapter = unfilled(set, source.name, name, config, tensors);
    try {
      await readTensors(adapter, layers, tensors, model, source.name, { allowNonFinite });
      adapter.labels = await labelsFor(adapter, source, model);
      adapter.setTrainable(isTrainable);
      return adapter;
    } catch (error) {
      adapter.dispose();
      throw error;
    }
  } finally {
    await source.close();
  }
}

/** The labels of the head in an adapter folder, or null. Throws FormatError for another count than the head has. */
async function labelsFor({ replaced }: Adapter, source: Source, { labelNames: own }: Model): Promise<RawConfig | null> {
  const labels = own === null || replaced.length === 0 ? null : await readLabels(source);
  const names = labels === null ? null : labelNames(labels, `config.json of ${source.name}`);
  if (names === null || names.length === own!.length) return labels;
  throw new FormatError(
    `config.json of ${source.name} names ${names.length} labels, but the head has ${own!.length} outputs`,
  );
}

/** Creates an adapter to fill from a file. If the config matches no layer, the error names the file and its base. */
function unfilled(set: AdapterSet, source: string, name: string, config: MethodConfig, stored: StoredShapes): Adapter {
  try {
    return new Adapter(name, config, set.layers, { purpose: "load", stored }, set.warn);
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    const made = config.values.baseModelNameOrPath;
    const base = made === null ? "" : `, made for "${made}",`;
    const model = `this ${set.model.modelType} model`;
    throw new FormatError(`adapter in ${source}${base} does not fit ${model}\n  ${cause.message}`, { cause });
  }
}

/** Loads a fusion whose adapters are already loaded. Returns its name. */
export async function loadAdapterFusion(
  set: AdapterSet,
  from: SourceLike,
  { adapterNames, isTrainable = false, values = {}, allowNonFinite = false }: LoadFusionOptions,
): Promise<string> {
  const source = await verifiedSource(openSource(from), set.warn);
  try {
    const { adapterNames: named, options, tensors } = await openHubFusion(source, set.layers);
    const name = (adapterNames ?? named).join(",");
    const fusion = set.addFusion(name, { ...options, ...values }, 0, tensors);
    try {
      await readFusion(fusion, tensors, source.name, { allowNonFinite });
      fusion.setTrainable(isTrainable);
      return name;
    } catch (error) {
      if (set.fusions.get(name) === fusion) set.removeFusion(name);
      throw error;
    }
  } finally {
    await source.close();
  }
}

/** Replaces a loaded adapter with one of the same method from a folder. Nothing changes if it does not fit. */
export async function hotswapAdapter(set: AdapterSet, from: SourceLike, name: string): Promise<void> {
  const before = set.expectReplaceable(name);
  const { trainable: isTrainable } = before;
  const adapter = await read(set, from, name, { isTrainable }, () => set.expectReplaceable(name));
  const [was, is] = [before.config.method, adapter.config.method];
  if (was !== is || !was.swappable) {
    adapter.dispose();
    const [old, fresh] = [methodName(was), methodName(is)];
    throw new StateError(
      `adapter "${name}" is ${old} and the new one is ${fresh}: only a low-rank adapter can be swapped, and only for one of the same method`,
    );
  }
  set.replace(adapter);
}

/**
 * Writes adapters and fusions, by default all of them, together with the composition of several bottleneck adapters.
 */
export async function saveAdapters(set: AdapterSet, to: TargetLike, selected?: readonly string[]): Promise<void> {
  const { adapters, fusions, layers, model } = set;
  const names = selected ?? [...adapters.keys(), ...fusions.keys()];
  const chosen = names.filter((name) => !fusions.has(name)).map((name) => set.get(name));
  const target = openTarget(to);
  expectDistinct(names);
  // All of it is copied before the first file is written: training may continue meanwhile.
  const writes: { readonly folder: string; readonly write: Write }[] = names.flatMap((name) => {
    const fusion = fusions.get(name);
    if (fusion === undefined) return [];
    const { config } = set.get(name.split(",").at(-1)!);
    return [{ folder: fusion.name, write: writeFusion(fusion, config, layers, model) }];
  });
  if (selected === undefined && set.active.length > 1 && set.composes(set.active)) {
    const { composition } = set;
    writes.push({ folder: "", write: (root) => writeSetup(composition, root) });
  }
  for (const adapter of chosen) {
    const folder = adapter.name === DEFAULT_ADAPTER ? "" : adapter.name;
    const { modelType, architecture } = model;
    const config = withLabels(model.config, set.labelsOf(adapter));
    writes.push({ folder, write: writeAdapter(adapter, layers, { modelType, architecture, config }) });
  }
  if (typeof to === "string") await expectNoModel(openOutput(to)!.source());
  for (const folder of new Set(writes.map((one) => one.folder))) {
    const own = writes.filter((one) => one.folder === folder);
    await writeHashed(folder === "" ? target : below(target, folder), async (to) => {
      for (const { write } of own) await write(to);
    });
  }
}

/** Throws StateError if a folder holds a model: its config.json would be overwritten with the labels of an adapter's head. */
async function expectNoModel(folder: Source): Promise<void> {
  if (!(await hasCheckpoint(folder))) return;
  throw new StateError(`${folder.name} holds a model: save an adapter to another folder, such as one below it`);
}

/** A subfolder of a target. */
function below(target: Target, folder: string): Target {
  return { name: target.name, write: (file, chunks) => target.write(`${folder}/${file}`, chunks) };
}

/** Throws StateError if two names are the same folder where capital letters do not count, as on Windows and macOS. */
function expectDistinct(names: readonly string[]): void {
  const folders = new Map<string, string>();
  for (const name of names) {
    const other = folders.get(name.toLowerCase());
    if (other !== undefined) {
      throw new StateError(
        `adapters ${quoted([other, name])} cannot be saved together: their folders would be the same on Windows and macOS. ` +
          "Save them to different folders with selectedAdapters",
      );
    }
    folders.set(name.toLowerCase(), name);
  }
}
