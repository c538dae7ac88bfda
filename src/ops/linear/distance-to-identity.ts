import { ShapeError } from "../../core/errors.ts";
import { formatShape } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";

/**
 * d = ‖x − I‖ (Frobenius) of x [n, n], as [1, 1]. dx = (x − I) / d, and zero where x is I. On the host in f64: such matrices
 * are small.
 */
export function distanceToIdentity(x: Value): Value {
  const { tape } = x;
  const [n, columns] = x.shape as [number, number];
  if (n !== columns) throw new ShapeError(`expected a square matrix, found ${formatShape(x.shape)}`);
  const d = tape.value([1, 1], [x]);
  const offset = (i: number) => (i % (n + 1) === 0 ? 1 : 0);
  if (!tape.planning) {
    const sum = tape.memory.f32(x.ptr, n * n).reduce((total, value, i) => total + (value - offset(i)) ** 2, 0);
    tape.memory.f32(d.ptr, 1)[0] = Math.sqrt(sum);
  }
  tape.record(d, [x, d], (dd) => {
    const dx = tape.gradient(x);
    if (tape.planning) return;
    const [distance, slope] = [d.ptr, dd].map((ptr) => tape.memory.f32(ptr, 1)[0]!) as [number, number];
    if (distance === 0) return;
    const [values, gradient] = [tape.memory.f32(x.ptr, n * n), tape.memory.f32(dx, n * n)];
    for (let i = 0; i < n * n; i++) gradient[i]! += (slope / distance) * (values[i]! - offset(i));
  });
  return d;
}
