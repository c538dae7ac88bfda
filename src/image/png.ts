/**
 * Reads PNG files row by row, so that decoding takes the memory of the finished picture and of two rows, however much a
 * hostile file would unpack to. After the header, the pixel data is one zlib stream of scan lines,
 *
 *   filter (1)  samples, packed without gaps, the first one in the highest bits
 *
 * of the whole picture, or of seven coarser pictures one after the other (Adam7). A filter predicts each byte from the byte
 * of the pixel to its left (a), the one above (b) and the one above that one's left (c) (PNG specification, third
 * edition, sections 8 and 9).
 */

import { FormatError, UnsupportedError } from "../core/errors.ts";
import { decompress } from "../core/io/decompress.ts";
import { expectPixels, type RgbImage } from "./image-size.ts";
import { type PngChunk, pngChunks } from "./png-chunks.ts";

interface Header {
  readonly width: number;
  readonly height: number;
  /** Bits per sample. */
  readonly depth: number;
  readonly color: Color;
  readonly isInterlaced: boolean;
}

interface Color {
  readonly channels: number;
  readonly depths: readonly number[];
  readonly usesPalette?: boolean;
}

const colors: ReadonlyMap<number, Color> = new Map([
  [0, { channels: 1, depths: [1, 2, 4, 8, 16] }],
  [2, { channels: 3, depths: [8, 16] }],
  [3, { channels: 1, depths: [1, 2, 4, 8], usesPalette: true }],
  [4, { channels: 2, depths: [8, 16] }],
  [6, { channels: 4, depths: [8, 16] }],
]);

/** The pixels of a coarser picture: columns x + i·dx of rows y + j·dy. */
interface Pass {
  readonly x: number;
  readonly y: number;
  readonly dx: number;
  readonly dy: number;
}

const WHOLE: readonly Pass[] = [{ x: 0, y: 0, dx: 1, dy: 1 }];
const ADAM7: readonly Pass[] = [
  { x: 0, y: 0, dx: 8, dy: 8 },
  { x: 4, y: 0, dx: 8, dy: 8 },
  { x: 0, y: 4, dx: 4, dy: 8 },
  { x: 2, y: 0, dx: 4, dy: 4 },
  { x: 0, y: 2, dx: 2, dy: 4 },
  { x: 1, y: 0, dx: 2, dy: 2 },
  { x: 0, y: 1, dx: 1, dy: 2 },
];

/** A scan line: where it belongs in the picture, and its bytes without the filter's. */
interface ScanLine {
  readonly pass: Pass;
  readonly y: number;
  readonly columns: number;
  readonly bytes: number;
  readonly isFirst: boolean;
}

/**
 * Decodes a PNG file. Throws FormatError if it is corrupted, truncated, or has more than `maxPixels` pixels,
 * UnsupportedError for critical chunks that the specification does not know.
 */
export async function decodePng(bytes: Uint8Array, maxPixels: number): Promise<RgbImage> {
  const { header, palette, data } = readChunks(bytes, maxPixels);
  const { width, height } = header;
  const image = { width, height, data: new Uint8Array(width * height * 3) };
  const paint = painter(image, header, palette);
  await eachLine(header, data, paint);
  return image;
}

function readChunks(bytes: Uint8Array, maxPixels: number) {
  let header: Header | null = null;
  let palette: Uint8Array | null = null;
  const data: Uint8Array[] = [];
  for (const chunk of pngChunks(bytes)) {
    if (header === null) header = readHeader(chunk, maxPixels);
    else if (chunk.type === "PLTE" && data.length > 0) throw new FormatError("its palette follows its pixels");
    else if (chunk.type === "PLTE") palette = chunk.data;
    else if (chunk.type === "IDAT") data.push(chunk.data);
    else if (/^[A-Z]/.test(chunk.type)) throw new UnsupportedError(`it has a "${chunk.type}" chunk, which is not read`);
  }
  if (header === null) throw new FormatError("it has no header");
  if (header.color.usesPalette && (palette === null || palette.length === 0 || palette.length % 3 !== 0)) {
    throw new FormatError("its colors are numbers of a palette, and it has none");
  }
  return { header, palette, data };
}

function readHeader({ type, data }: PngChunk, maxPixels: number): Header {
  if (type !== "IHDR" || data.length !== 13)
    throw new FormatError(`it begins with ${JSON.stringify(type)}, not with its header`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  expectPixels(width, height, maxPixels);
  const [depth, colorType, compression, filter, interlace] = data.subarray(8) as unknown as readonly [
    number,
    number,
    number,
    number,
    number,
  ];
  const color = colors.get(colorType);
  if (!color?.depths.includes(depth))
    throw new FormatError(`it has color type ${colorType} with ${depth} bits, which PNG does not have`);
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    throw new FormatError(
      `it has compression ${compression}, filter ${filter} and interlacing ${interlace}, expected 0, 0 and 0 or 1`,
    );
  }
  return { width, height, depth, color, isInterlaced: interlace === 1 };
}

function* scanLines({ width, height, depth, color, isInterlaced }: Header): Generator<ScanLine> {
  for (const pass of isInterlaced ? ADAM7 : WHOLE) {
    const columns = Math.ceil((width - pass.x) / pass.dx);
    if (columns <= 0) continue;
    const bytes = Math.ceil((columns * color.channels * depth) / 8);
    for (let y = pass.y; y < height; y += pass.dy) yield { pass, y, columns, bytes, isFirst: y === pass.y };
  }
}

/** Calls `paint` with the samples of each line. What follows the last line is not unpacked. */
async function eachLine(
  header: Header,
  data: readonly Uint8Array[],
  paint: (line: ScanLine, samples: Uint8Array) => void,
): Promise<void> {
  const { depth, color, width } = header;
  const pixelBytes = Math.max(1, (color.channels * depth) >> 3);
  const longest = 1 + Math.ceil((width * color.channels * depth) / 8);
  let [current, above] = [new Uint8Array(longest), new Uint8Array(longest)];
  const lines = scanLines(header);
  let line = lines.next();
  let filled = 0;
  for await (const piece of decompress(data, "deflate")) {
    for (let at = 0; at < piece.length && !line.done; ) {
      const taken = Math.min(piece.length - at, 1 + line.value.bytes - filled);
      current.set(piece.subarray(at, at + taken), filled);
      at += taken;
      filled += taken;
      if (filled <= line.value.bytes) continue;
      if (line.value.isFirst) above.fill(0);
      unfilter(current, above, line.value.bytes, pixelBytes);
      paint(line.value, current.subarray(1));
      [current, above] = [above, current];
      filled = 0;
      line = lines.next();
    }
    if (line.done) return;
  }
  throw new FormatError("it is truncated: its data ends before its last row");
}

/** Undoes the filter of `line`, whose first byte names it; both lines begin with that byte. `step` is the distance to the left pixel. */
function unfilter(line: Uint8Array, above: Uint8Array, bytes: number, step: number): void {
  const filter = line[0]!;
  switch (filter) {
    case 0:
      return;
    case 1:
      for (let i = 1 + step; i <= bytes; i++) line[i]! += line[i - step]!;
      return;
    case 2:
      for (let i = 1; i <= bytes; i++) line[i]! += above[i]!;
      return;
    case 3:
      for (let i = 1; i <= bytes; i++) line[i]! += ((i > step ? line[i - step]! : 0) + above[i]!) >> 1;
      return;
    case 4:
      for (let i = 1; i <= step; i++) line[i]! += above[i]!;
      for (let i = 1 + step; i <= bytes; i++) line[i]! += paeth(line[i - step]!, above[i]!, above[i - step]!);
      return;
    default:
      throw new FormatError(`a row has filter ${filter}, expected 0 to 4`);
  }
}

/** Whichever of the neighbors is nearest to a + b − c. */
function paeth(a: number, b: number, c: number): number {
  const [toA, toB, toC] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  if (toA <= toB && toA <= toC) return a;
  return toB <= toC ? b : c;
}

/** Writes the samples of a line into the picture as red, green and blue. */
function painter(
  { width, data: out }: RgbImage,
  { depth, color: { channels, usesPalette = false } }: Header,
  palette: Uint8Array | null,
): (line: ScanLine, samples: Uint8Array) => void {
  const green = channels < 3 ? 0 : 1;
  const highest = 2 ** depth - 1;
  const valueAt = (samples: Uint8Array, i: number): number => {
    if (depth === 8) return samples[i]!;
    if (depth === 16) return samples[2 * i]!;
    const value = (samples[(i * depth) >> 3]! >> (8 - depth - ((i * depth) & 7))) & highest;
    return usesPalette ? value : value * (255 / highest);
  };
  return ({ pass, y, columns }, samples) => {
    for (let i = 0, to = (y * width + pass.x) * 3; i < columns; i++, to += pass.dx * 3) {
      const first = valueAt(samples, i * channels);
      if (usesPalette) {
        if (first * 3 >= palette!.length) throw new FormatError(`a pixel has color ${first} of ${palette!.length / 3}`);
        for (let c = 0; c < 3; c++) out[to + c] = palette![first * 3 + c]!;
        continue;
      }
      out[to] = first;
      out[to + 1] = valueAt(samples, i * channels + green);
      out[to + 2] = valueAt(samples, i * channels + 2 * green);
    }
  };
}
