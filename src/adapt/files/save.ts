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

/** Writes what was copied before into a folder. */
export type Write = (folder: Target) => Promise<void>;

/** Copies an adapter as it is now, and returns what writes the copy. Tensors are float32. */
export function writeAdapter(adapter: Adapter, base: Base, model: ModelClass & { readonly config: RawConfig }): Write {
  const { memory } = base.engine;
  const placed = [...adapter.saved, ...adapter.savedBase(base)].filter(([name]) => !adapter.exported.has(name));
  const tensors = placed.map(([name, tensor]): TensorToWrite => {
    const bytes = isQuantised(tensor)
      ? new Uint8Array(readElements(memory, tensor).buffer)
      : storedBytes(memory, tensor).slice();
    return {
      name,
      dtype: isQuantised(tensor) ? "F32" : published[tensor.dtype],
      shape: tensor.shape,
      bytes: () => bytes,
    };
  });
  for (const [name, compute] of adapter.exported) {
    const { shape, values } = compute();
    const bytes = () => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    tensors.push({ name, dtype: "F32", shape, bytes });
  }
  if (adapter.config.method.format === "adapterhub") {
    return (folder) => writeHubAdapter(adapter, tensors, base, model, folder);
  }
  const config = writeConfig(savedConfig(adapter), model);
  const labels = adapter.replaced.length > 0 ? labelsOf(model.config) : {};
  return async (folder) => {
    await writeSafetensors(folder, WEIGHTS_FILE, tensors);
    await folder.write(CONFIG_FILE, [new TextEncoder().encode(config)]);
    if (Object.keys(labels).length > 0) await writeLabels(labels, model, folder);
  };
}

/** The config including changes made by training. */
function savedConfig({ config, lifecycle }: Adapter): MethodConfig {
  return { ...config, values: { ...config.values, ...lifecycle.savedValues?.() } };
}

/** The same for a fusion of adapters, one of which has this config, as AdapterHub writes it. */
export function writeFusion(fusion: Fusion, config: MethodConfig, base: Base, model: ModelClass): Write {
  const tensors = Array.from(fusion.params, ([name, param]): TensorToWrite => {
    const bytes = storedBytes(base.engine.memory, param).slice();
    return { name, dtype: "F32", shape: param.shape, bytes: () => bytes };
  });
  return (folder) => writeHubFusion(fusion, tensors, base, model, config, folder);
}
