import { expectLast } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import { isTrained, type Weight } from "../../tensor/tensor.ts";
import type { Ptr } from "../../wasm/memory.ts";

/**
 * y = x / √(mean(x²) + eps) · w over rows of `width` (Zhang and Sennrich 2019). x's last axis may be a multiple of w's
 * length: then each piece is normed on its own, as queries and keys are per head in Qwen3.
 */
export function rmsNorm(x: Value, weight: Weight, eps: number): Value {
  return x.tape.at(weight.ptr, () => normed(x, weight, eps));
}

function normed(x: Value, weight: Weight, eps: number): Value {
  const { tape } = x;
  const width = weight.shape[0]!;
  if (x.shape[1]! % width !== 0)
    expectLast(`input of "${weight.name}"`, x.shape, width, `the length of "${weight.name}"`);
  const rows = (x.shape[0]! * x.shape[1]!) / width;
  const y = tape.value(x.shape, [x, weight.kind === "param" ? weight : null]);
  const inv = tape.value([rows, 1]);
  const compute = (to: Ptr) => tape.kernels.rms_norm_f32(to, inv.ptr, x.ptr, weight.ptr, width, eps, 0, rows);
  compute(y.ptr);
  tape.recomputable(y, [x], compute);
  tape.record(y, [x, inv], (dy) => {
    if (x.needsGrad) tape.kernels.rms_norm_f32_dx(tape.gradient(x), dy, x.ptr, weight.ptr, inv.ptr, width, 0, rows);
    if (isTrained(weight)) tape.kernels.rms_norm_f32_dw(weight.grad, dy, x.ptr, inv.ptr, rows, width, 0, width);
  });
  return y;
}
