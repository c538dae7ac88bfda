/**
 * Writes a model folder in the format of the Hugging Face hub: config.json and model.safetensors with published names.
 */
import { openTarget, type TargetLike } from "../../checkpoint/open.ts";
import { callOptions } from "../../core/call-options.ts";
import { StateError, UnsupportedError } from "../../core/errors.ts";
import { f32ToBf16 } from "../../core/half.ts";
import { narrowToF16 } from "../../core/non-finite.ts";
import { oneOf, orNull } from "../../core/options.ts";
import { expectDense, readElements, storedBytes } from "../../tensor/elements.ts";
import type { DenseDtype, Weight } from "../../tensor/tensor.ts";
import type { Memory } from "../../wasm/memory.ts";
import type { Model, SaveModelOptions } from "../tasks/model.ts";

const published = { f32: ["F32", "float32"], f16: ["F16", "float16"], bf16: ["BF16", "bfloat16"] } as const;

/**
 * Writes config.json, model.safetensors and, where the model has one, generation_config.json to a folder, a map, or a Target. The
 * tokenizer's files are not part of the model: copy them separately.
 */
export async function saveModel(model: Model, to: TargetLike, options: SaveModelOptions = {}): Promise<void> {
  callOptions("savePretrained", saving, options);
  const { dtype } = options;
  if (model.adapterCount > 0)
    throw new StateError(
      "savePretrained: the model has an adapter, which the PeftModel saves; mergeAndUnload() or unload() gives a model to save",
    );
  const target = openTarget(to);
  const { memory } = model.engine;
  const expectUnchanged = model.watch("saveModel");
  const weights = Array.from(model.namedWeights(), ([name, weight]) => {
    return { name, weight, dtype: dtype ?? fileDtype(weight) };
  });
  const tensors = weights.map(({ name, weight, dtype }) => ({
    name,
    dtype: published[dtype][0],
    shape: weight.shape,
    bytes: () => {
      expectUnchanged();
      return bytesOf(weight, dtype, memory);
    },
  }));
  const { writeSafetensors } = await import("../../checkpoint/safetensors.ts");
  await writeSafetensors(target, "model.safetensors", tensors);
  const config = configOf(
    model,
    weights.map((each) => each.dtype),
  );
  await target.write("config.json", [json(config)]);
  if (model.generationConfig !== null) await target.write("generation_config.json", [json(model.generationConfig)]);
}

const saving = { dtype: orNull(oneOf(["f32", "f16", "bf16"], "f32")) };

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}

function fileDtype(weight: Weight): DenseDtype {
  const dense = expectDense(weight);
  return (dense.kind === "frozen" ? dense.storedAs : null) ?? dense.dtype;
}

/** The config of what is written: its own class, and as dtype the one that it names if any tensor has it, else the first tensor's. */
function configOf({ architecture, config }: Model, dtypes: readonly DenseDtype[]): Model["config"] {
  const key = config.dtype === undefined ? "torch_dtype" : "dtype";
  const { torch_dtype: old, quantization_config: _, ...kept } = config;
  const names = dtypes.map((dtype): string => published[dtype][1]);
  const told = config.dtype ?? old;
  const named = Array.isArray(config.architectures) && config.architectures.includes(architecture);
  return {
    architectures: [architecture],
    ...kept,
    ...(!named && { architectures: [architecture] }),
    [key]: names.includes(told as string) ? told! : names[0]!,
  };
}

/** The tensor's bytes in `dtype`. */
function bytesOf(weight: Weight, dtype: DenseDtype, memory: Memory): Uint8Array {
  const dense = expectDense(weight);
  if (dense.dtype === dtype) return storedBytes(memory, dense).slice();
  if (dense.dtype !== "f32" && dtype !== "f32")
    throw new UnsupportedError(
      `"${weight.name}" is ${weight.dtype} in memory; saving it as ${dtype} would lose precision`,
    );
  const values = readElements(memory, dense);
  if (dtype === "f32") return new Uint8Array(values.buffer);
  const bits = dtype === "f16" ? narrowToF16(`"${weight.name}"`, values) : f32ToBf16(values);
  return new Uint8Array(bits.buffer);
}
