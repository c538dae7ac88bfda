import { sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import { expectSame } from "../checks.ts";

/** GELU (Hendrycks and Gimpel 2016): "erf" is x·Φ(x), "tanh" the published approximation that GPT-2 uses. */
export type GeluForm = "tanh" | "erf";

export function gelu(x: Value, form: GeluForm): Value {
  const { tape } = x;
  const size = sizeOf(x.shape);
  const y = tape.value(x.shape, [x]);
  tape.kernels[`gelu_${form}_f32`](y.ptr, x.ptr, 0, size);
  tape.record(y, [x], (dy) => tape.kernels[`gelu_${form}_f32_dx`](tape.gradient(x), dy, x.ptr, 0, size));
  return y;
}

/** y = gelu(gate) ∘ up in the tanh form: the gated unit of T5 1.1's feed-forward (Shazeer 2020, GEGLU). */
export function geluGate(gate: Value, up: Value): Value {
  expectSame("gate and up", gate.shape, up.shape);
  const { tape } = gate;
  const size = sizeOf(gate.shape);
  const y = tape.value(gate.shape, [gate, up]);
  tape.kernels.gelu_gate_f32(y.ptr, gate.ptr, up.ptr, 0, size);
  tape.record(y, [gate, up], (dy) => {
    tape.kernels.gelu_gate_f32_d(tape.gradient(gate), tape.gradient(up), dy, gate.ptr, up.ptr, 0, size);
  });
  return y;
}
