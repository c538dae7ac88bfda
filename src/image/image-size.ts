/** Pictures in memory, and how large one may be. */
import { FormatError } from "../core/errors.ts";

/** Pixels, row by row: `data` [height · width · 3], red, green and blue from 0 to 255. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** The pixels that a picture may have by default: as in Pillow, from which on it warns of a decompression bomb. */
export const MAX_PIXELS = 89_478_485;

/** Throws FormatError for a picture without pixels or with more than `most`. */
export function expectPixels(width: number, height: number, most: number): void {
  if (width === 0 || height === 0) throw new FormatError(`it is ${width} x ${height}, expected at least 1 x 1 pixels`);
  if (width * height <= most) return;
  throw new FormatError(
    `${width} x ${height} are more than the ${most} pixels that are allowed: make it smaller, or raise maxPixels`,
  );
}
