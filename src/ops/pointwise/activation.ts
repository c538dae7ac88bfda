/** Activations of one number, and the names by which configs ask for them. */
import { sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import type { Ptr } from "../../wasm/memory.ts";
import { gelu } from "./gelu.ts";

/** Names that published configs use. "gelu_new" is GELU's tanh form, "swish" another name of "silu". */
export const activations = [
  "relu",
  "gelu",
  "gelu_new",
  "swish",
  "silu",
  "tanh",
  "sigmoid",
  "linear",
  "leakyrelu",
] as const;

/** The name of an activation function. */
export type Activation = (typeof activations)[number];

/** y = the activation that `name` means, of every element. "linear" returns x itself; "leakyrelu" has a slope of 0.01. */
export function activation(x: Value, name: Activation): Value {
  switch (name) {
    case "linear":
      return x;
    case "gelu":
      return gelu(x, "erf");
    case "gelu_new":
      return gelu(x, "tanh");
    case "swish":
    case "silu":
      return silu(x);
    case "leakyrelu":
      return leakyRelu(x, 0.01);
    default:
      return fromResult(x, name);
  }
}

/** y = max(x, 0). Keeps its result rather than x. */
export const relu = (x: Value): Value => fromResult(x, "relu");

/** y = tanh x. Keeps its result rather than x. */
export const tanh = (x: Value): Value => fromResult(x, "tanh");

/** y = 1 / (1 + exp(−x)). Keeps its result rather than x. */
export const sigmoid = (x: Value): Value => fromResult(x, "sigmoid");

/** y = x·sigmoid(x) (Elfwing et al. 2017). */
export function silu(x: Value): Value {
  const { tape } = x;
  const size = sizeOf(x.shape);
  const y = tape.value(x.shape, [x]);
  const compute = (to: Ptr) => tape.kernels.silu_f32(to, x.ptr, 0, size);
  compute(y.ptr);
  tape.recomputable(y, [x], compute);
  tape.recordElements(y, x, [x], (dx, dy, start, end) => tape.kernels.silu_f32_dx(dx, dy, x.ptr, start, end));
  return y;
}

/** y = x where x > 0, else slope·x; slope > 0. */
export function leakyRelu(x: Value, slope: number): Value {
  const { tape } = x;
  const size = sizeOf(x.shape);
  const y = tape.value(x.shape, [x]);
  tape.kernels.leaky_relu_f32(y.ptr, x.ptr, slope, 0, size);
  tape.recordElements(y, x, [y], (dx, dy, start, end) =>
    tape.kernels.leaky_relu_f32_dx(dx, dy, y.ptr, slope, start, end),
  );
  return y;
}

/** Those whose gradient follows from the result. */
function fromResult(x: Value, kernel: "relu" | "tanh" | "sigmoid"): Value {
  const { tape } = x;
  const size = sizeOf(x.shape);
  const y = tape.value(x.shape, [x]);
  tape.kernels[`${kernel}_f32`](y.ptr, x.ptr, 0, size);
  tape.recordElements(y, x, [y], (dx, dy, start, end) => tape.kernels[`${kernel}_f32_dx`](dx, dy, y.ptr, start, end));
  return y;
}
