/** Elementary functions of every element, on the host in f64: for losses, whose tensors are small. */
import { sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";

/** y = eˣ. */
export const exp = (x: Value): Value => elementary(x, { of: Math.exp, slope: (_, y) => y });

/** y = ln x. */
export const log = (x: Value): Value => elementary(x, { of: Math.log, slope: (v) => 1 / v });

/** y = √x. */
export const sqrt = (x: Value): Value => elementary(x, { of: Math.sqrt, slope: (_, y) => 0.5 / y });

/** y = |x|, with a slope of 0 at 0. */
export const abs = (x: Value): Value => elementary(x, { of: Math.abs, slope: (v) => Math.sign(v) });

/** y = ln(1 / (1 + e⁻ˣ)), finite for every x: the loss of a preference is −logSigmoid of its margin. */
export const logSigmoid = (x: Value): Value =>
  elementary(x, {
    of: (v) => Math.min(v, 0) - Math.log1p(Math.exp(-Math.abs(v))),
    slope: (v) => 1 / (1 + Math.exp(v)),
  });

/** y = x, but at least `least` and at most `most`; no gradient passes where x lies outside. */
export const clamp = (x: Value, least: number, most: number): Value =>
  elementary(x, {
    of: (v) => Math.min(Math.max(v, least), most),
    slope: (v) => Number(v >= least && v <= most),
  });

/** A function of one number, and its derivative from the argument and the result. */
interface Elementary {
  readonly of: (x: number) => number;
  readonly slope: (x: number, y: number) => number;
}

function elementary(x: Value, { of, slope }: Elementary): Value {
  const { tape } = x;
  const size = sizeOf(x.shape);
  const y = tape.value(x.shape, [x]);
  if (!tape.planning) {
    const [from, to] = [tape.memory.f32(x.ptr, size), tape.memory.f32(y.ptr, size)];
    for (let i = 0; i < size; i++) to[i] = of(from[i]!);
  }
  tape.record(y, [x, y], (dy) => {
    const dx = tape.gradient(x);
    if (tape.planning) return;
    const [values, results, slopes, gradient] = [x.ptr, y.ptr, dy, dx].map((ptr) => tape.memory.f32(ptr, size)) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    for (let i = 0; i < size; i++) gradient[i]! += slopes[i]! * slope(values[i]!, results[i]!);
  });
  return y;
}
