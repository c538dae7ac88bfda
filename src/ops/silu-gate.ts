import { sizeOf } from "../core/shape.ts";
import type { Value } from "../tape/tape.ts";
import { expectSame } from "./checks.ts";

/** y = silu(gate) ∘ up, silu(z) = z·sigmoid(z): the gated unit of Llama's feed-forward (Shazeer 2020, SwiGLU). */
export function siluGate(gate: Value, up: Value): Value {
  expectSame("gate and up", gate.shape, up.shape);
  const { tape } = gate;
  const size = sizeOf(gate.shape);
  const y = tape.value(gate.shape, [gate, up]);
  tape.kernels.silu_gate_f32(y.ptr, gate.ptr, up.ptr, 0, size);
  tape.record(y, [gate, up], (dy) => {
    tape.kernels.silu_gate_f32_d(tape.gradient(gate), tape.gradient(up), dy, gate.ptr, up.ptr, 0, size);
  });
  return y;
}
