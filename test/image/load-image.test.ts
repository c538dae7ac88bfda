import { expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../../src/core/errors.ts";
import { loadImage } from "../../src/image/load-image.ts";
import { bytesOf, differences, expected, named } from "./golden.ts";

test.each(named(".png"))("%s has the pixels that Pillow reads, exactly", async (name) => {
  const { width, height, data } = await loadImage(bytesOf(name), name);
  const { shape, bytes } = await expected(name);
  expect([height, width, 3]).toEqual(shape);
  expect(differences(data, bytes).largest).toBe(0);
});

// Decoders may round the inverse transform and the colors differently: ±1 each, and colors weigh chroma up to 1.77 times.
test.each([
  ["chroma-444.jpg", 3],
  ["progressive.jpg", 3],
  ["grey.jpg", 1],
])("%s has the pixels that Pillow reads, but for rounding", async (name, allowed) => {
  const { width, height, data } = await loadImage(bytesOf(name), name);
  const { shape, bytes } = await expected(name);
  expect([height, width, 3]).toEqual(shape);
  expect(differences(data, bytes).largest).toBeLessThanOrEqual(allowed);
});

test("chroma at half the size is repeated, not interpolated: near on average in a smooth picture", async () => {
  const { data } = await loadImage(bytesOf("chroma-420.jpg"), "chroma-420.jpg");
  const { largest, mean } = differences(data, (await expected("chroma-420.jpg")).bytes);
  expect(mean).toBeLessThan(2);
  expect(largest).toBeLessThan(16);
});

test("what is not an image, or only the beginning of one, is named", async () => {
  await expect(loadImage(new TextEncoder().encode("GIF89a"), "a.gif")).rejects.toThrow(UnsupportedError);
  await expect(loadImage(new TextEncoder().encode("GIF89a"), "a.gif")).rejects.toThrow(
    /a\.gif is neither PNG nor JPEG/,
  );
  for (const name of ["rgb.png", "chroma-444.jpg"]) {
    await expect(loadImage(bytesOf(name).subarray(0, 300), name)).rejects.toThrow(FormatError);
  }
});
