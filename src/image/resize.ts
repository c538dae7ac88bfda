/**
 * Resizes images as Pillow does: each output pixel is a weighted mean of the input pixels under a filter, which is
 * widened when downscaling so that no pixel is skipped (antialiasing).
 *
 *   center(i) = (i + 1/2)·s          s = inputs / outputs
 *   y[i] = Σ_j w[i, j]·x[j]          w[i, j] ∝ filter((j + 1/2 − center(i)) / max(s, 1)),  Σ_j w[i, j] = 1
 *
 * Rows first, then columns, each rounded to 8 bits; weights are rounded to 22 fractional bits. Both roundings match
 * Pillow, so the results do too, bit for bit.
 */
import { UnsupportedError } from "../core/errors.ts";
import type { RgbImage } from "./load-image.ts";

interface Filter {
  /** Half the filter width in input pixels, where the filter becomes 0. */
  readonly support: number;
  readonly at: (x: number) => number;
}

/** By the numbers that Pillow and `preprocessor_config.json` use. */
const filters: ReadonlyMap<number, Filter> = new Map([
  [1, { support: 3, at: lanczos }],
  [2, { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) }],
  [3, { support: 2, at: cubic }],
  [4, { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) }],
]);
const BITS = 22;
const HALF = 1 << (BITS - 1);

/**
 * Resizes the image. `resample` is Pillow's number of a filter: 1 Lanczos, 2 bilinear, 3 bicubic, 4 box. Throws
 * UnsupportedError for any other.
 */
export function resize(image: RgbImage, width: number, height: number, resample: number): RgbImage {
  const filter = filters.get(resample);
  if (filter === undefined) {
    const known = "1 (Lanczos), 2 (bilinear), 3 (bicubic) and 4 (box)";
    throw new UnsupportedError(`resample ${resample} is unknown, expected one of ${known}`);
  }
  const across = width === image.width ? image.data : resizeRows(image, width, filter);
  const data = height === image.height ? across : resizeColumns(across, width, image.height, height, filter);
  return { width, height, data };
}

/** Keys' cubic with a = −1/2. */
function cubic(x: number): number {
  const d = Math.abs(x);
  const a = -0.5;
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
}

function lanczos(x: number): number {
  return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

/** The inputs of one output: `weights` (22 fractional bits) of the inputs from `first` on. */
interface Share {
  readonly first: number;
  readonly weights: readonly number[];
}

function sharesOf(inputs: number, outputs: number, { support, at }: Filter): Share[] {
  const scale = inputs / outputs;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  return Array.from({ length: outputs }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(inputs, Math.trunc(centre + reach + 0.5));
    const shares = Array.from({ length: end - first }, (_, j) => at((j + first - centre + 0.5) * (1 / stretch)));
    const sum = shares.reduce((a, b) => a + b, 0);
    const fixed = shares.map((share) => (share / sum) * (1 << BITS));
    return { first, weights: fixed.map((w) => Math.trunc(w < 0 ? w - 0.5 : w + 0.5)) };
  });
}

function resizeRows({ data, width, height }: RgbImage, outputs: number, filter: Filter): Uint8Array {
  const out = new Uint8Array(height * outputs * 3);
  sharesOf(width, outputs, filter).forEach(({ first, weights }, x) => {
    for (let y = 0; y < height; y++) {
      gather(out, (y * outputs + x) * 3, data, (y * width + first) * 3, 3, weights);
    }
  });
  return out;
}

function resizeColumns(data: Uint8Array, width: number, inputs: number, outputs: number, filter: Filter): Uint8Array {
  const out = new Uint8Array(outputs * width * 3);
  sharesOf(inputs, outputs, filter).forEach(({ first, weights }, y) => {
    for (let x = 0; x < width; x++) {
      gather(out, (y * width + x) * 3, data, (first * width + x) * 3, width * 3, weights);
    }
  });
  return out;
}

/** One output pixel: Σ weights[j] · the pixel at `from + j·step`, for three channels. */
function gather(
  out: Uint8Array,
  to: number,
  data: Uint8Array,
  from: number,
  step: number,
  weights: readonly number[],
): void {
  let [red, green, blue] = [HALF, HALF, HALF];
  for (let j = 0, at = from; j < weights.length; j++, at += step) {
    const w = weights[j]!;
    red += w * data[at]!;
    green += w * data[at + 1]!;
    blue += w * data[at + 2]!;
  }
  out[to] = clip(red >> BITS);
  out[to + 1] = clip(green >> BITS);
  out[to + 2] = clip(blue >> BITS);
}

function clip(value: number): number {
  return Math.min(255, Math.max(0, value));
}
