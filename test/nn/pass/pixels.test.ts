import { expect, test } from "vitest";
import { pixelInput, pixels } from "../../../src/nn/pass/pixels.ts";

const kind = pixels({ channels: 3, height: 4, width: 4, rows: 5 });

test("an image of the model's size has the model's rows", () => {
  const { kind: name, values } = pixelInput(new Float32Array(48));
  expect(name).toBe(kind.kind);
  expect(kind.problem(values, 0)).toBeNull();
  expect(kind.rows(values)).toBe(5);
  expect(kind.largest(0)).toHaveLength(48);
});

test("what is wrong with an image names both sizes", () => {
  expect(kind.problem(undefined, 0)).toContain("no pixels");
  expect(kind.problem(new Float32Array(27), 0)).toMatch(/an image of 3 x 3, but .* are for 4 x 4 in 3 channels/);
  expect(kind.problem(new Float32Array(10), 0)).toContain("10 numbers");
});
