/** Golden models in a folder of their own, for the command line. */
import { join } from "node:path";
import { beforeAll } from "vitest";
import { openSafetensors } from "../../../src/checkpoint/safetensors.ts";
import { openFolder } from "../../../src/runtime/node.ts";
import { addTokenizer, goldenModel, workFolder, writeRows } from "../bed.ts";

export interface Batch {
  readonly sequences: readonly (readonly number[])[];
  readonly labels: readonly (readonly number[])[];
}

export const work = workFolder();
export const at = (name: string) => join(work, name);

beforeAll(() => {
  for (const name of ["llama", "llama-bf16", "llama-sharded", "gpt2"]) goldenModel(at(name), name);
  addTokenizer(at("llama"));
});

/** Writes a batch as rows of tokens. */
export function writeBatch(path: string, { sequences, labels }: Batch): void {
  writeRows(
    path,
    sequences.map((ids, i) => ({ input_ids: ids, labels: labels[i] })),
  );
}

/** Tensors of a file in the working folder: shape, dtype and values. */
export async function readLogits(file: string) {
  const { tensors } = await openSafetensors(openFolder(work), file);
  const values = new Map<string, Float32Array>();
  for (const [name, tensor] of tensors) values.set(name, new Float32Array((await tensor.read()).slice().buffer));
  return { tensors, values };
}

export async function dtypes(folder: string): Promise<Record<string, string>> {
  const { tensors } = await openSafetensors(openFolder(at(folder)), "model.safetensors");
  return Object.fromEntries(Array.from(tensors, ([name, { dtype }]) => [name, dtype]).sort());
}
