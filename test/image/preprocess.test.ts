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
