import { expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../../src/core/errors.ts";
import { MAX_PIXELS } from "../../src/image/image-size.ts";
import { expectJpeg } from "../../src/image/jpeg-frame.ts";
import { loadImage } from "../../src/image/load-image.ts";
import { bytesOf, named } from "./golden.ts";

/** The position of the frame's height. */
function heightOf(bytes: Uint8Array): number {
  const at = bytes.findIndex((byte, i) => byte === 0xff && [0xc0, 0xc2].includes(bytes[i + 1]!));
  return at + 5;
}

function resized(name: string, height: number, width: number): Uint8Array {
  const bytes = bytesOf(name);
  bytes.set([height >> 8, height & 255, width >> 8, width & 255], heightOf(bytes));
  return bytes;
}

test.each(named(".jpg"))("%s passes", (name) => {
  expect(() => expectJpeg(bytesOf(name), MAX_PIXELS)).not.toThrow();
});

test("a small file that says it is large takes no memory", async () => {
  const before = process.memoryUsage.rss();
  await expect(loadImage(resized("chroma-444.jpg", 65_500, 65_500), "a.jpg")).rejects.toThrow(
    /^a\.jpg cannot be read: 65500 x 65500 are more than the 89478485 pixels that are allowed/,
  );
  await expect(loadImage(resized("chroma-444.jpg", 9000, 9000), "a.jpg")).rejects.toThrow(
    /9000 x 9000, but its \d+ bytes cannot hold so many pixels/,
  );
  await expect(loadImage(resized("chroma-444.jpg", 0, 10), "a.jpg")).rejects.toThrow(/10 x 0, expected at least 1 x 1/);
  expect(process.memoryUsage.rss() - before).toBeLessThan(50e6);
});

test("a second frame, which would have its own size, is refused", async () => {
  const bytes = bytesOf("chroma-444.jpg");
  const frame = heightOf(bytes) - 5;
  const length = 2 + ((bytes[frame + 2]! << 8) | bytes[frame + 3]!);
  const twice = Buffer.concat([bytes.subarray(0, frame + length), bytes.subarray(frame)]);
  await expect(loadImage(twice, "a.jpg")).rejects.toThrow("it has 2 frames, expected one");
});

test("lossless and arithmetic coding are refused by number", async () => {
  const bytes = bytesOf("chroma-444.jpg");
  bytes[heightOf(bytes) - 4] = 0xc9;
  await expect(loadImage(bytes, "a.jpg")).rejects.toThrow(UnsupportedError);
  await expect(loadImage(bytes, "a.jpg")).rejects.toThrow(/coding 0xc9, expected baseline or progressive/);
});

test.each(named(".jpg"))("%s cut anywhere is an error", async (name) => {
  const whole = bytesOf(name);
  for (let end = 3; end < whole.length; end += Math.ceil(whole.length / 60)) {
    await expect(loadImage(whole.slice(0, end), name)).rejects.toThrow(FormatError);
  }
});
