import { sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import { expectSame } from "../checks.ts";

/** y = a∘b, same shapes. */
export function multiplyElements(a: Value, b: Value): Value {
  expectSame("the factors of a product by elements", a.shape, b.shape);
  const { tape } = a;
  const size = sizeOf(a.shape);
  const y = tape.value(a.shape, [a, b]);
  tape.kernels.mul_f32(y.ptr, a.ptr, b.ptr, 0, size);
  tape.record(y, [...(a.needsGrad ? [b] : []), ...(b.needsGrad ? [a] : [])], (dy) => {
    if (a.needsGrad) tape.kernels.mul_f32_da(tape.gradient(a), dy, b.ptr, 0, size);
    if (b.needsGrad) tape.kernels.mul_f32_da(tape.gradient(b), dy, a.ptr, 0, size);
  });
  return y;
}

/** y = s·x. Keeps nothing for the backward pass. */
export function scaleBy(x: Value, s: number): Value {
  const { tape } = x;
  const size = sizeOf(x.shape);
  const y = tape.value(x.shape, [x]);
  tape.copy(y.ptr, x.ptr, size * 4);
  tape.kernels.scale_f32(y.ptr, s, 0, size);
  tape.record(y, [], (dy) => tape.kernels.axpy_f32(tape.gradient(x), dy, s, 0, size));
  return y;
}
