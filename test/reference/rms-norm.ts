import type { Reference } from "../kernels/bed.ts";

/** 1 / √(mean(x²) + eps) of each row of x [rows, width], in f64. */
export function inverseRms(x: ArrayLike<number>, width: number, eps: number): Reference {
  const values = Array.from({ length: x.length / width }, (_, i) => {
    let sum = 0;
    for (let c = 0; c < width; c++) sum += x[i * width + c]! ** 2;
    return 1 / Math.sqrt(sum / width + eps);
  });
  return { values, magnitudes: values };
}

/** x·inv·w in f64. */
export function rmsNorm(x: ArrayLike<number>, w: ArrayLike<number>, eps: number): Reference {
  const inv = inverseRms(x, w.length, eps).values;
  const values = Array.from(x, (v, e) => v * inv[Math.floor(e / w.length)]! * w[e % w.length]!);
  return { values, magnitudes: values.map(Math.abs) };
}

/** The gradient of `rmsNorm` with respect to x, added to `before`. */
export function rmsNormDx(
  before: ArrayLike<number>,
  dy: ArrayLike<number>,
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  eps: number,
): Reference {
  const width = w.length;
  const inv = inverseRms(x, width, eps).values;
  const values = Array.from(before);
  const magnitudes = values.map(Math.abs);
  for (let i = 0; i < inv.length; i++) {
    const f = inv[i]!;
    let sum = 0;
    let size = 0;
    for (let c = 0; c < width; c++) {
      const term = w[c]! * dy[i * width + c]! * x[i * width + c]!;
      sum += term;
      size += Math.abs(term);
    }
    for (let c = 0; c < width; c++) {
      const e = i * width + c;
      values[e]! += f * w[c]! * dy[e]! - (f ** 3 * x[e]! * sum) / width;
      magnitudes[e]! += Math.abs(f * w[c]! * dy[e]!) + (f ** 3 * Math.abs(x[e]!) * size) / width;
    }
  }
  return { values, magnitudes };
}

/** The gradient of `rmsNorm` with respect to w, added to `before` [width]. */
export function rmsNormDw(
  before: ArrayLike<number>,
  dy: ArrayLike<number>,
  x: ArrayLike<number>,
  eps: number,
): Reference {
  const width = before.length;
  const inv = inverseRms(x, width, eps).values;
  const values = Array.from(before);
  const magnitudes = values.map(Math.abs);
  for (let e = 0; e < x.length; e++) {
    const term = dy[e]! * x[e]! * inv[Math.floor(e / width)]!;
    values[e % width]! += term;
    magnitudes[e % width]! += Math.abs(term);
  }
  return { values, magnitudes };
}
