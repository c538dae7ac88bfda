/**
 * The safetensors file format (published with its reference implementation):
 *
 *   8 bytes   n, the length of the header, little endian
 *   n bytes   JSON: { "__metadata__"?: { text: text }, name: { "dtype", "shape", "data_offsets": [start, end] }, ... }
 *   the rest  the tensors, row-major, little endian, one after another without gaps or overlap
 *
 * Offsets in the header count from the end of the header; those of a `CheckpointTensor` count from the start of the file.
 */
import { compareCodePoints } from "../core/code-points.ts";
import { type Dtype, dtypeBytes, dtypes, isDtype } from "../core/dtype.ts";
import { FormatError, ShapeError } from "../core/errors.ts";
import { expectRange, type Source, type Target } from "../core/host.ts";
import { listProblems } from "../core/problems.ts";
import { isObject, type PyJson, parsePythonJson, pythonJson } from "../core/python-json.ts";
import { formatShape, type Shape, sizeOf } from "../core/shape.ts";
import { expectNoPointer, mayBePointer } from "./git-lfs.ts";

/** The reference implementation also refuses longer headers. */
const MAX_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;

/** One tensor in a file. Its data is not in memory until `read`. */
export interface CheckpointTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: Shape;
  /** The file that holds it, and its byte range [start, end). */
  readonly file: string;
  readonly start: number;
  readonly end: number;
  /** end - start. */
  readonly byteLength: number;
  /**
   * Bytes [start, end) counted from the tensor's first byte, by default all; reading in pieces avoids holding a large
   * tensor twice. They may be an unaligned view of the source: do not write to them.
   */
  read(start?: number, end?: number): Promise<Uint8Array>;
}

/** The contents of a file's header. */
export interface SafetensorsFile {
  readonly file: string;
  /** Free text, usually `{ format: "pt" }`, or null if the header has none. */
  readonly metadata: Readonly<Record<string, string>> | null;
  /** In the order of their positions in the file. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
}

/**
 * Reads and checks only the header of a file. Throws FormatError that lists every problem by tensor, with what was
 * found and what was expected.
 */
export async function openSafetensors(source: Source, file: string): Promise<SafetensorsFile> {
  const what = `"${file}" in ${source.name}`;
  const size = await source.size(file);
  const dataStart = LENGTH_BYTES + (await headerLength(source, file, size, what));
  const header = parseHeader(await source.read(file, LENGTH_BYTES, dataStart), what);
  const problems: string[] = [];
  const metadata = readMetadata(header, problems);
  const tensors: CheckpointTensor[] = [];
  for (const [name, info] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const place = readInfo(name, info, problems);
    if (place !== null) tensors.push(new StoredTensor(source, file, name, place, dataStart));
  }
  tensors.sort((a, b) => a.start - b.start || a.end - b.end);
  if (problems.length === 0) checkLayout(tensors, dataStart, size, problems);
  if (problems.length > 0) throw new FormatError(listProblems(`${what} is not a valid safetensors file`, problems));
  return { file, metadata, tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])) };
}

async function headerLength(source: Source, file: string, size: number, what: string): Promise<number> {
  if (size < LENGTH_BYTES) {
    throw new FormatError(
      `${what} has ${size} bytes, but a safetensors file has at least 8 (the length of its header)`,
    );
  }
  const bytes = await source.read(file, 0, LENGTH_BYTES);
  if (size < 1024 && mayBePointer(bytes)) expectNoPointer(what, await source.read(file));
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length <= Math.min(size - LENGTH_BYTES, MAX_HEADER_BYTES)) return Number(length);
  const most =
    length > MAX_HEADER_BYTES ? `at most ${MAX_HEADER_BYTES} are allowed` : `only ${size - LENGTH_BYTES} follow`;
  throw new FormatError(
    `${what} declares a header of ${length} bytes, but ${most}: it is truncated or not a safetensors file`,
  );
}

/** Sizes written as floats and integers beyond 2^53 are kept apart from others: the reference refuses them. */
type HeaderJson = Readonly<Record<string, PyJson>>;

function parseHeader(bytes: Uint8Array, what: string): HeaderJson {
  const header = parsePythonJson(decode(bytes, what), `header of ${what}`, { strict: true });
  if (isObject(header)) return header as HeaderJson;
  throw new FormatError(`header of ${what}: found ${brief(header)}, expected an object of tensors`);
}

function decode(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(`header of ${what} is not UTF-8 text: it is corrupted or not a safetensors file`, { cause });
  }
}

function readMetadata(header: HeaderJson, problems: string[]): Record<string, string> | null {
  const metadata = Object.hasOwn(header, "__metadata__") ? header.__metadata__! : null;
  if (metadata === null) return null;
  if (isObject(metadata) && Object.values(metadata).every((text) => typeof text === "string")) {
    const odd = Object.entries(metadata as Record<string, string>).find((entry) => entry.some(isBroken));
    if (odd) problems.push(`__metadata__: ${brief(odd[0])} ${HALF}`);
    return metadata as Record<string, string>;
  }
  problems.push(`__metadata__: found ${brief(metadata)}, expected an object whose values are all text`);
  return null;
}

/** The position of a tensor according to the header, counted from the end of the header. */
export interface TensorExtent {
  readonly dtype: Dtype;
  readonly shape: Shape;
  readonly start: number;
  readonly end: number;
}

/** One entry of the header, or null after adding to `problems`. */
function readInfo(name: string, info: PyJson, problems: string[]): TensorExtent | null {
  const problem = (text: string) => {
    problems.push(`${JSON.stringify(name)}: ${text}`);
    return null;
  };
  if (isBroken(name)) return problem(HALF);
  if (!isObject(info)) return problem(`found ${brief(info)}, expected { dtype, shape, data_offsets }`);
  const { dtype, shape, data_offsets: offsets, ...ignored } = info as HeaderJson;
  if (holdsBroken(ignored)) return problem(HALF);
  if (!isDtype(dtype)) return problem(`dtype is ${brief(dtype)}, expected one of ${dtypes.join(", ")}`);
  if (!isSizes(shape)) return problem(`shape is ${brief(shape)}, expected a list of whole numbers of at least 0`);
  if (!isSizes(offsets) || offsets.length !== 2) {
    return problem(`data_offsets is ${brief(offsets)}, expected two whole numbers [start, end]`);
  }
  const [start, end] = offsets as [number, number];
  const bytes = sizeOf(shape) * dtypeBytes[dtype];
  if (!Number.isSafeInteger(bytes)) return problem(`shape ${formatShape(shape)} is too large for any file`);
  if (end - start === bytes) return { dtype, shape, start, end };
  return problem(
    `data_offsets [${start}, ${end}] hold ${end - start} bytes, but shape ${formatShape(shape)} of ${dtype} needs ${bytes}`,
  );
}

/**
 * Every byte from the end of the header to the end of the file must be used exactly once. `tensors` are sorted by
 * position.
 */
function checkLayout(tensors: readonly CheckpointTensor[], dataStart: number, size: number, problems: string[]): void {
  let at = dataStart;
  for (const { name, start, end } of tensors) {
    if (start !== at) {
      const fault = start < at ? "overlaps the tensor before it, which ends" : "leaves a hole after the bytes that end";
      problems.push(`${JSON.stringify(name)}: starts at ${start - dataStart} and ${fault} at ${at - dataStart}`);
    }
    at = Math.max(at, end);
  }
  if (at > size) problems.push(`the header describes ${at} bytes, but the file has ${size}: it is truncated`);
  if (at < size)
    problems.push(`the header describes ${at} bytes, but the file has ${size}: the rest belongs to no tensor`);
}

/** A tensor whose bytes are stored unchanged in a file, counted from `dataStart`. */
export class StoredTensor implements CheckpointTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: Shape;
  readonly file: string;
  readonly start: number;
  readonly end: number;
  readonly #source: Source;

  constructor(source: Source, file: string, name: string, extent: TensorExtent, dataStart: number) {
    this.#source = source;
    this.file = file;
    this.name = name;
    this.dtype = extent.dtype;
    this.shape = extent.shape;
    this.start = dataStart + extent.start;
    this.end = dataStart + extent.end;
  }

  get byteLength(): number {
    return this.end - this.start;
  }

  async read(start = 0, end = this.byteLength): Promise<Uint8Array> {
    expectRange(this.#source.name, this.name, start, end, this.byteLength);
    return this.#source.read(this.file, this.start + start, this.start + end);
  }
}

/** One tensor to write. `bytes` is called once, when the tensor is written, and its result is used immediately. */
export interface TensorToWrite {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: Shape;
  bytes(): Uint8Array | Promise<Uint8Array>;
}

/**
 * Writes a file with the same bytes as the reference implementation: larger element types first (in the order of
 * `dtypes`, from the end), then by name; the header without white space, `__metadata__` first, and padded with spaces
 * to a multiple of 8 bytes, so that every tensor is aligned. One tensor is in memory at a time.
 *
 * `metadata` is `{ format: "pt" }` as Python readers expect; null omits it. Throws FormatError for a duplicate name,
 * ShapeError if `bytes` returns a number of bytes that does not match the shape.
 */
export async function writeSafetensors(
  target: Target,
  file: string,
  tensors: Iterable<TensorToWrite>,
  metadata: Readonly<Record<string, string>> | null = { format: "pt" },
): Promise<void> {
  const ordered = [...tensors].sort(byDtypeThenName);
  const header = encodeHeader(`"${file}" in ${target.name}`, ordered, metadata);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield header;
    for (const tensor of ordered) yield checkedBytes(tensor, await tensor.bytes());
  }
  await target.write(file, chunks());
}

function byDtypeThenName(a: TensorToWrite, b: TensorToWrite): number {
  return dtypes.indexOf(b.dtype) - dtypes.indexOf(a.dtype) || compareCodePoints(a.name, b.name);
}

function byteLength(tensor: { readonly dtype: Dtype; readonly shape: Shape }): number {
  return sizeOf(tensor.shape) * dtypeBytes[tensor.dtype];
}

/** Length and header. Entries are joined manually because an object would put names such as "10" first. */
function encodeHeader(
  what: string,
  ordered: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>> | null,
): Uint8Array {
  const entries = metadata === null ? [] : [`"__metadata__":${JSON.stringify(metadata)}`];
  const names = new Set(["__metadata__"]);
  let at = 0;
  for (const tensor of ordered) {
    const { name, dtype, shape } = tensor;
    if (names.has(name)) throw new FormatError(`${what} cannot hold two entries named ${JSON.stringify(name)}`);
    names.add(name);
    const end = at + byteLength(tensor);
    entries.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [at, end] })}`);
    at = end;
  }
  const text = new TextEncoder().encode(`{${entries.join(",")}}`);
  const padded = Math.ceil(text.length / 8) * 8;
  const header = new Uint8Array(LENGTH_BYTES + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(text, LENGTH_BYTES);
  return header;
}

function checkedBytes(tensor: TensorToWrite, bytes: Uint8Array): Uint8Array {
  const expected = byteLength(tensor);
  if (bytes.length === expected) return bytes;
  throw new ShapeError(
    `"${tensor.name}": got ${bytes.length} bytes to write, but shape ${formatShape(tensor.shape)} of ${tensor.dtype} needs ${expected}`,
  );
}

const HALF = "has half of a surrogate pair, which is no text";

function isBroken(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
}

/** Whether a text inside is broken, keys included. */
function holdsBroken(value: PyJson): boolean {
  if (typeof value === "string") return isBroken(value);
  if (Array.isArray(value)) return value.some(holdsBroken);
  return isObject(value) && Object.entries(value as HeaderJson).some((entry) => entry.some(holdsBroken));
}

function isSizes(value: PyJson | undefined): value is readonly number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0 && !Object.is(n, -0));
}

/** A value as shown in messages: its JSON, truncated to 60 characters. */
function brief(value: PyJson | undefined): string {
  const text =
    value === undefined ? "missing" : pythonJson(value, { indent: null, sortKeys: false }).replace(/([,:]) /g, "$1");
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
