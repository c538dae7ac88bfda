/** Images against Pillow and transformers' image processors; test/parity/make_data_goldens.py made the files. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openSafetensors } from "../../src/checkpoint/safetensors.ts";
import { FormatError, UnsupportedError } from "../../src/core/errors.ts";
import { loadImage } from "../../src/image/load-image.ts";
import { preprocess, readImageConfig } from "../../src/image/preprocess.ts";
import { resize } from "../../src/image/resize.ts";
import { openFolder } from "../../src/runtime/node.ts";

const FOLDER = new URL("../golden/images/", import.meta.url);
const { tensors } = await openSafetensors(openFolder(FOLDER.pathname), "expected.safetensors");
const bytesOf = (name: string) => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const named = (ending: string) => readdirSync(FOLDER).filter((name) => name.endsWith(ending));

async function expected(name: string): Promise<{ shape: readonly number[]; bytes: Uint8Array }> {
  const tensor = tensors.get(name)!;
  return { shape: tensor.shape, bytes: (await tensor.read()).slice() };
}

function differences(found: ArrayLike<number>, wanted: ArrayLike<number>): { largest: number; mean: number } {
  expect(found.length).toBe(wanted.length);
  const all = Array.from(wanted, (value, i) => Math.abs(value - found[i]!));
  return { largest: Math.max(...all), mean: all.reduce((a, b) => a + b, 0) / all.length };
}

test.each(named(".png"))("%s has the pixels that Pillow reads, exactly", async (name) => {
  const { width, height, data } = await loadImage(bytesOf(name), name);
  const { shape, bytes } = await expected(name);
  expect([height, width, 3]).toEqual(shape);
  expect(differences(data, bytes).largest).toBe(0);
});

// Decoders may round the inverse transform and the colours differently: ±1 each, and colours weigh chroma up to 1.77 times.
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

test.each(named(".json").map((name) => name.slice(0, -5)))(
  "%s prepares an image as transformers does",
  async (name) => {
    const config = readImageConfig(new TextDecoder().decode(bytesOf(`${name}.json`)), `${name}.json`);
    const pixels = preprocess(await loadImage(bytesOf("rgb.png")), config);
    const { bytes } = await expected(name);
    const wanted = new Float32Array(bytes.buffer);
    const magnitude = Math.max(...wanted.map(Math.abs));
    expect(magnitude).toBeGreaterThan(0.5);
    expect(differences(pixels, wanted).largest).toBeLessThanOrEqual(magnitude * 2 ** -23);
  },
);

test("an image of one colour keeps it in any size", () => {
  const image = { width: 7, height: 5, data: Uint8Array.from({ length: 105 }, (_, i) => [9, 130, 255][i % 3]!) };
  for (const filter of [1, 2, 3, 4]) {
    const { data } = resize(image, 3, 11, filter);
    expect([...data]).toEqual(Array.from({ length: 99 }, (_, i) => [9, 130, 255][i % 3]));
  }
  expect(() => resize(image, 3, 3, 0)).toThrow(/resample 0 is not known; there are 1 \(Lanczos\)/);
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

test("a preprocessor that is not understood is refused, with all that is wrong", () => {
  const wrong = { size: "big", image_mean: [1, 2], do_resize: 1 };
  expect(() => readImageConfig(JSON.stringify(wrong))).toThrow(FormatError);
  expect(() => readImageConfig(JSON.stringify(wrong))).toThrow(
    /"size" is "big".*\n.*"do_resize" is 1.*\n.*"image_mean"/,
  );
  const other = JSON.stringify({ image_processor_type: "ConvNextImageProcessor", crop_pct: 0.875 });
  expect(() => readImageConfig(other)).toThrow(UnsupportedError);
});
