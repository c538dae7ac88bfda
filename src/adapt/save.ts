/** Writes an adapter folder as PEFT does: adapter_config.json and adapter_model.safetensors. */
import { type TensorToWrite, writeSafetensors } from "../checkpoint/safetensors.ts";
import type { Target } from "../core/host.ts";
import { storedBytes } from "../tensor/elements.ts";
import type { Adapter } from "./adapter.ts";
import type { Base } from "./base.ts";
import { CONFIG_FILE, type ModelClass, WEIGHTS_FILE, writeConfig } from "./config-file.ts";
import type { MethodConfig } from "./define-method.ts";

const published = { f32: "F32", f16: "F16", bf16: "BF16" } as const;

/** Writes an adapter into `folder` of the target ("" is its root). Tensors are float32. */
export async function writeAdapter(
  adapter: Adapter,
  base: Base,
  model: ModelClass,
  target: Target,
  folder: string,
): Promise<void> {
  const path = (file: string) => (folder === "" ? file : `${folder}/${file}`);
  const { memory } = base.engine;
  const placed = Array.from(
    [...adapter.saved, ...adapter.savedBase(base)],
    ([name, tensor]): TensorToWrite => ({
      name,
      dtype: published[tensor.dtype],
      shape: tensor.shape,
      bytes: () => storedBytes(memory, tensor).slice(), // training may go on, and memory move, while this is written
    }),
  );
  const computed = Array.from(adapter.exported, ([name, compute]): TensorToWrite => {
    const { shape, values } = compute();
    return {
      name,
      dtype: "F32",
      shape,
      bytes: () => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    };
  });
  const tensors = [...placed, ...computed];
  await writeSafetensors(target, path(WEIGHTS_FILE), tensors);
  await target.write(path(CONFIG_FILE), [new TextEncoder().encode(writeConfig(savedConfig(adapter), model))]);
}

/** The config with what training has changed of it. */
function savedConfig({ config, whole }: Adapter): MethodConfig {
  return { ...config, values: { ...config.values, ...whole.savedValues?.() } };
}
