import { sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import { expectSame } from "../checks.ts";

/** y = a + b, same shapes. Keeps nothing for the backward pass. */
export function add(a: Value, b: Value): Value {
  expectSame("the terms of a sum", a.shape, b.shape);
  const { tape } = a;
  const y = tape.value(a.shape, [a, b]);
  tape.kernels.add_f32(y.ptr, a.ptr, b.ptr, 0, sizeOf(a.shape));
  tape.record(y, [], (dy) => {
    if (a.needsGrad) tape.addGradient(a, dy);
    if (b.needsGrad) tape.addGradient(b, dy);
  });
  return y;
}
