/**
 * Writes a model folder in the format of the Hugging Face hub: config.json and model.safetensors with published names.
 */
import { openTarget, type TargetLike } from "../../checkpoint/open.ts";
import { UnsupportedError } from "../../core/errors.ts";
import { f32ToBf16, f32ToF16 } from "../../core/half.ts";
import { sizeOf } from "../../core/shape.ts";
import { expectDense } from "../../tensor/elements.ts";
import { bytesPerElement, type DenseDtype, type Weight } from "../../tensor/tensor.ts";
import type { Memory } from "../../wasm/memory.ts";
import type { Model } from "../tasks/model.ts";

export interface SaveModelOptions {
  /** The dtype of the stored tensors, by default that of the model's embedding. Rounding is to nearest even. */
  dtype?: DenseDtype;
}

const published = { f32: ["F32", "float32"], f16: ["F16", "float16"], bf16: ["BF16", "bfloat16"] } as const;

/**
 * Writes config.json and model.safetensors to a folder, a map, or a Target. The tokenizer's files are not part of the
 * model: copy them separately.
 */
export async function saveModel(
  model: Model,
  to: TargetLike,
  { dtype = storedDtype(model) }: SaveModelOptions = {},
): Promise<void> {
  const target = openTarget(to);
  const { memory } = model.engine;
  const [inFile, inConfig] = published[dtype];
  const tensors = Array.from(model.namedWeights(), ([name, weight]) => ({
    name,
    dtype: inFile,
    shape: weight.shape,
    bytes: () => bytesOf(weight, dtype, memory),
  }));
  const { writeSafetensors } = await import("../../checkpoint/safetensors.ts");
  await writeSafetensors(target, "model.safetensors", tensors);
  const config = { architectures: [model.architecture], ...model.config, torch_dtype: inConfig };
  await target.write("config.json", [new TextEncoder().encode(`${JSON.stringify(config, null, 2)}\n`)]);
}

function storedDtype(model: Model): DenseDtype {
  const [first] = model.namedWeights().values();
  return expectDense(first!).dtype;
}

/** The tensor's bytes in `dtype`. */
function bytesOf(weight: Weight, dtype: DenseDtype, memory: Memory): Uint8Array {
  expectDense(weight);
  const size = sizeOf(weight.shape);
  if (weight.dtype === dtype) return memory.u8(weight.ptr, size * bytesPerElement[dtype]).slice();
  if (weight.dtype !== "f32")
    throw new UnsupportedError(
      `"${weight.name}" is ${weight.dtype} in memory; saving it as ${dtype} would lose precision`,
    );
  const values = memory.f32(weight.ptr, size);
  const halves = dtype === "f16" ? f32ToF16(values) : f32ToBf16(values);
  return new Uint8Array(halves.buffer);
}
