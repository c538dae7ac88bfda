/** The headers of safetensors files, and the tensors that they place. */
import { createHash } from "node:crypto";
import { openSafetensors } from "../../../dist/checkpoint/safetensors.js";
import { read, safetensors, sourceOf } from "../seeds.mjs";

export const reference = true;
const files = [
  await safetensors({ weight: ["F32", 2, 3], bias: ["F32", 3] }),
  await safetensors({ a: ["F16", 4], b: ["BF16", 2, 2], c: ["I64", 2], d: ["U8", 3], e: ["BOOL", 1], f: ["F64", 1] }),
  await safetensors({ scalar: ["F32"], none: ["F32", 0, 4] }, null),
  read("checkpoint/fixtures/mixed.safetensors"),
  read("checkpoint/fixtures/no-metadata.safetensors"),
];

export const seeds = () => files.map((bytes) => ({ "x.safetensors": bytes }));

const bits = (bytes) => createHash("sha256").update(bytes).digest("hex").slice(0, 16);

export async function run(files) {
  const { tensors } = await openSafetensors(sourceOf(files), "x.safetensors");
  const rows = [];
  for (const tensor of tensors.values()) {
    rows.push([tensor.name, tensor.dtype, tensor.shape, bits(await tensor.read())]);
  }
  const order = rows.map((row) => [...row]).sort(([a], [b]) => comparePoints(a, b));
  return bits(ascii(JSON.stringify(order)));
}

/** As Python sorts text, and as its JSON writes it. */
function comparePoints(a, b) {
  const [left, right] = [[...a].map((c) => c.codePointAt(0)), [...b].map((c) => c.codePointAt(0))];
  for (let i = 0; i < Math.min(left.length, right.length); i++) if (left[i] !== right[i]) return left[i] - right[i];
  return left.length - right.length;
}
const ascii = (text) => text.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
