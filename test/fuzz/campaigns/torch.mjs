/** Files of torch.save: zip archives and what came before, with the pickles in them. */
import { openTorchFile } from "../../../dist/checkpoint/torch-file.js";
import { list, read, sourceOf } from "../seeds.mjs";

const files = list("checkpoint/fixtures", ".bin");

export const seeds = () => files.map((file) => ({ "x.bin": read(`checkpoint/fixtures/${file}`) }));

export async function run(files) {
  const { tensors } = await openTorchFile(sourceOf(files), "x.bin");
  for (const tensor of tensors.values()) await tensor.read();
}
