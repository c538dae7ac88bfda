/**
 * AdapterHub's folders, the library `adapters` 1.2.0:
 *
 *   adapter_config.json, adapter.safetensors (or pytorch_adapter.bin)           keys <place>.adapters.<name>.adapter_up.weight
 *   head_config.json, model_head.safetensors (or pytorch_model_head.bin)        a trained head, keys as in the model
 *   adapter_fusion_config.json, model_adapter_fusion.safetensors (or .bin)      keys <place>.adapter_fusion_layer.<a,b>.query.weight
 *
 * In memory, keys do not contain the adapter's name, so that an adapter can be loaded and saved under any name.
 */
import { type CheckpointTensor, openPickled, readText } from "../../checkpoint/checkpoint.ts";
import { openSafetensors, type TensorToWrite, writeSafetensors } from "../../checkpoint/safetensors.ts";
import { FormatError } from "../../core/errors.ts";
import type { Source, Target } from "../../core/host.ts";
import { type PyJson, parsePythonJson, pythonJson } from "../../core/python-json.ts";
import type { Base } from "../adaptable-model.ts";
import type { Adapter } from "../adapter.ts";
import { type Fusion, type FusionOptions, fusionOptions } from "../compose/fusion.ts";
import type { MethodConfig } from "../method/define-method.ts";
import { hubPlace } from "../method/hub-place.ts";
import { plain, snakeCase } from "../method/options.ts";
import { HUB_VERSION, type Keys, madeFor, writeHeadConfig, writeHubConfig } from "./adapterhub-config.ts";
import { CONFIG_FILE, type ModelClass } from "./config-file.ts";

export type TensorsByKey = ReadonlyMap<string, CheckpointTensor>;

/** One kind of tensors: the file to write, the one that AdapterHub writes without safetensors, and the config. */
interface Files {
  readonly weights: string;
  readonly pickled: string;
  readonly config: string;
}
const ADAPTER: Files = { weights: "adapter.safetensors", pickled: "pytorch_adapter.bin", config: CONFIG_FILE };
const HEAD: Files = {
  weights: "model_head.safetensors",
  pickled: "pytorch_model_head.bin",
  config: "head_config.json",
};
const FUSION: Files = {
  weights: "model_adapter_fusion.safetensors",
  pickled: "pytorch_model_adapter_fusion.bin",
  config: "adapter_fusion_config.json",
};

// ---- reading

/** The tensors of an adapter and its head by their keys in the files; null if the folder has no AdapterHub files. */
export async function openHubWeights(source: Source): Promise<TensorsByKey | null> {
  const own = await openTensors(source, ADAPTER);
  if (own === null) return null;
  return new Map([...own, ...((await openTensors(source, HEAD)) ?? [])]);
}

async function openTensors(source: Source, { weights, pickled }: Files): Promise<TensorsByKey | null> {
  if (await source.has(weights)) return (await openSafetensors(source, weights)).tensors;
  return (await source.has(pickled)) ? (await openPickled(source, pickled)).tensors : null;
}

/**
 * The same by the keys that the tensors have in memory. Tensors that match nothing keep their keys, so that loading
 * reports them.
 */
export function namedForModel(tensors: TensorsByKey, { file, values }: MethodConfig, base: Base): TensorsByKey {
  const { lnBefore } = values as unknown as { lnBefore: boolean };
  const named = new Map<string, CheckpointTensor>();
  for (const [key, tensor] of withoutName(tensors, "adapters", String(file?.name), base)) {
    // The norm before the bottleneck occurs twice.
    const once = lnBefore ? key.replace(/\.adapter_down\.0\.(weight|bias)$/, ".adapter_norm_before.$1") : key;
    if (!named.has(once)) named.set(once, tensor);
  }
  return named;
}

const legacyNames = /\.(attention|layer)_text_(task|lang)_adapters\./;

/** Keys without the adapter's name, and with the model's own module names: a file may lack or add a prefix. */
function withoutName(
  tensors: TensorsByKey,
  marker: "adapters" | "adapter_fusion_layer",
  name: string,
  { sites }: Base,
): TensorsByKey {
  const places = sites.flatMap((site) => (site.kind === "residual" ? [hubPlace(site)] : []));
  const place = (given: string) => {
    const fitting = places.filter((each) => each === given || each.endsWith(`.${given}`) || given.endsWith(`.${each}`));
    return fitting.length === 1 ? fitting[0]! : given;
  };
  return new Map(
    Array.from(tensors, ([key, tensor]) => {
      const plainKey = key.replace(legacyNames, ".adapters.");
      const inside = `.${marker}.${name}.`;
      const at = plainKey.indexOf(inside);
      if (at < 0) return [plainKey, tensor];
      return [`${place(plainKey.slice(0, at))}.${marker}.${plainKey.slice(at + inside.length)}`, tensor];
    }),
  );
}

/** The contents of a fusion's folder. */
export interface StoredFusion {
  readonly adapterNames: readonly string[];
  readonly options: FusionOptions;
  readonly tensors: TensorsByKey;
}

/** Reads adapter_fusion_config.json and locates its tensors. */
export async function openHubFusion(source: Source, base: Base): Promise<StoredFusion> {
  const what = `"${FUSION.config}" in ${source.name}`;
  const keys = parsePythonJson(await readText(source, FUSION.config), what) as Keys;
  const { name, config, adapter_names: listed } = keys;
  if (typeof name !== "string") throw new FormatError(`${what}: "name" must be the names of the fused adapters`);
  const own = await openTensors(source, FUSION);
  if (own === null) throw new FormatError(`${source.name} has no "${FUSION.weights}" and no "${FUSION.pickled}"`);
  const head = (await openTensors(source, HEAD)) ?? [];
  return {
    adapterNames: Array.isArray(listed) ? (listed as string[]) : name.split(","),
    options: readFusionOptions(config!, what),
    tensors: new Map([...withoutName(own, "adapter_fusion_layer", name, base), ...head]),
  };
}

function readFusionOptions(config: PyJson, what: string): FusionOptions {
  if (config === "dynamic" || config === "static") return fusionOptions[config];
  const fields = plain(config) as Record<string, unknown>;
  const options: Record<string, unknown> = { ...fusionOptions.dynamic };
  for (const [option, fallback] of Object.entries(fusionOptions.dynamic)) {
    const value = fields?.[snakeCase(option)] ?? fallback;
    if (typeof value !== typeof fallback && option !== "dropoutProb") {
      throw new FormatError(`${what}: "${snakeCase(option)}" is ${JSON.stringify(value)}, expected ${typeof fallback}`);
    }
    options[option] = value;
  }
  return options as unknown as FusionOptions;
}

// ---- writing

/** Writes an adapter, and the head that was trained with it to separate files, as AdapterHub's `save_adapter` does. */
export async function writeHubAdapter(
  { name, config }: Adapter,
  tensors: readonly TensorToWrite[],
  base: Base,
  model: ModelClass,
  to: Target,
): Promise<void> {
  const { own, head } = named(tensors, "adapters", name);
  await writeFiles(to, ADAPTER, own, writeHubConfig(config, name, base, model));
  if (head.length > 0) await writeFiles(to, HEAD, head, writeHeadConfig(base, model, config));
}

/** Writes a fusion in the same way. */
export async function writeHubFusion(
  { name, options }: Fusion,
  tensors: readonly TensorToWrite[],
  base: Base,
  model: ModelClass,
  config: MethodConfig,
  to: Target,
): Promise<void> {
  const fields = Object.fromEntries(Object.entries(options).map(([option, value]) => [snakeCase(option), value]));
  const facts = { ...madeFor(base, model, config), version: HUB_VERSION, config: fields, name };
  const { own, head } = named(tensors, "adapter_fusion_layer", name);
  await writeFiles(to, FUSION, own, pythonJson({ ...facts, adapter_names: name.split(",") }));
  if (head.length > 0) await writeFiles(to, HEAD, head, writeHeadConfig(base, model, config));
}

/** Tensors with the adapter's name in their keys, and those of a head, whose keys have no name. */
function named(tensors: readonly TensorToWrite[], marker: string, name: string) {
  const inside = `.${marker}.`;
  const own = tensors.filter((tensor) => tensor.name.includes(inside));
  const head = tensors.filter((tensor) => !tensor.name.includes(inside));
  return { own: own.map((tensor) => ({ ...tensor, name: tensor.name.replace(inside, `${inside}${name}.`) })), head };
}

async function writeFiles(target: Target, files: Files, tensors: readonly TensorToWrite[], config: string) {
  await writeSafetensors(target, files.weights, tensors, null);
  await target.write(files.config, [new TextEncoder().encode(config)]);
}
