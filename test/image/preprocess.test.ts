/** Images against Pillow and transformers' image processors; test/parity/make_data_goldens.py made the files. */
import { expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../../src/core/errors.ts";
import { loadImage } from "../../src/image/load-image.ts";
import { preprocess, readImageConfig } from "../../src/image/preprocess.ts";
import { bytesOf, differences, expected, named } from "./golden.ts";

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

test("a preprocessor that is not understood is refused, with all that is wrong", () => {
  const wrong = { size: "big", image_mean: [1, 2], do_resize: 1 };
  expect(() => readImageConfig(JSON.stringify(wrong))).toThrow(FormatError);
  expect(() => readImageConfig(JSON.stringify(wrong))).toThrow(
    /"size" is "big".*\n.*"do_resize" is 1.*\n.*"image_mean"/,
  );
  const other = JSON.stringify({ image_processor_type: "ConvNextImageProcessor", crop_pct: 0.875 });
  expect(() => readImageConfig(other)).toThrow(UnsupportedError);
});

test("sizes that no picture has are refused, in the file and after resizing", () => {
  const file = (size: unknown) =>
    JSON.stringify({ image_processor_type: "CLIPImageProcessor", size, do_center_crop: false });
  for (const size of [65_536, { height: 224, width: 1e9 }, { shortest_edge: -3 }, [0, 1]]) {
    expect(() => readImageConfig(file(size))).toThrow(/"size" is .*, expected a whole number from 1 to 9459/);
  }
  const line = { width: 1, height: 60_000, data: new Uint8Array(180_000) };
  expect(() => preprocess(line, readImageConfig(file({ shortest_edge: 224 })))).toThrow(
    /224 x 13440000 are more than the 89478485 pixels that are allowed/,
  );
});
