/** Reads an adapter folder written by PEFT or here: adapter_config.json and adapter_model.safetensors. */
import { type CheckpointTensor, openPickled, readText } from "../../checkpoint/checkpoint.ts";
import { FLOATS, isFloat, toFloats } from "../../checkpoint/floats.ts";
import { openSafetensors } from "../../checkpoint/safetensors.ts";
import { dtypeBytes } from "../../core/dtype.ts";
import { FormatError } from "../../core/errors.ts";
import type { Source } from "../../core/host.ts";
import { expectFinite } from "../../core/non-finite.ts";
import { listProblems } from "../../core/problems.ts";
import { parsePythonJson } from "../../core/python-json.ts";
import { formatShape, type Shape, sameShape, sizeOf } from "../../core/shape.ts";
import { readElements, writeElements } from "../../tensor/elements.ts";
import { isQuantised, type Weight } from "../../tensor/tensor.ts";
import type { Memory } from "../../wasm/memory.ts";
import type { Base } from "../adaptable-model.ts";
import { type Adapter, KEY_PREFIX, type Warn } from "../adapter.ts";
import type { Fusion } from "../compose/fusion.ts";
import { findCopied } from "../matching.ts";
import type { MethodConfig } from "../method/define-method.ts";
import { headsOf } from "../method/head-modules.ts";
import { namedForModel, openHubWeights } from "./adapterhub.ts";
import { isHubConfig, type Keys, readHubConfig } from "./adapterhub-config.ts";
import { CONFIG_FILE, type ModelClass, parseConfig, readConfig, WEIGHTS_FILE } from "./config-file.ts";
import { methodFor, methodOfFormat } from "./known-methods.ts";
import type { LoadAdapterOptions } from "./load-options.ts";

/** The name of the text in messages, and the receiver of warnings. */
export interface ConfigOptions {
  name?: string;
  onWarning?: Warn;
  /** Whether the options are those of an adapter with tensors, whose start no longer matters, rather than of a fresh one. */
  trained?: boolean;
}

/**
 * A method's options from the parsed keys of an adapter_config.json.
 *
 * @example
 * const config = await configFromJson({ peft_type: "LORA", r: 4, target_modules: "all-linear" });
 */
export async function configFromJson(json: unknown, options: ConfigOptions = {}): Promise<MethodConfig> {
  return configFromText(JSON.stringify(json), options);
}

/** The same from the text of the file, which also distinguishes 16.0 from 16. */
export async function configFromText(
  text: string,
  { name = CONFIG_FILE, onWarning = console.warn, trained = false }: ConfigOptions = {},
): Promise<MethodConfig> {
  const hub = parsePythonJson(text, name) as Keys | null;
  if (typeof hub === "object" && hub !== null && isHubConfig(hub)) {
    return readHubConfig(hub, await methodOfFormat("adapterhub"), name, onWarning);
  }
  const { keys, peftType } = parseConfig(text, name);
  return readConfig(await methodFor(peftType, name), keys, name, onWarning, trained);
}

/** Reads adapter_config.json of a folder. */
export async function readAdapterConfig(source: Source, onWarning: Warn): Promise<MethodConfig> {
  const name = `"${CONFIG_FILE}" in ${source.name}`;
  return configFromText(await readText(source, CONFIG_FILE), { name, onWarning, trained: true });
}

/** The file that PEFT saves without safetensors. */
const PICKLED_FILE = "adapter_model.bin";

/** The tensors of an adapter file, by key, without reading them. */
export async function openAdapterWeights(source: Source): Promise<ReadonlyMap<string, CheckpointTensor>> {
  const tensors = await weightsIn(source);
  if (tensors !== null) return tensors;
  throw new FormatError(`${source.name} has no "${WEIGHTS_FILE}" and no "${PICKLED_FILE}"`);
}

async function weightsIn(source: Source): Promise<ReadonlyMap<string, CheckpointTensor> | null> {
  if (await source.has(WEIGHTS_FILE)) return (await openSafetensors(source, WEIGHTS_FILE)).tensors;
  if (await source.has(PICKLED_FILE)) return (await openPickled(source, PICKLED_FILE)).tensors;
  return openHubWeights(source);
}

/** The same by the keys that an adapter with this config has in memory; AdapterHub's files use different keys. */
export async function openTensorsFor(
  config: MethodConfig,
  source: Source,
  base: Base,
): Promise<ReadonlyMap<string, CheckpointTensor>> {
  const tensors = await openAdapterWeights(source);
  if (config.method.format !== "adapterhub") return tensors;
  return withoutEqual(namedForModel(tensors, config, base), base);
}

/** Without the base's own tensors: AdapterHub also saves a model's head if it was not trained. */
async function withoutEqual(
  tensors: ReadonlyMap<string, CheckpointTensor>,
  base: Base,
): Promise<ReadonlyMap<string, CheckpointTensor>> {
  const changed = new Map(tensors);
  const trained = findCopied([...base.layers.keys()], headsOf(base.traits), () => {});
  for (const module of base.layers.values()) {
    if (trained.includes(module.name)) continue;
    const { weight, bias } = base.weightsOf(module);
    const pairs = [
      [`${module.name}.weight`, weight],
      [`${module.name}.bias`, bias],
    ] as const;
    const stored = pairs.filter(([key, own]) => own !== null && tensors.has(key));
    const same = stored.map(([key, own]) => equals(base.engine.memory, own!, tensors.get(key)!));
    if (stored.length === 0 || !(await Promise.all(same)).every(Boolean)) continue;
    for (const [key] of stored) changed.delete(key);
  }
  return changed;
}

async function equals(memory: Memory, weight: Weight, tensor: CheckpointTensor): Promise<boolean> {
  if (!sameShape(weight.shape, tensor.shape) || !isFloat(tensor.dtype)) return false;
  const theirs = await readFloats(tensor, true);
  return readElements(memory, weight).every((x, i) => x === theirs[i]);
}

/**
 * The number of outputs of the classification head in an adapter's file, for a module with one of these names, or null.
 */
export async function headSize(source: Source, heads: readonly string[]): Promise<number | null> {
  const head = new RegExp(`(^|\\.)(${heads.join("|")})(\\.out_proj)?\\.weight$`);
  for (const [key, { shape }] of (await weightsIn(source)) ?? []) if (head.test(key)) return shape[0]!;
  return null;
}

/**
 * Fills an adapter with the tensors of a file. Throws one FormatError with every mismatch before writing anything:
 * other shapes, keys for modules that are not adapted, missing keys, another base.
 */
export async function readTensors(
  adapter: Adapter,
  base: Base,
  tensors: ReadonlyMap<string, CheckpointTensor>,
  model: ModelClass,
  from: string,
  { allowNonFinite = false }: Pick<LoadAdapterOptions, "allowNonFinite"> = {},
): Promise<void> {
  const { saved, kept } = adapter;
  const savedBase = adapter.savedBase(base);
  const needed = Array.from(saved).filter(([key]) => tensors.has(key) || !kept.has(key));
  const problems = needed.map(([key, param]) => mismatch(key, tensors.get(key), param.shape, adapter));
  const added: AddedRows[] = [];
  for (const [key, tensor] of tensors) {
    if (!saved.has(key) && !adapter.exported.has(key) && !REPEATED.test(key) && !adapter.config.method.ignores?.(key))
      problems.push(await foreign(key, tensor, savedBase.get(key), base, adapter, added));
  }
  const found = problems.filter((problem) => problem !== null);
  if (found.length > 0) throw new FormatError(misfit(adapter, model, from, found));
  if (base.engine.memory.measuring) return;
  const values = new Map<string, Float32Array>();
  for (const [key] of needed) values.set(key, await readFloats(tensors.get(key)!, allowNonFinite));
  for (const [key, param] of needed) param.values().set(values.get(key)!);
  for (const { weight, start, tensor } of added)
    writeElements(base.engine.memory, weight, start, (await readFloats(tensor, allowNonFinite)).subarray(start));
}

/** Rows of a table that were added by resizing it, as a file has them: an adapter is made on its own draws. */
interface AddedRows {
  readonly weight: Weight;
  /** The first element of them. */
  readonly start: number;
  readonly tensor: CheckpointTensor;
}

/** Fills a fusion with the tensors of a folder. Throws one FormatError with every mismatch before writing anything. */
export async function readFusion(
  { name, params }: Fusion,
  tensors: ReadonlyMap<string, CheckpointTensor>,
  from: string,
  { allowNonFinite = false }: Pick<LoadAdapterOptions, "allowNonFinite"> = {},
): Promise<void> {
  const needed = Array.from(params, ([key, { shape }]) => mismatch(key, tensors.get(key), shape));
  const extra = [...tensors.keys()].filter((key) => key.includes("adapter_fusion_layer") && !params.has(key));
  const problems = [...needed, ...extra.map((key) => `${key}: in the file, but the fusion has no such site`)];
  const found = problems.filter((problem) => problem !== null);
  if (found.length > 0) throw new FormatError(listProblems(`fusion "${name}" of ${from} does not fit`, found));
  const values = await Promise.all(Array.from(params.keys(), (key) => readFloats(tensors.get(key)!, allowNonFinite)));
  [...params.values()].forEach((param, i) => void param.values().set(values[i]!));
}

/** PEFT saves a copied layer under its name, and with bias "all" or embeddings twice more as the wrapper has it. */
const REPEATED = /\.(modules_to_save|original_module)\.(weight|bias)$/;

function mismatch(
  key: string,
  tensor: CheckpointTensor | undefined,
  shape: Shape,
  adapter: Adapter | null = null,
): string | null {
  if (!tensor) return `${short(key)}: missing, the model needs ${formatShape(shape)}`;
  if (!isFloat(tensor.dtype)) return `${short(key)}: dtype ${tensor.dtype}, this version reads ${FLOATS}`;
  if (sameShape(tensor.shape, shape)) return null;
  const why = adapter?.config.method.misfit?.(key, tensor.shape, shape) ?? null;
  const found = `${short(key)}: file has ${formatShape(tensor.shape)}, model needs ${formatShape(shape)}`;
  return why === null ? found : `${found} (${why})`;
}

/** A key that is not a tensor of the adapter: valid if it is the base's own weight, otherwise a problem. */
async function foreign(
  key: string,
  tensor: CheckpointTensor,
  weight: Weight | undefined,
  base: Base,
  adapter: Adapter,
  added: AddedRows[],
): Promise<string | null> {
  const own = weight ?? baseWeight(key, base);
  if (own !== undefined) {
    const shape = mismatch(key, tensor, own.shape);
    if (shape !== null || (await sameNumbers(base.engine.memory, own, tensor))) return shape;
    const start = (base.resizedFrom ?? Number.POSITIVE_INFINITY) * own.shape[1]!;
    if (!(start < sizeOf(own.shape) && (await sameNumbers(base.engine.memory, own, tensor, start))))
      return `${short(key)}: differs from the model's own weight`;
    added.push({ weight: own, start, tensor });
    return null;
  }
  const layer = Array.from(base.layers.values()).find(({ name }) => key.startsWith(`${KEY_PREFIX}${name}.`));
  if (layer === undefined) return `${short(key)}: in the file, but the model has no such module`;
  const adapted =
    layer.kind === "linear" ? adapter.linear.has(layer) : layer.kind === "embedding" && adapter.embedding.has(layer);
  return `${short(key)}: in the file, but ${adapted ? "its config does not train this in" : "not adapted by its config:"} "${layer.name}"`;
}

/** A layer's own weight that a file also contains, under its plain or its wrapped name. */
function baseWeight(key: string, base: Base): Weight | undefined {
  const name = /^base_model\.model\.(.+?)(\.(token_adapter\.)?base_layer)?\.weight$/.exec(key)?.[1];
  const layer = name === undefined ? undefined : base.layers.get(name);
  return layer && base.weightsOf(layer).weight;
}

/** The largest relative error of storing a weight in bfloat16. */
const ROUNDING = 2 ** -8;
/** Elements compared at a time. */
const PIECE = 1 << 20;

/** Whether the elements up to `size` are the same. */
async function sameNumbers(
  memory: Memory,
  weight: Weight,
  tensor: CheckpointTensor,
  size = sizeOf(weight.shape),
): Promise<boolean> {
  // A quantized base only approximates the file's values, and a measured base has none.
  if (isQuantised(weight) || memory.measuring) return true;
  const bytes = dtypeBytes[tensor.dtype];
  for (let start = 0; start < size; start += PIECE) {
    const end = Math.min(size, start + PIECE);
    const theirs = toFloats(tensor.dtype, await tensor.read(start * bytes, end * bytes));
    const ours = readElements(memory, weight, start, end);
    if (!theirs.every((x, i) => Math.abs(x - ours[i]!) <= ROUNDING * Math.abs(x) + 1e-7)) return false;
  }
  return true;
}

/** A tensor in f32. Throws FormatError for a number that is not finite, unless that is allowed. */
async function readFloats(tensor: CheckpointTensor, allowNonFinite = false): Promise<Float32Array> {
  const values = toFloats(tensor.dtype, await tensor.read());
  if (!allowNonFinite) expectFinite(`"${tensor.name}" in "${tensor.file}"`, values);
  return values;
}

function misfit(
  { name, config }: Adapter,
  { modelType }: ModelClass,
  from: string,
  problems: readonly string[],
): string {
  const { baseModelNameOrPath } = config.values;
  const made = baseModelNameOrPath ? `\nIt was made for ${JSON.stringify(baseModelNameOrPath)}.` : "";
  return (
    listProblems(`adapter "${name}" of ${from} does not fit model "${modelType}"`, problems, problems.length) + made
  );
}

/** Keys in messages, without their common prefix. */
function short(key: string): string {
  return key.startsWith(KEY_PREFIX) ? key.slice(KEY_PREFIX.length) : key;
}
