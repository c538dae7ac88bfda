/** Writes an adapter folder as PEFT does: adapter_config.json and adapter_model.safetensors. */
import { type TensorToWrite, writeSafetensors } from "../../checkpoint/safetensors.ts";
import type { Target } from "../../core/host.ts";
import type { RawConfig } from "../../nn/config.ts";
import { labelsOf } from "../../nn/tasks/label-names.ts";
import { readElements, storedBytes } from "../../tensor/elements.ts";
import { isQuantised } from "../../tensor/tensor.ts";
import type { Base } from "../adaptable-model.ts";
import type { Adapter } from "../adapter.ts";
import type { Fusion } from "../compose/fusion.ts";
import type { MethodConfig } from "../method/define-method.ts";
import { writeHubAdapter, writeHubFusion } from "./adapterhub.ts";
import { CONFIG_FILE, type ModelClass, WEIGHTS_FILE, writeConfig } from "./config-file.ts";
import { writeLabels } from "./saved-labels.ts";

const published = { f32: "F32", f16: "F16", bf16: "BF16" } as const;

/** Writes an adapter into `folder` of the target ("" is its root). Tensors are float32. */
export async function writeAdapter(
  adapter: Adapter,
  base: Base,
  model: ModelClass & { readonly config: RawConfig },
  target: Target,
  folder: string,
): Promise<void> {
  const path = (file: string) => (folder === "" ? file : `${folder}/${file}`);
  const { memory } = base.engine;
  const placed = Array.from(
    [...adapter.saved, ...adapter.savedBase(base)].filter(([name]) => !adapter.exported.has(name)),
    ([name, tensor]): TensorToWrite => ({
      name,
      dtype: isQuantised(tensor) ? "F32" : published[tensor.dtype],
      shape: tensor.shape,
      // A copy: training may continue, and memory may move, while this is written.
      bytes: () =>
        isQuantised(tensor) ? new Uint8Array(readElements(memory, tensor).buffer) : storedBytes(memory, tensor).slice(),
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
  if (adapter.config.method.format === "adapterhub") {
    await writeHubAdapter(adapter, tensors, base, model, { target, folder });
    return;
  }
  await writeSafetensors(target, path(WEIGHTS_FILE), tensors);
  await target.write(path(CONFIG_FILE), [new TextEncoder().encode(writeConfig(savedConfig(adapter), model))]);
  const labels = adapter.replaced.length > 0 ? labelsOf(model.config) : {};
  if (Object.keys(labels).length > 0) await writeLabels(labels, model, target, folder);
}

/** The config including changes made by training. */
function savedConfig({ config, lifecycle }: Adapter): MethodConfig {
  return { ...config, values: { ...config.values, ...lifecycle.savedValues?.() } };
}

/** Writes a fusion of adapters, one of which has this config, into a folder as AdapterHub does. */
export async function writeFusion(
  fusion: Fusion,
  config: MethodConfig,
  base: Base,
  model: ModelClass,
  target: Target,
  folder: string,
): Promise<void> {
  const { memory } = base.engine;
  const tensors = Array.from(
    fusion.params,
    ([name, param]): TensorToWrite => ({
      name,
      dtype: "F32",
      shape: param.shape,
      bytes: () => storedBytes(memory, param).slice(),
    }),
  );
  await writeHubFusion(fusion, tensors, base, model, config, { target, folder });
}
