/** Writes PNG files of every kind, for tests: any color type and depth, filters taken in turn, with or without Adam7. */
import { deflateSync } from "node:zlib";
import { crc32, PNG_SIGNATURE } from "../../src/image/png-chunks.ts";

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colorType: number;
  readonly isInterlaced?: boolean;
  readonly palette?: Uint8Array;
  /** The sample of channel c at x, y. */
  sample(x: number, y: number, c: number): number;
}

export const channelsOf: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const adam7 = ["0088", "4088", "0448", "2044", "0224", "1022", "0112"].map((text) => [...text].map(Number));

export function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

export function header({ width, height, depth, colorType, isInterlaced = false }: Omit<Picture, "sample">): Uint8Array {
  const data = new Uint8Array(13);
  const view = new DataView(data.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  data.set([depth, colorType, 0, 0, isInterlaced ? 1 : 0], 8);
  return chunk("IHDR", data);
}

export function file(...chunks: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([Uint8Array.from(PNG_SIGNATURE), ...chunks, chunk("IEND", new Uint8Array())]);
}

/** The file; `parts` is the number of IDAT chunks. */
export function writePng(picture: Picture, parts = 1): Uint8Array {
  const data = deflateSync(Buffer.concat(scanLines(picture)));
  const size = Math.ceil(data.length / parts);
  const pieces = Array.from({ length: parts }, (_, i) => chunk("IDAT", data.subarray(i * size, (i + 1) * size)));
  const palette = picture.palette ? [chunk("PLTE", picture.palette)] : [];
  return file(header(picture), chunk("tEXt", new TextEncoder().encode("Title\0test")), ...palette, ...pieces);
}

function scanLines(picture: Picture): Uint8Array[] {
  const { width, height, depth, colorType, isInterlaced = false, sample } = picture;
  const channels = channelsOf[colorType]!;
  const lines: Uint8Array[] = [];
  for (const [left, top, dx, dy] of (isInterlaced ? adam7 : [[0, 0, 1, 1]]) as [number, number, number, number][]) {
    const columns = Math.ceil((width - left) / dx);
    if (columns <= 0) continue;
    let above = new Uint8Array(Math.ceil((columns * channels * depth) / 8));
    for (let y = top; y < height; y += dy) {
      const raw = new Uint8Array(above.length);
      for (let i = 0; i < columns * channels; i++) {
        const value = sample(left + Math.floor(i / channels) * dx, y, i % channels);
        if (depth === 16) raw.set([value >> 8, value & 255], i * 2);
        else raw[(i * depth) >> 3]! |= value << (8 - depth - ((i * depth) & 7));
      }
      lines.push(filtered(raw, above, lines.length % 5, Math.max(1, (channels * depth) >> 3)));
      above = raw;
    }
  }
  return lines;
}

function filtered(raw: Uint8Array, above: Uint8Array, filter: number, step: number): Uint8Array {
  const at = (line: Uint8Array, i: number) => (i < 0 ? 0 : line[i]!);
  const predicted = (i: number): number => {
    const [a, b, c] = [at(raw, i - step), above[i]!, at(above, i - step)];
    const p = a + b - c;
    const nearest = [a, b, c].reduce((best, one) => (Math.abs(p - one) < Math.abs(p - best) ? one : best));
    return [0, a, b, (a + b) >> 1, nearest][filter]!;
  };
  return Uint8Array.from([filter, ...raw.map((value, i) => value - predicted(i))]);
}
