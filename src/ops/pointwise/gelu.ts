import { sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";

/** GELU (Hendrycks and Gimpel 2016): "erf" is x·Φ(x), "tanh" the published approximation that GPT-2 uses. */
export type GeluForm = "tanh" | "erf";

/** y = x·Φ(x) of every element, or its approximation. */
export function gelu(x: Value, form: GeluForm): Value {
  const { tape } = x;
  const size = sizeOf(x.shape);
  const y = tape.value(x.shape, [x]);
  tape.kernels[`gelu_${form}_f32`](y.ptr, x.ptr, 0, size);
  tape.record(y, [x], (dy) => tape.kernels[`gelu_${form}_f32_dx`](tape.gradient(x), dy, x.ptr, 0, size));
  return y;
}
