import { sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import type { Ptr } from "../../wasm/memory.ts";

/** GELU (Hendrycks and Gimpel 2016): "erf" is x·Φ(x), "tanh" the published approximation that GPT-2 uses. */
export type GeluForm = "tanh" | "erf";

/** y = x·Φ(x) of every element, or its approximation. */
export function gelu(x: Value, form: GeluForm): Value {
  const { tape } = x;
  const size = sizeOf(x.shape);
  const y = tape.value(x.shape, [x]);
  const compute = (to: Ptr) => tape.kernels[`gelu_${form}_f32`](to, x.ptr, 0, size);
  compute(y.ptr);
  tape.recomputable(y, [x], compute);
  tape.recordElements(y, x, [x], (dx, dy, start, end) =>
    tape.kernels[`gelu_${form}_f32_dx`](dx, dy, x.ptr, start, end),
  );
  return y;
}
