/**
 * Tensors in the files of PyTorch's torch.save (pytorch_model.bin, adapter_model.bin), without running the Python code
 * in them:
 *
 *   since PyTorch 1.6   a zip archive: NAME/data.pkl, a pickled dict of tensors; NAME/data/KEY, their storages
 *   before              pickles one after another (magic number, version, system, dict, keys), then for each key its storage:
 *                       8 bytes number of elements, then the elements
 *
 * A tensor is a call of torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, ...), counted in elements,
 * with the storage as a reference ("storage", type, KEY, device, number of elements). Several tensors may share one
 * storage.
 */
import { type Dtype, dtypeBytes } from "../core/dtype.ts";
import { FormatError, UnsupportedError } from "../core/errors.ts";
import type { Source } from "../core/host.ts";
import { listProblems } from "../core/problems.ts";
import { formatShape, sizeOf } from "../core/shape.ts";
import { expectNoPointer } from "./git-lfs.ts";
import { type CheckpointTensor, StoredTensor } from "./safetensors.ts";
import { type Pickled, PythonCall, PythonName, PythonReference, type Unpickled, unpickle } from "./unpickle.ts";
import { openZip } from "./zip.ts";

/** The contents of a file. */
export interface TorchFile {
  readonly file: string;
  /** In the order of the dict. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
}

const REBUILD = "torch._utils._rebuild_tensor_v2";
/** The same with the element type as an argument, for types without a storage class. */
const REBUILD_TYPED = "torch._utils._rebuild_tensor_v3";
const PARAMETER = "torch._utils._rebuild_parameter";
const UNTYPED = "torch.storage.UntypedStorage";

const storageTypes: ReadonlyMap<string, Dtype> = new Map([
  ["torch.FloatStorage", "F32"],
  ["torch.HalfStorage", "F16"],
  ["torch.BFloat16Storage", "BF16"],
  ["torch.DoubleStorage", "F64"],
  ["torch.LongStorage", "I64"],
  ["torch.IntStorage", "I32"],
  ["torch.ShortStorage", "I16"],
  ["torch.CharStorage", "I8"],
  ["torch.ByteStorage", "U8"],
  ["torch.BoolStorage", "BOOL"],
  ["torch.ComplexFloatStorage", "C64"],
]);

const elementTypes: ReadonlyMap<string, Dtype> = new Map([
  ["torch.uint16", "U16"],
  ["torch.uint32", "U32"],
  ["torch.uint64", "U64"],
  ["torch.float8_e4m3fn", "F8_E4M3"],
  ["torch.float8_e5m2", "F8_E5M2"],
  ["torch.float8_e4m3fnuz", "F8_E4M3FNUZ"],
  ["torch.float8_e5m2fnuz", "F8_E5M2FNUZ"],
  ["torch.float8_e8m0fnu", "F8_E8M0"],
]);

/** The first byte of any pickle since protocol 2. */
const PICKLE_START = 0x80;
/** Appears in the first pickle of a file from before PyTorch 1.6. */
const MAGIC = Number(0x1950a86a20f9469cfc6cn);
/** How many bytes of such a file are read initially to find its dict. */
const FIRST_BYTES = 1 << 16;
/** A larger dict is not a dict of tensors. */
const MAX_PICKLE_BYTES = 100_000_000;

/**
 * Reads only the list of tensors in a file and their positions. Throws UnsupportedError for a file that uses more of
 * Python than tensors need, FormatError that lists every entry that is not a tensor or does not fit its storage.
 */
export async function openTorchFile(source: Source, file: string): Promise<TorchFile> {
  const what = `"${file}" in ${source.name}`;
  const size = await source.size(file);
  const bytes = await source.read(file, 0, Math.min(64, size));
  expectNoPointer(what, bytes);
  const [first, second] = bytes;
  const zipped = first === 0x50 && second === 0x4b; // "PK"
  if (!zipped && first !== PICKLE_START) throw notTorch(what);
  const { value, storages } = zipped
    ? await openArchive(source, file, what)
    : await openLegacy(source, file, size, what);
  if (!(value instanceof Map)) throw new FormatError(`${what} holds ${describe(value)}, expected a dict of tensors`);
  const problems: string[] = [];
  const tensors = new Map<string, CheckpointTensor>();
  for (const [key, item] of value) {
    const place = typeof key === "string" ? placeOf(item, storages) : `the key is ${describe(key)}, expected text`;
    if (typeof place === "string") problems.push(`${JSON.stringify(String(key))}: ${place}`);
    else tensors.set(String(key), new StoredTensor(source, file, String(key), place, 0));
  }
  if (problems.length === 0) return { file, tensors };
  throw new FormatError(listProblems(`${what} is not a readable dict of tensors`, problems));
}

/** The byte range [start, end) of a storage in a file. */
interface Storage {
  readonly start: number;
  readonly end: number;
}

interface Opened {
  readonly value: Pickled;
  readonly storages: ReadonlyMap<string, Storage>;
}

async function openArchive(source: Source, file: string, what: string): Promise<Opened> {
  const entries = await openZip(source, file);
  const pickle = [...entries.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickle === undefined) throw new FormatError(`${what} has no entry "data.pkl": it was not written by torch.save`);
  const root = pickle.slice(0, -"data.pkl".length);
  const bytesOf = async (name: string) => {
    const { start, end } = entries.get(name)!;
    if (end - start <= MAX_PICKLE_BYTES) return source.read(file, start, end);
    throw new FormatError(`${what}: "${name}" has ${end - start} bytes, but at most ${MAX_PICKLE_BYTES} are allowed`);
  };
  if (entries.has(`${root}byteorder`)) {
    const order = new TextDecoder().decode(await bytesOf(`${root}byteorder`));
    if (order !== "little") throw new UnsupportedError(`${what} has byte order "${order}", expected "little"`);
  }
  const { value } = readPickle(await bytesOf(pickle), what);
  const storages = [...entries].filter(([name]) => name.startsWith(`${root}data/`));
  return { value, storages: new Map(storages.map(([name, entry]) => [name.slice(root.length + 5), entry])) };
}

/** A pickle whose bytes are all available. */
function readPickle(bytes: Uint8Array, what: string): Unpickled {
  try {
    return unpickle(bytes, what, known());
  } catch (cause) {
    if (cause instanceof RangeError) throw new FormatError(`${cause.message}: it is truncated`, { cause });
    throw cause;
  }
}

function known(): ReadonlySet<string> {
  return new Set([REBUILD, REBUILD_TYPED, PARAMETER, UNTYPED, ...storageTypes.keys(), ...elementTypes.keys()]);
}

async function openLegacy(source: Source, file: string, size: number, what: string): Promise<Opened> {
  const pickles = await readLegacyPickles(source, file, size, what);
  const [magic, , system, value, keys] = pickles.map((pickle) => pickle.value);
  if (magic !== MAGIC)
    throw new FormatError(`${what} was not written by torch.save: it is neither a zip archive nor in the older format`);
  if (!(system instanceof Map) || system.get("little_endian") !== true) {
    throw new UnsupportedError(`${what} was written on a machine with another byte order`);
  }
  const widths = new Map(pickles[3]!.references.map((reference) => [keyOf(reference), widthOf(reference)]));
  const storages = new Map<string, Storage>();
  let at = pickles.at(-1)!.end;
  for (const key of Array.isArray(keys) ? keys : []) {
    const bytes = await source.read(file, at, at + 8);
    const count = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true));
    const end = at + 8 + count * (widths.get(String(key)) ?? Number.NaN);
    if (!(count >= 0 && end <= size))
      throw new FormatError(`${what}: storage ${key} ends at byte ${end} of ${size}: the file is truncated`);
    storages.set(String(key), { start: at + 8, end });
    at = end;
  }
  return { value: value!, storages };
}

function notTorch(what: string): FormatError {
  return new FormatError(
    `${what} was not written by torch.save: it is neither a zip archive nor a file of pickles from older versions`,
  );
}

/** The five pickles at the start. Their end is known only after reading them, so more is read until all of them fit. */
async function readLegacyPickles(source: Source, file: string, size: number, what: string): Promise<Unpickled[]> {
  const most = Math.min(size, MAX_PICKLE_BYTES);
  for (let length = Math.min(most, FIRST_BYTES); ; length = Math.min(most, 4 * length)) {
    const bytes = await source.read(file, 0, length);
    try {
      const pickles: Unpickled[] = [];
      while (pickles.length < 5) {
        pickles.push(unpickle(bytes, what, known(), pickles.at(-1)?.end));
        if (pickles[0]!.value !== MAGIC) break;
      }
      return pickles;
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      if (length === most) throw new FormatError(`${cause.message}: it is truncated`, { cause });
    }
  }
}

/** ("storage", type, key, device, number of elements, null) */
function keyOf({ key }: PythonReference): string {
  return Array.isArray(key) && key[0] === "storage" ? String(key[2]) : "";
}

/** Bytes per element. */
function widthOf({ key }: PythonReference): number | undefined {
  const type = Array.isArray(key) && key[1] instanceof PythonName ? key[1].name : "";
  const dtype = storageTypes.get(type);
  return dtype === undefined ? (type === UNTYPED ? 1 : undefined) : dtypeBytes[dtype];
}

/** The position of a tensor in the file, or the problem with it. */
function placeOf(given: Pickled, storages: ReadonlyMap<string, Storage>) {
  const item = isCallOf(given, PARAMETER) ? (given.args[0] ?? null) : given;
  const isTyped = isCallOf(item, REBUILD_TYPED);
  if (!isTyped && !isCallOf(item, REBUILD)) return `is ${describe(item)}, expected a tensor`;
  const [storage, offset, shape, strides, , , type] = item.args;
  if (!(storage instanceof PythonReference)) return `is stored in ${describe(storage)}, expected a storage`;
  const dtype = dtypeOf(storage, isTyped ? type : undefined);
  if (dtype === undefined) return "has an unknown element type";
  if (!isCount(offset) || !isCounts(shape) || !isCounts(strides) || strides.length !== shape.length) {
    return "has an offset, shape or strides that are not whole numbers of at least 0";
  }
  const held = storages.get(keyOf(storage));
  if (held === undefined) return `is in storage ${JSON.stringify(keyOf(storage))}, which is missing from the file`;
  if (!isContiguous(shape, strides)) {
    return `has strides ${formatShape(strides)} for shape ${formatShape(shape)}; save it after .contiguous()`;
  }
  const start = held.start + offset * dtypeBytes[dtype];
  const end = start + sizeOf(shape) * dtypeBytes[dtype];
  if (end <= held.end) return { dtype, shape, start, end };
  return `needs ${end - held.start} bytes of a storage that has ${held.end - held.start}`;
}

function isCallOf(item: Pickled, name: string): item is PythonCall {
  return item instanceof PythonCall && item.callee.name === name;
}

function dtypeOf({ key }: PythonReference, given: Pickled | undefined): Dtype | undefined {
  if (given instanceof PythonName) return elementTypes.get(given.name);
  const type = Array.isArray(key) ? key[1] : null;
  return type instanceof PythonName ? storageTypes.get(type.name) : undefined;
}

/** Whether elements are contiguous, with the last axis fastest. The stride of an axis of one does not matter. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  if (shape.includes(0)) return true;
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

function isCount(value: Pickled | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isCounts(value: Pickled | undefined): value is number[] {
  return Array.isArray(value) && value.every(isCount);
}

/** A value as shown in messages. */
function describe(value: Pickled | undefined): string {
  if (value instanceof Map) return `a dict with ${value.size} entries`;
  if (Array.isArray(value)) return `a list with ${value.length} items`;
  if (value instanceof PythonCall) return `the result of Python's "${value.callee.name}"`;
  if (value instanceof PythonName) return `Python's "${value.name}"`;
  if (value instanceof PythonReference || value === undefined) return "an unsupported value";
  return value === null
    ? "None"
    : typeof value === "string"
      ? `text ${JSON.stringify(value.slice(0, 40))}`
      : String(value);
}
