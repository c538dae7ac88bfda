/** Small valid inputs. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { writeSafetensors } from "../../dist/checkpoint/safetensors.js";
import { mapSource, memoryTarget } from "../../dist/checkpoint/source.js";

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

export const read = (path) => new Uint8Array(readFileSync(at(path)));
export const list = (folder, ending) => readdirSync(at(folder)).filter((file) => file.endsWith(ending));
export const json = (value) => new TextEncoder().encode(JSON.stringify(value));
export const text = (value) => new TextEncoder().encode(value);
export const parsed = (bytes) => JSON.parse(new TextDecoder().decode(bytes));

/** The bytes of a safetensors file of zeros and small numbers, of tensors `{ name: [dtype, ...shape] }`. */
export async function safetensors(tensors, metadata = { format: "pt" }) {
  const sizes = { F64: 8, I64: 8, F32: 4, F16: 2, BF16: 2, U8: 1, BOOL: 1 };
  const target = memoryTarget();
  const all = Object.entries(tensors).map(([name, [dtype, ...shape]]) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const bytes =
      dtype === "F32" ? new Float32Array(count).map((_, i) => Math.sin(i)) : new Uint8Array(count * sizes[dtype]);
    return { name, dtype, shape, bytes: () => new Uint8Array(bytes.buffer) };
  });
  await writeSafetensors(target, "x", all, metadata);
  return target.files.get("x");
}

const originals = new Map(
  Object.values(parsed(read("golden/same.json"))).flatMap(([first, ...copies]) => copies.map((copy) => [copy, first])),
);

/** A golden, also one that same.json leaves out. */
export const golden = (path) => read(`golden/${originals.get(path) ?? path}`);

/** The files of a folder of goldens, those included that same.json leaves out. */
export function goldenFiles(folder) {
  const copies = [...originals.keys()].flatMap((copy) =>
    copy.startsWith(`${folder}/`) ? [copy.slice(folder.length + 1)] : [],
  );
  return Object.fromEntries(
    [...list(`golden/${folder}`, ""), ...copies].map((file) => [file, golden(`${folder}/${file}`)]),
  );
}

export const sourceOf = (files) => mapSource(files, "the input");
