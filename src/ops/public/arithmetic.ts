/** Sums, differences, products and quotients whose operands may be numbers, or have one row or column that is repeated. */
import { ShapeError } from "../../core/errors.ts";
import { sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import { constant } from "../constant.ts";
import { broadcast, commonShape } from "../layout/broadcast.ts";
import { add as addElements } from "../pointwise/add.ts";
import { multiplyElements, scaleBy } from "../pointwise/elementwise.ts";

/** a + b by elements. An operand may be a number, or have one row or one column, which is repeated: [T, 1] + [1, N] is [T, N]. */
export function add(a: Value | number, b: Value | number): Value {
  return addElements(...matched("add", a, b));
}

/** a − b by elements; operands as in `add`. */
export function sub(a: Value | number, b: Value | number): Value {
  const [x, y] = matched("sub", a, b);
  return addElements(x, scaleBy(y, -1));
}

/** a·b by elements; operands as in `add`. `matmul` is the product of matrices. */
export function mul(a: Value | number, b: Value | number): Value {
  if (typeof a === "number" && typeof b !== "number") return scaleBy(b, a);
  if (typeof b === "number" && typeof a !== "number") return scaleBy(a, b);
  return multiplyElements(...matched("mul", a, b));
}

/** a / b by elements; operands as in `add`. On the host in f64. */
export function div(a: Value | number, b: Value | number): Value {
  const [x, y] = matched("div", a, b);
  const { tape } = x;
  const size = sizeOf(x.shape);
  const q = tape.value(x.shape, [x, y]);
  if (!tape.planning) {
    const [above, below, to] = [x.ptr, y.ptr, q.ptr].map((ptr) => tape.memory.f32(ptr, size)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    for (let i = 0; i < size; i++) to[i] = above[i]! / below[i]!;
  }
  tape.record(q, [y, ...(y.needsGrad ? [q] : [])], (dq) => {
    const [dx, dy] = [x, y].map((operand) => (operand.needsGrad ? tape.gradient(operand) : null));
    if (tape.planning) return;
    const [slopes, below] = [dq, y.ptr].map((ptr) => tape.memory.f32(ptr, size)) as [Float32Array, Float32Array];
    if (dx !== null) {
      const gradient = tape.memory.f32(dx!, size);
      for (let i = 0; i < size; i++) gradient[i]! += slopes[i]! / below[i]!;
    }
    if (dy !== null) {
      const [gradient, results] = [dy!, q.ptr].map((ptr) => tape.memory.f32(ptr, size)) as [Float32Array, Float32Array];
      for (let i = 0; i < size; i++) gradient[i]! -= (slopes[i]! * results[i]!) / below[i]!;
    }
  });
  return q;
}

/** Both operands in their common shape. */
function matched(name: string, a: Value | number, b: Value | number): [Value, Value] {
  const tape = typeof a === "number" ? (typeof b === "number" ? null : b.tape) : a.tape;
  if (tape === null) throw new ShapeError(`${name}: both operands are numbers, expected at least one Value`);
  const [x, y] = [a, b].map((operand) => (typeof operand === "number" ? null : operand));
  const shape = x && y ? commonShape(name, x.shape, y.shape) : (x ?? y)!.shape;
  const filled = (value: number) => constant(tape, new Float32Array(sizeOf(shape)).fill(value), shape);
  return [
    typeof a === "number" ? filled(a) : broadcast(a, shape),
    typeof b === "number" ? filled(b) : broadcast(b, shape),
  ];
}
