/**
 * Losses of each number on its own, for heads that score labels or values. Computed on the host in f64: such heads are
 * small. Gradients may differ from loss to loss.
 */
import { ShapeError } from "../../core/errors.ts";
import { formatShape, sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";

/** The loss of one number x against its target t, and its derivative. */
interface Criterion {
  readonly loss: (x: number, t: number) => number;
  readonly slope: (x: number, t: number) => number;
}

/**
 * −t·ln σ(x) − (1 − t)·ln(1 − σ(x)) of logits [R, C] against `targets` (R·C numbers from 0 to 1), as losses [R·C, 1]. In
 * PyTorch BCEWithLogitsLoss with reduction "none".
 */
export function binaryCrossEntropy(logits: Value, targets: Float32Array): Value {
  return perElement(logits, targets, {
    loss: (x, t) => Math.max(x, 0) - x * t + Math.log1p(Math.exp(-Math.abs(x))),
    slope: (x, t) => 1 / (1 + Math.exp(-x)) - t,
  });
}

/** (x − t)² of x [R, C] against `targets` (R·C numbers), as losses [R·C, 1]. */
export function squaredError(x: Value, targets: Float32Array): Value {
  return perElement(x, targets, { loss: (v, t) => (v - t) ** 2, slope: (v, t) => 2 * (v - t) });
}

function perElement(x: Value, targets: Float32Array, { loss, slope }: Criterion): Value {
  const { tape } = x;
  const size = sizeOf(x.shape);
  if (targets.length !== size) {
    throw new ShapeError(`predictions ${formatShape(x.shape)} need ${size} targets, found ${targets.length}`);
  }
  const y = tape.value([size, 1], [x]);
  if (!tape.planning) {
    const values = tape.memory.f32(x.ptr, size);
    const losses = tape.memory.f32(y.ptr, size);
    for (let i = 0; i < size; i++) losses[i] = loss(values[i]!, targets[i]!);
  }
  tape.record(y, [x], (dy) => {
    const dx = tape.gradient(x);
    if (tape.planning) return;
    const [values, slopes, gradient] = [x.ptr, dy, dx].map((ptr) => tape.memory.f32(ptr, size)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    for (let i = 0; i < size; i++) gradient[i]! += slopes[i]! * slope(values[i]!, targets[i]!);
  });
  return y;
}
