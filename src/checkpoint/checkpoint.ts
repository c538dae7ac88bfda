/** A model's tensors, in one file or in several with an index, as the Hugging Face libraries write them. */
import { FormatError } from "../core/errors.ts";
import { expectInside, type Source } from "../core/host.ts";
import { readWhole } from "../core/io/read-whole.ts";
import { listProblems } from "../core/problems.ts";
import { isObject, type Json, parseJson } from "../core/python-json.ts";
import { expectNoPointer } from "./git-lfs.ts";
import { type CheckpointTensor, openSafetensors } from "./safetensors.ts";

export type { CheckpointTensor } from "./safetensors.ts";

/** All tensors of a model, by published name. Headers have been read and checked; no tensor has been read. */
export interface Checkpoint {
  /** The name that messages use. */
  readonly name: string;
  /** The files that it consists of. */
  readonly files: readonly string[];
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
}

/** The contents of one file of a model. */
interface TensorFile {
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
}

/** Forms of a model in order of preference: a single file, or the index of its shards. */
const forms: readonly { single: string; open: (source: Source, file: string) => Promise<TensorFile> }[] = [
  { single: "model.safetensors", open: openSafetensors },
  { single: "pytorch_model.bin", open: openPickled },
];

/**
 * Opens `model.safetensors`, or the shards of `model.safetensors.index.json` if that file is missing; otherwise
 * `pytorch_model.bin` or its shards. With an index, each tensor comes from the shard that the index names; tensors that
 * only a shard lists are ignored. Throws FormatError that lists every missing shard and every tensor that is not in its
 * shard.
 */
export async function openCheckpoint(source: Source): Promise<Checkpoint> {
  for (const { single, open } of forms) {
    const index = `${single}.index.json`;
    if (await source.has(single)) {
      const { tensors } = await open(source, single);
      return { name: source.name, files: [single], tensors };
    }
    if (await source.has(index)) return openShards(source, index, open);
  }
  const names = forms.flatMap(({ single }) => [`"${single}"`, `"${single}.index.json"`]);
  throw new FormatError(`${source.name} contains none of ${names.join(", ")}${await whatElse(source)}`);
}

/** Opens a file written by `torch.save`. Its reader is loaded on first use because such files are rare. */
export async function openPickled(source: Source, file: string): Promise<TensorFile> {
  const { openTorchFile } = await import("./torch-file.ts");
  return openTorchFile(source, file);
}

/** Whether `openCheckpoint` would find a file to open. */
export async function hasCheckpoint(source: Source): Promise<boolean> {
  for (const { single } of forms) {
    if ((await source.has(single)) || (await source.has(`${single}.index.json`))) return true;
  }
  return false;
}

async function whatElse(source: Source): Promise<string> {
  const files = await source.list();
  if (files === null) return "";
  const pickled = files.find((file) => /\.(bin|pt|pth|ckpt)$/.test(file));
  if (pickled !== undefined) return `; "${pickled}" is pickled Python; save it again with safe_serialization=True`;
  return files.length === 0 ? "; it is empty" : `; it contains ${files.slice(0, 10).join(", ")}`;
}

async function openShards(
  source: Source,
  index: string,
  open: (source: Source, file: string) => Promise<TensorFile>,
): Promise<Checkpoint> {
  const places = await readWeightMap(source, index);
  const files = [...new Set(places.values())].sort().map((file) => expectInside(source.name, file));
  const missing: string[] = [];
  for (const file of files) if (!(await source.has(file))) missing.push(`"${file}": missing`);
  if (missing.length > 0) {
    throw new FormatError(listProblems(`${source.name} lacks ${missing.length} of ${files.length} shards`, missing));
  }
  const shards = new Map<string, TensorFile>();
  for (const file of files) shards.set(file, await open(source, file));
  return { name: source.name, files, tensors: pickTensors(`"${index}" in ${source.name}`, places, shards) };
}

function pickTensors(
  what: string,
  places: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, TensorFile>,
): Map<string, CheckpointTensor> {
  const tensors = new Map<string, CheckpointTensor>();
  const problems: string[] = [];
  for (const [name, file] of places) {
    const tensor = shards.get(file)!.tensors.get(name);
    if (tensor === undefined) problems.push(`${JSON.stringify(name)}: not in "${file}", where the index puts it`);
    else tensors.set(name, tensor);
  }
  if (problems.length > 0) throw new FormatError(listProblems(`${what} does not match its shards`, problems));
  return tensors;
}

/** Tensor name to shard, from `{ "weight_map": { name: file } }`. */
async function readWeightMap(source: Source, index: string): Promise<Map<string, string>> {
  const json = await readJson(source, index);
  const map = isObject(json) ? json.weight_map : undefined;
  const entries = map !== undefined && isObject(map) ? Object.entries(map) : [];
  const places = entries.filter((entry): entry is [string, string] => typeof entry[1] === "string");
  if (places.length > 0 && places.length === entries.length) return new Map(places);
  throw new FormatError(
    `"${index}" in ${source.name}: expected { "weight_map": { tensor name: file name, ... } } with at least one tensor`,
  );
}

/** Reads a JSON file, possibly written by Python. Throws FormatError with the file, line and column. */
export async function readJson(source: Source, file: string): Promise<Json> {
  const text = await readText(source, file);
  try {
    return JSON.parse(text) as Json; // many times faster on a large tokenizer.json
  } catch {
    return parseJson(text, `"${file}" in ${source.name}`); // accepts NaN, and locates the error
  }
}

/** Reads a UTF-8 text file. Throws FormatError that names the file if it is not UTF-8, or has more than 100 MB. */
export async function readText(source: Source, file: string): Promise<string> {
  const bytes = await readWhole(source, file);
  expectNoPointer(`"${file}" in ${source.name}`, bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(`"${file}" in ${source.name} is not UTF-8 text`, { cause });
  }
}
