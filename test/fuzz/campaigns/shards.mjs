/** The index of a model in several files, and its files. */
import { openCheckpoint } from "../../../dist/checkpoint/checkpoint.js";
import { json, safetensors, sourceOf } from "../seeds.mjs";

const [first, second] = [await safetensors({ a: ["F32", 2, 2], b: ["F16", 3] }), await safetensors({ c: ["F32", 4] })];
const index = {
  metadata: { total_size: 38 },
  weight_map: { a: "one.safetensors", b: "one.safetensors", c: "two.safetensors" },
};

export const seeds = () => [
  { "model.safetensors.index.json": json(index), "one.safetensors": first, "two.safetensors": second },
  { "model.safetensors.index.json": json({ weight_map: { c: "two.safetensors" } }), "two.safetensors": second },
];

export async function run(files) {
  const { tensors } = await openCheckpoint(sourceOf(files));
  for (const tensor of tensors.values()) await tensor.read();
}
