/**
 * Prepares images for a vision model as the `preprocessor_config.json` next to its weights specifies:
 *
 *   resize (as Pillow does), crop the center, pixel · rescale_factor, (pixel − mean) / std, per channel
 *
 * where each step is optional. A missing key has the default of transformers' ViTImageProcessor.
 */
import { FormatError, UnsupportedError } from "../core/errors.ts";
import { type Json, parseJson } from "../core/python-json.ts";
import { expectPixels, MAX_PIXELS, type RgbImage } from "./image-size.ts";
import { resize } from "./resize.ts";

/** The size of an image, in pixels. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
}

/** The steps for each image. */
export interface ImageConfig {
  /** The new size, or the new length of the shorter side, with Pillow's number of the filter; null keeps the size. */
  readonly resize: { readonly size: ImageSize | { readonly shortestEdge: number }; readonly resample: number } | null;
  /** The size of the center crop; null keeps everything. Areas outside the image are black. */
  readonly centerCrop: ImageSize | null;
  /** The factor for a pixel (0 to 255): 1 leaves it unchanged. */
  readonly rescaleFactor: number;
  /** Per channel; null if not normalized. */
  readonly normalize: { readonly mean: readonly number[]; readonly std: readonly number[] } | null;
}

type JsonObject = Readonly<Record<string, Json>>;

/** Processors for which a single number as "size" is the length of the shorter side, not of both sides. */
const SHORTER_SIDE = /^(CLIP|ChineseCLIP|Bit|Siglip)/;
/** A square of this size is within the limit for images. */
const LONGEST_SIDE = Math.floor(Math.sqrt(MAX_PIXELS));
/** Processors with steps that the file's common keys do not describe. */
const OTHERS = /^(ConvNext|Beit|Perceiver|Pvt|EfficientNet|Mobile|Levit|Poolformer|Segformer|Efficientformer)/i;

/**
 * Reads the contents of preprocessor_config.json. Throws FormatError that lists all invalid values, UnsupportedError
 * for a processor with custom steps.
 */
export function readImageConfig(text: string, name = "preprocessor_config.json"): ImageConfig {
  const file = parseJson(text, name);
  if (typeof file !== "object" || file === null || Array.isArray(file)) {
    throw new FormatError(`${name} must contain a JSON object`);
  }
  const reader = new ConfigReader(file as JsonObject);
  const config = reader.read();
  if (reader.problems.length > 0) throw new FormatError([`${name} has invalid values:`, ...reader.problems].join("\n"));
  return config;
}

class ConfigReader {
  readonly problems: string[] = [];
  readonly #file: JsonObject;

  constructor(file: JsonObject) {
    this.#file = file;
  }

  read(): ImageConfig {
    const type = String(this.#file.image_processor_type ?? this.#file.feature_extractor_type ?? "ViT");
    if (OTHERS.test(type) || (this.#file.crop_pct ?? null) !== null) {
      throw new UnsupportedError(
        `image processor ${type} has custom steps, which are not supported. Provide its output as "pixel_values" rows.`,
      );
    }
    const shorter = SHORTER_SIDE.test(type);
    const crops = this.#flag("do_center_crop", /^(DeiT|CLIP|Bit)/.test(type));
    const size = this.#size("size", shorter);
    const cropSize = this.#size("crop_size", false);
    return {
      resize: this.#flag("do_resize", true) ? { size, resample: this.#number("resample", 2) } : null,
      centerCrop: crops && "height" in cropSize ? cropSize : null,
      rescaleFactor: this.#flag("do_rescale", true) ? this.#number("rescale_factor", 1 / 255) : 1,
      normalize: this.#flag("do_normalize", true)
        ? { mean: this.#channels("image_mean"), std: this.#channels("image_std") }
        : null,
    };
  }

  #flag(key: string, otherwise: boolean): boolean {
    const value = this.#file[key] ?? otherwise;
    if (typeof value !== "boolean") this.#wrong(key, "true or false");
    return value === true;
  }

  #number(key: string, otherwise: number): number {
    const value = this.#file[key] ?? otherwise;
    if (typeof value === "number" && value >= 0) return value;
    this.#wrong(key, "a number of at least 0");
    return otherwise;
  }

  #channels(key: string): number[] {
    const value = this.#file[key] ?? 0.5;
    if (typeof value === "number") return [value, value, value];
    if (Array.isArray(value) && value.length === 3 && value.every((v) => typeof v === "number")) return value;
    this.#wrong(key, "three numbers, one per channel");
    return [0, 0, 0];
  }

  #size(key: string, shorter: boolean): ImageSize | { shortestEdge: number } {
    const value = this.#file[key] ?? 224;
    const whole = (v: Json | undefined) => typeof v === "number" && Number.isInteger(v) && v > 0 && v <= LONGEST_SIDE;
    if (whole(value)) {
      const side = value as number;
      return shorter ? { shortestEdge: side } : { height: side, width: side };
    }
    if (Array.isArray(value) && value.length === 2 && value.every(whole)) {
      return { height: value[0] as number, width: value[1] as number };
    }
    const { height, width, shortest_edge: shortest } = Array.isArray(value) ? {} : (value as JsonObject);
    if (whole(height) && whole(width)) return { height: height as number, width: width as number };
    if (whole(shortest)) return { shortestEdge: shortest as number };
    this.#wrong(
      key,
      `a whole number from 1 to ${LONGEST_SIDE}, or an object with "height" and "width", or with "shortest_edge"`,
    );
    return { height: 1, width: 1 };
  }

  #wrong(key: string, expected: string): void {
    this.problems.push(`  "${key}" is ${JSON.stringify(this.#file[key])}, expected ${expected}`);
  }
}

/**
 * One image in the form that the model expects: [3 · height · width], all of red first, then green, then blue. Throws
 * FormatError for a long, narrow image whose longer side would become longer than images may be.
 *
 * @example
 * const pixels = preprocess(await loadImage(bytes), readImageConfig(text));
 */
export function preprocess(image: RgbImage, config: ImageConfig): Float32Array {
  let shaped = image;
  if (config.resize !== null) {
    const { height, width } = sizeFor(image, config.resize.size);
    expectPixels(width, height, MAX_PIXELS);
    shaped = resize(image, width, height, config.resize.resample);
  }
  if (config.centerCrop !== null) shaped = centerCrop(shaped, config.centerCrop);
  return normalized(shaped, config);
}

function sizeFor({ width, height }: RgbImage, size: ImageSize | { readonly shortestEdge: number }): ImageSize {
  if ("height" in size) return size;
  const edge = size.shortestEdge;
  const longer = Math.trunc((edge * Math.max(width, height)) / Math.min(width, height));
  return width <= height ? { width: edge, height: longer } : { width: longer, height: edge };
}

function centerCrop({ data, width, height }: RgbImage, size: ImageSize): RgbImage {
  const left = offset(width, size.width);
  const top = offset(height, size.height);
  const out = new Uint8Array(size.height * size.width * 3);
  const from = Math.max(0, left);
  const to = Math.min(width, left + size.width);
  for (let y = 0; y < size.height; y++) {
    const row = y + top;
    if (row < 0 || row >= height) continue;
    out.set(data.subarray((row * width + from) * 3, (row * width + to) * 3), (y * size.width + from - left) * 3);
  }
  return { width: size.width, height: size.height, data: out };
}

/** The start of the crop: below 0 if the image is smaller. */
function offset(found: number, kept: number): number {
  return Math.floor((found - kept) / 2);
}

function normalized({ data, width, height }: RgbImage, { rescaleFactor, normalize }: ImageConfig): Float32Array {
  const pixels = width * height;
  const out = new Float32Array(3 * pixels);
  for (let c = 0; c < 3; c++) {
    const mean = Math.fround(normalize?.mean[c] ?? 0);
    const std = Math.fround(normalize?.std[c] ?? 1);
    const table = Float32Array.from(
      { length: 256 },
      (_, v) => Math.fround(Math.fround(v * rescaleFactor) - mean) / std,
    );
    for (let i = 0; i < pixels; i++) out[c * pixels + i] = table[data[i * 3 + c]!]!;
  }
  return out;
}
