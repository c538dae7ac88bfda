/**
 * Checkpoints whose matrices are stored in few bits, read as the numbers that they stand for:
 *
 *   bitsandbytes 4 bit   w = map[code]·absmax, blocks of `blocksize`; two codes a byte, the first one high. With nested statistics
 *                        absmax = nested_map[code]·nested_absmax + offset (QLoRA, Dettmers et al. 2023)
 *   bitsandbytes int8    w = q·SCB / 127, one SCB a row (LLM.int8(), Dettmers et al. 2022)
 *   fp8                  w = q·scale_inv, one scale for each block of `weight_block_size` (DeepSeek-V3 2024)
 *
 * What is read is rounded to the dtype that the model computes in, as those libraries do. Other formats are refused by name.
 */
import { FormatError, UnsupportedError } from "../core/errors.ts";
import { f32ToBf16 } from "../core/half.ts";
import { narrowToF16 } from "../core/non-finite.ts";
import { parseJson } from "../core/python-json.ts";
import { formatShape, type Shape, sizeOf } from "../core/shape.ts";
import type { Checkpoint, CheckpointTensor } from "./checkpoint.ts";
import { toFloats } from "./floats.ts";

type Keys = Readonly<Record<string, unknown>>;
type Decoded = "F32" | "F16" | "BF16";

/** Numbers [start, end) of a matrix, in f32. */
type Decode = (start: number, end: number) => Promise<Float32Array>;

const names: Readonly<Record<string, string>> = {
  gptq: "GPTQ",
  awq: "AWQ",
  mxfp4: "MXFP4",
  fp8: "FP8",
  bitsandbytes: "bitsandbytes",
  "compressed-tensors": "compressed-tensors",
};

/**
 * The tensors of a checkpoint by the numbers that they stand for. `quantization` is "quantization_config" of the config called
 * `name`, and `dtype` the model's own. Throws UnsupportedError that names a format which is not read.
 */
export async function dequantized(
  checkpoint: Checkpoint,
  quantization: Keys,
  { name, dtype }: { readonly name: string; readonly dtype: unknown },
): Promise<Checkpoint> {
  const method =
    quantization.quant_method ?? (quantization.load_in_4bit || quantization.load_in_8bit ? "bitsandbytes" : null);
  const block = quantization.weight_block_size;
  const isRead = method === "bitsandbytes" || (method === "fp8" && isBlock(block));
  if (!isRead) throw refused(name, method);
  const out = decodedDtype(dtype);
  const tensors = new Map<string, CheckpointTensor>();
  for (const [key, tensor] of checkpoint.tensors) {
    if (isPartOf(key, checkpoint.tensors)) continue;
    const found =
      method === "fp8" ? fp8(checkpoint, tensor, block as number[]) : await bitsandbytes(checkpoint, tensor);
    tensors.set(key, found === null ? tensor : decodedTensor(tensor, found.shape, found.dtype ?? out, found.decode));
  }
  return { ...checkpoint, tensors };
}

function refused(name: string, method: unknown): UnsupportedError {
  const known = names[String(method)] ?? JSON.stringify(method);
  return new UnsupportedError(
    `${name}: the model is quantized with ${known}, which this version does not read. Use the checkpoint that it was made ` +
      "from, with --weights int8 or nf4 to save memory; or dequantize it in Python (model.dequantize(), then save_pretrained)",
  );
}

function isBlock(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every((each) => Number.isSafeInteger(each) && each > 0);
}

const dtypes: Readonly<Record<string, Decoded>> = { float32: "F32", float16: "F16", bfloat16: "BF16" };

function decodedDtype(dtype: unknown): Decoded {
  return dtypes[String(dtype).replace(/^torch\./, "")] ?? "F32";
}

/** Whether a tensor says how another is to be read. */
function isPartOf(key: string, tensors: Checkpoint["tensors"]): boolean {
  const of = /^(.+)\.(absmax|quant_map|nested_absmax|nested_quant_map|quant_state\..+)$/.exec(key)?.[1];
  const beside = /^(.+)(\.SCB|\.weight_format|\.weight_scale_inv)$/.exec(key)?.[1];
  return (of !== undefined && tensors.has(of)) || (beside !== undefined && tensors.has(`${beside}.weight`));
}

/** 1 / 127 as bitsandbytes multiplies by it. */
const SHARE = Math.fround(7.874015718698502e-3);

interface Found {
  readonly shape: Shape;
  readonly dtype?: Decoded;
  readonly decode: Decode;
}

async function bitsandbytes(checkpoint: Checkpoint, tensor: CheckpointTensor): Promise<Found | null> {
  const state = Array.from(checkpoint.tensors.keys()).find((key) => key.startsWith(`${tensor.name}.quant_state.`));
  if (state !== undefined) return fourBit(checkpoint, tensor, state);
  if (tensor.dtype !== "I8") return null;
  const scales = part(checkpoint, tensor.name.replace(/weight$/, "SCB"));
  const width = tensor.shape.at(-1)!;
  let rows: Promise<Float32Array> | null = null;
  return {
    shape: tensor.shape,
    async decode(start, end) {
      rows ??= floats(scales);
      const [codes, scale] = [await tensor.read(start, end), await rows];
      return Float32Array.from(
        codes,
        (code, i) => Math.fround(((code << 24) >> 24) * scale[Math.floor((start + i) / width)]!) * SHARE,
      );
    },
  };
}

/** What bitsandbytes says of a matrix of four bits. */
interface QuantState {
  readonly blocksize: number;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly nested_blocksize?: number;
  readonly nested_offset?: number;
}

async function fourBit(checkpoint: Checkpoint, tensor: CheckpointTensor, key: string): Promise<Found> {
  const text = new TextDecoder().decode(await part(checkpoint, key).read());
  const state = parseJson(text, `"${key}" in ${checkpoint.name}`) as unknown as QuantState;
  if (Math.ceil(sizeOf(state.shape) / 2) !== tensor.byteLength) {
    throw new FormatError(
      `"${tensor.name}" in ${checkpoint.name} has ${tensor.byteLength} bytes, ${formatShape(state.shape)} in four bits takes ${Math.ceil(sizeOf(state.shape) / 2)}`,
    );
  }
  let statistics: Promise<readonly [Float32Array, Float32Array]> | null = null;
  return {
    shape: state.shape,
    dtype: decodedDtype(state.dtype),
    async decode(start, end) {
      statistics ??= Promise.all([
        floats(part(checkpoint, `${tensor.name}.quant_map`)),
        absmaxOf(checkpoint, tensor, state),
      ]);
      const [map, absmax] = await statistics;
      const first = start >> 1;
      const codes = await tensor.read(first, (end + 1) >> 1);
      return Float32Array.from({ length: end - start }, (_, i) => {
        const at = start + i;
        const byte = codes[(at >> 1) - first]!;
        return map[at % 2 === 0 ? byte >> 4 : byte & 15]! * absmax[Math.floor(at / state.blocksize)]!;
      });
    },
  };
}

async function absmaxOf(checkpoint: Checkpoint, tensor: CheckpointTensor, state: QuantState): Promise<Float32Array> {
  const absmax = part(checkpoint, `${tensor.name}.absmax`);
  if (absmax.dtype !== "U8") return floats(absmax);
  const map = await floats(part(checkpoint, `${tensor.name}.nested_quant_map`));
  const scales = await floats(part(checkpoint, `${tensor.name}.nested_absmax`));
  const { nested_blocksize: size = 256, nested_offset: offset = 0 } = state;
  return Float32Array.from(
    await absmax.read(),
    (code, i) => Math.fround(map[code]! * scales[Math.floor(i / size)]!) + offset,
  );
}

function fp8(checkpoint: Checkpoint, tensor: CheckpointTensor, [height, width]: number[]): Found | null {
  if (tensor.dtype !== "F8_E4M3") return null;
  const scales = part(checkpoint, `${tensor.name}_scale_inv`);
  const columns = tensor.shape.at(-1)!;
  const across = Math.ceil(columns / width!);
  let blocks: Promise<Float32Array> | null = null;
  return {
    shape: tensor.shape,
    async decode(start, end) {
      blocks ??= floats(scales);
      const [codes, scale] = [await tensor.read(start, end), await blocks];
      return Float32Array.from(codes, (code, i) => {
        const [row, column] = [Math.floor((start + i) / columns), (start + i) % columns];
        return e4m3(code) * scale[Math.floor(row / height!) * across + Math.floor(column / width!)]!;
      });
    },
  };
}

/** A float of 4 exponent and 3 fraction bits without infinities (OCP FP8 2023). */
function e4m3(code: number): number {
  const [exponent, fraction] = [(code >> 3) & 15, code & 7];
  if (exponent === 15 && fraction === 7) return Number.NaN;
  const size = exponent === 0 ? fraction * 2 ** -9 : (1 + fraction / 8) * 2 ** (exponent - 7);
  return code > 127 ? -size : size;
}

function part(checkpoint: Checkpoint, key: string): CheckpointTensor {
  const found = checkpoint.tensors.get(key);
  if (found) return found;
  throw new FormatError(`${checkpoint.name} has no "${key}", which says how a quantized weight is to be read`);
}

async function floats(tensor: CheckpointTensor): Promise<Float32Array> {
  return toFloats(tensor.dtype, await tensor.read());
}

function decodedTensor(stored: CheckpointTensor, shape: Shape, dtype: Decoded, decode: Decode): CheckpointTensor {
  const bytes = dtype === "F32" ? 4 : 2;
  const byteLength = sizeOf(shape) * bytes;
  const { name, file, start, end } = stored;
  const read = async (from = 0, to = byteLength) => {
    const values = await decode(from / bytes, to / bytes);
    const rounded = dtype === "F32" ? values : dtype === "F16" ? narrowToF16(`"${name}"`, values) : f32ToBf16(values);
    return new Uint8Array(rounded.buffer);
  };
  return { name, dtype, shape, file, start, end, byteLength, read };
}
