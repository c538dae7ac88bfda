/** Gated units of feed-forward layers (Shazeer 2020). */
import { sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import type { Ptr } from "../../wasm/memory.ts";
import { expectSame } from "../checks.ts";
import { type Activation, activation } from "./activation.ts";
import { multiplyElements } from "./elementwise.ts";

/** Activations that have a kernel for both steps in one walk. */
const kernels: Readonly<Partial<Record<Activation, "gelu_gate" | "silu_gate">>> = {
  gelu_new: "gelu_gate",
  silu: "silu_gate",
  swish: "silu_gate",
};

/** y = activation(gate) ∘ up: SwiGLU with "silu" (Llama), GEGLU with "gelu_new" (T5 1.1). */
export function gatedUnit(gate: Value, up: Value, name: Activation): Value {
  const kernel = kernels[name];
  if (kernel === undefined) return multiplyElements(activation(gate, name), up);
  expectSame("gate and up", gate.shape, up.shape);
  const { tape } = gate;
  const size = sizeOf(gate.shape);
  const y = tape.value(gate.shape, [gate, up]);
  const compute = (to: Ptr) => tape.kernels[`${kernel}_f32`](to, gate.ptr, up.ptr, 0, size);
  compute(y.ptr);
  tape.recomputable(y, [gate, up], compute);
  tape.record(y, [gate, up], (dy) => {
    tape.kernels[`${kernel}_f32_d`](tape.gradient(gate), tape.gradient(up), dy, gate.ptr, up.ptr, 0, size);
  });
  return y;
}
