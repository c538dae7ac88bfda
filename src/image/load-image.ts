/**
 * PNG and JPEG files as RGB pixels. The decoders are separate packages that are loaded with the first image.
 *
 * Gray becomes three equal channels; an alpha channel is dropped, not blended; of 16 bits, the upper 8 are kept.
 * Pillow's `convert("RGB")` does the same, except for 16-bit gray. A JPEG's chroma is upsampled by repetition, so sharp
 * colored edges are slightly harder than with libjpeg.
 */
import { FormatError, UnsupportedError } from "../core/errors.ts";

/** Pixels, row by row: `data` [height · width · 3], red, green and blue from 0 to 255. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

const PNG = [0x89, 0x50, 0x4e, 0x47];
const JPEG = [0xff, 0xd8, 0xff];

/**
 * Decodes the bytes of a PNG or JPEG file; the first bytes determine the format. Throws UnsupportedError for another
 * format, FormatError if the file is corrupted. Messages call the image `name`.
 *
 * @example
 * const { width, height, data } = await loadImage(await source.read("cat.png"), "cat.png");
 */
export async function loadImage(bytes: Uint8Array, name = "the image"): Promise<RgbImage> {
  const begins = (mark: readonly number[]) => mark.every((byte, i) => bytes[i] === byte);
  const decode = begins(PNG) ? await pngDecoder() : begins(JPEG) ? await jpegDecoder() : null;
  if (decode === null) {
    const found = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new UnsupportedError(`${name} is neither PNG nor JPEG (it begins with ${found || "nothing"}): convert it`);
  }
  try {
    return decode(bytes);
  } catch (cause) {
    throw new FormatError(`${name} is corrupted: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

type Decoder = (bytes: Uint8Array) => RgbImage;

async function pngDecoder(): Promise<Decoder> {
  const { decode, convertIndexedToRgb } = await import("fast-png");
  return (bytes) => {
    const png = decode(bytes);
    const { width, height, depth, channels, palette } = png;
    if (palette) {
      const colours = palette[0]?.length ?? 3;
      return { width, height, data: toRgb(convertIndexedToRgb(png), width * height, colours, 8) };
    }
    const samples = depth < 8 ? unpack(png.data, width * channels, height, depth) : png.data;
    return { width, height, data: toRgb(samples, width * height, channels, Math.max(8, depth)) };
  };
}

async function jpegDecoder(): Promise<Decoder> {
  const { decode } = (await import("jpeg-js")).default;
  return (bytes) => {
    const { width, height, data } = decode(bytes, { useTArray: true, formatAsRGBA: false, maxMemoryUsageInMB: 2048 });
    return { width, height, data };
  };
}

/** Three channels of 8 bits, from 1 (gray), 2 (gray, alpha), 3 or 4 (RGB, alpha) channels of 8 or 16 bits. */
function toRgb(samples: ArrayLike<number>, pixels: number, channels: number, bits: number): Uint8Array {
  const rgb = new Uint8Array(pixels * 3);
  const down = bits - 8;
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) rgb[i * 3 + c] = samples[i * channels + (channels < 3 ? 0 : c)]! >> down;
  }
  return rgb;
}

/** Samples of 1, 2 or 4 bits, scaled to 0..255. Each row of the file starts at a byte boundary. */
function unpack(data: ArrayLike<number>, rowSamples: number, rows: number, bits: number): Uint8Array {
  const rowBytes = Math.ceil((rowSamples * bits) / 8);
  const highest = 2 ** bits - 1;
  const samples = new Uint8Array(rowSamples * rows);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < rowSamples; x++) {
      const at = x * bits;
      const byte = data[y * rowBytes + (at >> 3)]!;
      samples[y * rowSamples + x] = ((byte >> (8 - bits - (at & 7))) & highest) * (255 / highest);
    }
  }
  return samples;
}
