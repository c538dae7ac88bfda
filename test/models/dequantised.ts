/** What a base in a small dtype is compared with: the same numbers in f32. */
import { writeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { memoryTarget } from "../../src/checkpoint/source.ts";
import type { Model } from "../../src/nn/tasks/model.ts";
import { readElements } from "../../src/tensor/elements.ts";

/** The folder with each weight replaced by what a loaded model's stands for. */
export async function dequantised(files: Map<string, Uint8Array>, model: Model): Promise<Map<string, Uint8Array>> {
  const target = memoryTarget();
  const tensors = Array.from(model.namedWeights(), ([name, weight]) => ({
    ...{ name, dtype: "F32" as const, shape: weight.shape },
    bytes: () => new Uint8Array(readElements(model.engine.memory, weight).buffer),
  }));
  await writeSafetensors(target, "model.safetensors", tensors);
  return new Map([...target.files, ["config.json", files.get("config.json")!] as const]);
}

/** ‖a − b‖ / ‖b‖ */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return Math.sqrt(difference / size);
}
