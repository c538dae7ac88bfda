import { expect, test } from "vitest";
import { resize } from "../../src/image/resize.ts";

test("an image of one color keeps it in any size", () => {
  const image = { width: 7, height: 5, data: Uint8Array.from({ length: 105 }, (_, i) => [9, 130, 255][i % 3]!) };
  for (const filter of [1, 2, 3, 4]) {
    const { data } = resize(image, 3, 11, filter);
    expect([...data]).toEqual(Array.from({ length: 99 }, (_, i) => [9, 130, 255][i % 3]));
  }
  expect(() => resize(image, 3, 3, 0)).toThrow(/resample 0 is unknown, expected one of 1 \(Lanczos\)/);
});
