/** PNG and JPEG files. */
import { createHash } from "node:crypto";
import { loadImage } from "../../../dist/image.js";
import { golden, list } from "../seeds.mjs";

export const reference = true;
const MOST = 1e6;
/** What is announced for a pixel: 3 bytes of a PNG, up to 25 of a JPEG, and the blocks of its decoder. */
export const memory = 25 * MOST + 64e6;

const named = (file) => (file.endsWith(".png") ? "x.png" : "x.jpg");
const files = [...list("golden/images", ".png"), ...list("golden/images", ".jpg")];

export const seeds = () => files.map((file) => ({ [named(file)]: golden(`images/${file}`) }));

export async function run(files) {
  for (const [name, bytes] of Object.entries(files)) {
    const { width, height, data } = await loadImage(bytes, name, { maxPixels: MOST });
    if (data.length !== 3 * width * height) throw new RangeError(`${data.length} bytes for ${width} x ${height}`);
    if (bytes[0] !== 0x89 || bytes[24] === 16) return null; // only 8 bits of a PNG are the same everywhere
    return createHash("sha256").update(`${width}x${height}`).update(data).digest("hex").slice(0, 16);
  }
}
