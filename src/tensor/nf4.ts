/**
 * NF4 with double quantization (Dettmers et al. 2023), bit for bit the same as in bitsandbytes: the levels, the map of
 * 8-bit scales, and the memory layout of a tensor. The kernels are in assembly/linear/nf4.ts.
 */
import {
  NF4_BLOCK,
  NF4_MAP,
  NF4_OFFSET,
  NF4_OUTER_BITS,
  NF4_PLANES,
  NF4_SHORT_PLANES,
} from "../wasm/generated/constants.ts";
import { aligned, type Memory, type Ptr } from "../wasm/memory.ts";

/** Quantiles of a normal distribution that include zero and one: appendix E of the paper. */
const LEVELS = Float32Array.of(
  ...[-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334],
  ...[-0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224],
  ...[0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1],
);

/** The number of blocks whose scales share one scale. */
const OUTER = 2 ** NF4_OUTER_BITS;
/** Bytes of the header, which ends with the map; for its other fields see assembly/simd/nf4-read.ts. */
const HEADER_BYTES = NF4_MAP + 256 * 4;

interface Nf4Places {
  readonly codes: number;
  readonly absmax: number;
  readonly absmax2: number;
  readonly bytes: number;
}

export function nf4Blocks(size: number): number {
  return Math.ceil(size / NF4_BLOCK);
}

function placesOf(size: number): Nf4Places {
  const blocks = nf4Blocks(size);
  const codes = HEADER_BYTES;
  const absmax = codes + aligned(blocks * (NF4_BLOCK / 2));
  const absmax2 = absmax + aligned(blocks);
  return { codes, absmax, absmax2, bytes: absmax2 + aligned(Math.ceil(blocks / OUTER) * 4) };
}

/** Bytes of a tensor of `size` elements, header and scales included. */
export function nf4Bytes(size: number): number {
  return placesOf(size).bytes;
}

/** The first byte of all 16 numbers, the second byte of all, and so on. */
function planesOf({ buffer }: Float32Array | Int16Array): Uint8Array {
  const bytes = new Uint8Array(buffer);
  const size = bytes.length / 16;
  return bytes.map((_, i) => bytes[size * (i % 16) + (i >> 4)]!);
}

/** The address of the codes of a tensor at `ptr`, two per byte. */
export function nf4Codes(ptr: Ptr): Ptr {
  return (ptr + HEADER_BYTES) as Ptr;
}

/** Writes header and scales, given the largest magnitude of each block. The codes are already in place. */
export function finishNf4(memory: Memory, ptr: Ptr, size: number, absmax: Float32Array): void {
  const { codes, absmax: scales, absmax2 } = placesOf(size);
  memory.i32(ptr, 3).set([ptr + codes, ptr + scales, ptr + absmax2]);
  memory.u8((ptr + NF4_PLANES) as Ptr, 64).set(planesOf(LEVELS));
  const steps = Int16Array.from(LEVELS, (level) => Math.round(level * 2 ** 14));
  memory.u8((ptr + NF4_SHORT_PLANES) as Ptr, 32).set(planesOf(steps));
  const map = dynamicMap();
  memory.f32((ptr + NF4_MAP) as Ptr, 256).set(map);
  let sum = 0;
  for (const most of absmax) sum += most;
  const offset = Math.fround(sum / absmax.length);
  memory.f32((ptr + NF4_OFFSET) as Ptr, 1)[0] = offset;
  const quantised = memory.u8((ptr + scales) as Ptr, absmax.length);
  const outer = memory.f32((ptr + absmax2) as Ptr, Math.ceil(absmax.length / OUTER));
  for (let first = 0; first < absmax.length; first += OUTER) {
    const part = absmax.subarray(first, first + OUTER).map((most) => most - offset);
    const most = part.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    outer[first / OUTER] = most;
    part.forEach((value, i) => {
      quantised[first + i] = most === 0 ? nearest(map, 0) : nearest(map, Math.fround(value / most));
    });
  }
}

/**
 * The 256 values of bitsandbytes' signed dynamic map with seven exponent bits (Dettmers et al. 2022, section 2.1): for
 * each power of ten below 1, the midpoints of an even grid that gets finer with the exponent, with both signs, zero and
 * one; ascending. Values are rounded as in torch.linspace.
 */
export function dynamicMap(): Float32Array {
  const round = Math.fround;
  const [low, high] = [round(0.1), 1];
  const values = [0, 1];
  for (let exponent = 0; exponent < 7; exponent++) {
    const last = 2 ** exponent;
    const step = round((high - low) / last);
    const edge = (i: number) => round(i <= last / 2 ? low + step * i : high - step * (last - i));
    for (let i = 0; i < last; i++) {
      const mean = round(round(10 ** (exponent - 6)) * round(round(edge(i) + edge(i + 1)) / 2));
      values.push(mean, -mean);
    }
  }
  return Float32Array.from(values).sort();
}

/** Elements `start` to `end` of a tensor of `size` at `ptr`, in f32. */
export function readNf4(memory: Memory, ptr: Ptr, size: number, start: number, end: number): Float32Array {
  const places = placesOf(size);
  const at = (place: number) => (ptr + place) as Ptr;
  const blocks = nf4Blocks(size);
  const codes = memory.u8(at(places.codes), Math.ceil(size / 2));
  const scales = memory.u8(at(places.absmax), blocks);
  const outer = memory.f32(at(places.absmax2), Math.ceil(blocks / OUTER));
  const map = memory.f32(at(NF4_MAP), 256);
  const offset = memory.f32(at(NF4_OFFSET), 1)[0]!;
  return Float32Array.from({ length: end - start }, (_, i) => {
    const e = start + i;
    const block = Math.floor(e / NF4_BLOCK);
    const absmax = Math.fround(Math.fround(map[scales[block]!]! * outer[Math.floor(block / OUTER)]!) + offset);
    const byte = codes[e >> 1]!;
    return LEVELS[e & 1 ? byte & 15 : byte >> 4]! * absmax;
  });
}

/** The index of the value nearest to x in an ascending map; the lower of two equally near ones. */
export function nearest(map: Float32Array, x: number): number {
  let [low, high] = [0, map.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (map[middle]! <= x) low = middle;
    else high = middle;
  }
  return x - map[low]! <= map[high]! - x ? low : high;
}
