import { deflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../../src/core/errors.ts";
import { MAX_PIXELS } from "../../src/image/image-size.ts";
import { loadImage } from "../../src/image/load-image.ts";
import { decodePng } from "../../src/image/png.ts";
import { bytesOf } from "./golden.ts";
import { channelsOf, chunk, file, header, type Picture, writePng } from "./write-png.ts";

const kinds = [
  ...[1, 2, 4, 8, 16].map((depth) => [0, depth]),
  ...[8, 16].map((depth) => [2, depth]),
  ...[1, 2, 4, 8].map((depth) => [3, depth]),
  ...[8, 16].map((depth) => [4, depth]),
  ...[8, 16].map((depth) => [6, depth]),
] as [colorType: number, depth: number][];

/** What the picture looks like: 16 bits keep the upper 8, fewer are stretched, alpha is dropped. */
function expectedPixels({ width, height, depth, colorType, palette, sample }: Picture): number[] {
  const pixels: number[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        const value = sample(x, y, channelsOf[colorType]! < 3 ? 0 : c);
        if (palette) pixels.push(palette[value * 3 + c]!);
        else pixels.push(depth === 16 ? value >> 8 : value * (255 / (2 ** depth - 1)));
      }
    }
  }
  return pixels;
}

test.each(kinds)("color type %i with %i bits, every filter, with and without interlacing", async (colorType, depth) => {
  const sample = (x: number, y: number, c: number) => (x * 7919 + y * 104729 + c * 31 + x * y * 13) % 2 ** depth;
  const palette = Uint8Array.from({ length: 3 * 2 ** Math.min(8, depth) }, (_, i) => (i * 41) % 256);
  for (const [width, height] of [
    [1, 1],
    [3, 2],
    [5, 9],
    [17, 12],
  ] as const) {
    for (const isInterlaced of [false, true]) {
      const picture = { width, height, depth, colorType, isInterlaced, sample, ...(colorType === 3 && { palette }) };
      const found = await decodePng(writePng(picture, width > 3 ? 3 : 1), MAX_PIXELS);
      expect([found.width, found.height, ...found.data]).toEqual([width, height, ...expectedPixels(picture)]);
    }
  }
});

const plain = { width: 16, height: 16, depth: 8, colorType: 0, sample: (x: number, y: number) => x * y };

test("a changed bit anywhere is an error, or changes nothing", async () => {
  const right = await decodePng(bytesOf("rgb.png"), MAX_PIXELS);
  for (let at = 0; at < bytesOf("rgb.png").length; at++) {
    const bytes = bytesOf("rgb.png");
    bytes[at]! ^= 1 << (at % 8);
    const found = await loadImage(bytes).catch((error) => error);
    if (found instanceof FormatError || found instanceof UnsupportedError) continue;
    expect(found.data, `bit of byte ${at}`).toEqual(right.data);
  }
});

test("a file that is cut anywhere is an error", async () => {
  const whole = writePng(plain);
  for (let end = 0; end < whole.length; end += 7) {
    const error = await loadImage(whole.slice(0, end), "cut.png").catch((cause) => cause);
    expect([FormatError, UnsupportedError]).toContain(error.constructor);
  }
});

test("the size is checked before anything is unpacked", async () => {
  const huge = { width: 65_500, height: 65_500, depth: 8, colorType: 2 };
  await expect(loadImage(file(header(huge)), "huge.png")).rejects.toThrow(
    "huge.png cannot be read: 65500 x 65500 are more than the 89478485 pixels that are allowed",
  );
  await expect(loadImage(writePng(plain), "x.png", { maxPixels: 255 })).rejects.toThrow(
    /16 x 16 are more than the 255/,
  );
  expect((await loadImage(writePng(plain), "x.png", { maxPixels: 256 })).width).toBe(16);
  await expect(loadImage(file(header({ ...plain, width: 0 })))).rejects.toThrow(/0 x 16, expected at least 1 x 1/);
});

test("what follows the last row is not unpacked, however much it is", async () => {
  const rows = Buffer.alloc(17 * 16);
  const bomb = deflateSync(Buffer.concat([rows, Buffer.alloc(200e6)]));
  const before = process.memoryUsage.rss();
  const { data } = await loadImage(file(header(plain), chunk("IDAT", bomb)));
  expect(data).toEqual(new Uint8Array(16 * 16 * 3));
  expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
});

test("a packed text or color profile is not unpacked", async () => {
  const bomb = deflateSync(Buffer.alloc(200e6));
  const profile = chunk("iCCP", Buffer.concat([Buffer.from("icc\0\0"), bomb]));
  const bytes = writePng(plain);
  const at = 8 + 25;
  const { data } = await loadImage(Buffer.concat([bytes.subarray(0, at), profile, bytes.subarray(at)]));
  expect(data).toEqual((await loadImage(bytes)).data);
});

test.each([
  [
    "a color outside its palette",
    writePng({ ...plain, colorType: 3, palette: new Uint8Array(6) }),
    /a pixel has color \d+ of 2/,
  ],
  ["a palette that is missing", writePng({ ...plain, colorType: 3 }), /numbers of a palette, and it has none/],
  ["bits that the color type does not have", file(header({ ...plain, depth: 3 })), /color type 0 with 3 bits/],
  [
    "a filter that does not exist",
    file(header(plain), chunk("IDAT", deflateSync(Buffer.alloc(272, 9)))),
    /filter 9, expected 0 to 4/,
  ],
  [
    "too few rows",
    file(header(plain), chunk("IDAT", deflateSync(Buffer.alloc(17)))),
    /its data ends before its last row/,
  ],
  ["no data", file(header(plain)), /cannot be read/],
  ["no header", file(chunk("IDAT", new Uint8Array())), /begins with "IDAT", not with its header/],
])("%s is named", async (_, bytes, message) => {
  await expect(loadImage(bytes, "bad.png")).rejects.toThrow(message);
  await expect(loadImage(bytes, "bad.png")).rejects.toThrow(FormatError);
});

test("a critical chunk of another standard is refused by name", async () => {
  const bytes = file(header(plain), chunk("CgBI", new Uint8Array(4)));
  await expect(loadImage(bytes, "phone.png")).rejects.toThrow('phone.png cannot be read: it has a "CgBI" chunk');
});
