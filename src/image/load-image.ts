/**
 * PNG and JPEG files as RGB pixels. What decodes them is loaded with the first image.
 *
 * Gray becomes three equal channels; an alpha channel is dropped, not blended; of 16 bits, the upper 8 are kept.
 * Pillow's `convert("RGB")` does the same, except for 16-bit gray. A JPEG's chroma is upsampled by repetition, so sharp
 * colored edges are slightly harder than with libjpeg.
 */
import { FormatError, UnsupportedError } from "../core/errors.ts";
import { MAX_PIXELS, type RgbImage } from "./image-size.ts";

export type { RgbImage } from "./image-size.ts";

/** How an image is decoded. */
export interface LoadImageOptions {
  /**
   * The most pixels that an image may have, 89,478,485 by default as in Pillow. A PNG takes 3 bytes of memory for each, a
   * JPEG up to 25.
   */
  readonly maxPixels?: number;
}

const PNG = [0x89, 0x50, 0x4e, 0x47];
const JPEG = [0xff, 0xd8, 0xff];
/** What the decoder of JPEG files may count as its memory: with its own objects it takes about twice that. */
const JPEG_MEGABYTES = 512;

/**
 * Decodes the bytes of a PNG or JPEG file; the first bytes determine the format. Its size is checked before anything is
 * decoded. Throws UnsupportedError for another format, FormatError if the file is corrupted or larger than allowed.
 * Messages call the image `name`.
 *
 * @example
 * const { width, height, data } = await loadImage(await source.read("cat.png"), "cat.png");
 */
export async function loadImage(
  bytes: Uint8Array,
  name = "the image",
  { maxPixels = MAX_PIXELS }: LoadImageOptions = {},
): Promise<RgbImage> {
  const begins = (mark: readonly number[]) => mark.every((byte, i) => bytes[i] === byte);
  const decode = begins(PNG) ? png : begins(JPEG) ? jpeg : null;
  if (decode === null) {
    const found = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new UnsupportedError(`${name} is neither PNG nor JPEG (it begins with ${found || "nothing"}): convert it`);
  }
  try {
    return await decode(bytes, maxPixels);
  } catch (cause) {
    if (cause instanceof UnsupportedError)
      throw new UnsupportedError(`${name} cannot be read: ${cause.message}`, { cause });
    throw new FormatError(`${name} cannot be read: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

async function png(bytes: Uint8Array, maxPixels: number): Promise<RgbImage> {
  const { decodePng } = await import("./png.ts");
  return decodePng(bytes, maxPixels);
}

async function jpeg(bytes: Uint8Array, maxPixels: number): Promise<RgbImage> {
  const { expectJpeg } = await import("./jpeg-frame.ts");
  expectJpeg(bytes, maxPixels);
  const { decode } = (await import("jpeg-js")).default;
  const strictly = { tolerantDecoding: false, maxResolutionInMP: Number.POSITIVE_INFINITY };
  const output = { useTArray: true, formatAsRGBA: false } as const;
  const { width, height, data } = decode(bytes, { ...output, ...strictly, maxMemoryUsageInMB: JPEG_MEGABYTES });
  return { width, height, data };
}
