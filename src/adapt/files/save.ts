/** Writes an adapter folder as PEFT does: adapter_config.json and adapter_model.safetensors. */
import { type TensorToWrite, writeSafetensors } from "../../checkpoint/safetensors.ts";
import type { Target } from "../../core/host.ts";
import type { RawConfig } from "../../nn/config.ts";
import { LABEL_KEYS } from "../../nn/tasks/label-names.ts";
import { readElements, storedBytes } from "../../tensor/elements.ts";
import { isQuantised } from "../../tensor/tensor.ts";
import type { Base } from "../adaptable-model.ts";
import type { Adapter } from "../adapter.ts";
import { DEFAULT_ADAPTER } from "../adapter-name.ts";
import type { Fusion } from "../compose/fusion.ts";
import type { MethodConfig } from "../method/define-method.ts";
import { writeHubAdapter, writeHubFusion } from "./adapterhub.ts";
import { CONFIG_FILE, type ModelClass, WEIGHTS_FILE, writeConfig } from "./config-file.ts";

const published = { f32: "F32", f16: "F16", bf16: "BF16" } as const;

/** Writes what was copied before. */
export type Write = (target: Target) => Promise<void>;

/**
 * Copies an adapter as it is now. The function that it returns writes the copy into the folder of its name, "default"
 * at the root. Tensors are float32.
 */
export function writeAdapter(adapter: Adapter, base: Base, model: ModelClass & { readonly config: RawConfig }): Write {
  const folder = adapter.name === DEFAULT_ADAPTER ? "" : adapter.name;
  const path = (file: string) => (folder === "" ? file : `${folder}/${file}`);
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
    return (target) => writeHubAdapter(adapter, tensors, base, model, { target, folder });
  }
  const config = writeConfig(savedConfig(adapter), model);
  const labels = adapter.replaced.length > 0 ? labelsIn(model.config) : null;
  return async (target) => {
    await writeSafetensors(target, path(WEIGHTS_FILE), tensors);
    await target.write(path(CONFIG_FILE), [new TextEncoder().encode(config)]);
    if (labels === null) return;
    const told = { model_type: model.modelType, architectures: [model.architecture], ...labels };
    await target.write(path(LABELS_FILE), [new TextEncoder().encode(`${JSON.stringify(told, null, 2)}\n`)]);
  };
}

/** The file with the labels of a head that was trained with the adapter; PEFT does not read it. */
const LABELS_FILE = "config.json";

/** The labels in a config, or null. */
function labelsIn(config: RawConfig): RawConfig | null {
  const told = LABEL_KEYS.filter((key) => config[key] !== undefined && config[key] !== null);
  return told.length === 0 ? null : Object.fromEntries(told.map((key) => [key, config[key]]));
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
  return (target) => writeHubFusion(fusion, tensors, base, model, config, { target, folder: fusion.name });
}
