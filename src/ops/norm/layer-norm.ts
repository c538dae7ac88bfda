import { expectLast } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import { isTrained, type Weight } from "../../tensor/tensor.ts";
import type { Ptr } from "../../wasm/memory.ts";

/** y = (x − mean) / √(var + eps) · w + b over each row of x [T, D] (Ba, Kiros and Hinton 2016). */
export function layerNorm(x: Value, weight: Weight, bias: Weight, eps: number): Value {
  return x.tape.at(weight.ptr, () => normed(x, weight, bias, eps));
}

function normed(x: Value, weight: Weight, bias: Weight, eps: number): Value {
  const { tape } = x;
  const [rows, width] = x.shape as [number, number];
  expectLast(`input of "${weight.name}"`, x.shape, weight.shape[0]!, `the length of "${weight.name}"`);
  const trained = [weight, bias].map((w) => (w.kind === "param" ? w : null));
  const y = tape.value(x.shape, [x, ...trained]);
  const mean = tape.value([rows, 1]);
  const inv = tape.value([rows, 1]);
  const compute = (to: Ptr) =>
    tape.kernels.layer_norm_f32(to, mean.ptr, inv.ptr, x.ptr, weight.ptr, bias.ptr, width, eps, 0, rows);
  compute(y.ptr);
  tape.recomputable(y, [x], compute);
  tape.record(y, [x, mean, inv], (dy) => {
    const { kernels } = tape;
    if (x.needsGrad)
      kernels.layer_norm_f32_dx(tape.gradient(x), dy, x.ptr, weight.ptr, mean.ptr, inv.ptr, width, 0, rows);
    const dw = isTrained(weight) ? weight.grad : 0;
    const db = isTrained(bias) ? bias.grad : 0;
    if (dw || db) kernels.layer_norm_f32_dw(dw, db, dy, x.ptr, mean.ptr, inv.ptr, rows, width, 0, width);
  });
  return y;
}
