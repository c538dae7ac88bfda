/** Pictures, and what Pillow and transformers make of them: test/golden/images. */
import { readdirSync, readFileSync } from "node:fs";
import { expect } from "vitest";
import { openSafetensors } from "../../src/checkpoint/safetensors.ts";
import { openFolder } from "../../src/runtime/node.ts";

export const FOLDER = new URL("../golden/images/", import.meta.url);
export const { tensors } = await openSafetensors(openFolder(FOLDER.pathname), "expected.safetensors");
export const bytesOf = (name: string) => new Uint8Array(readFileSync(new URL(name, FOLDER)));
export const named = (ending: string) => readdirSync(FOLDER).filter((name) => name.endsWith(ending));

export async function expected(name: string): Promise<{ shape: readonly number[]; bytes: Uint8Array }> {
  const tensor = tensors.get(name)!;
  return { shape: tensor.shape, bytes: (await tensor.read()).slice() };
}

export function differences(found: ArrayLike<number>, wanted: ArrayLike<number>): { largest: number; mean: number } {
  expect(found.length).toBe(wanted.length);
  const all = Array.from(wanted, (value, i) => Math.abs(value - found[i]!));
  return { largest: Math.max(...all), mean: all.reduce((a, b) => a + b, 0) / all.length };
}
