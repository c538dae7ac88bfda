import type { Reference } from "../kernels/bed.ts";

/** x∘cos + rotateHalf(x)∘sin on the first rotaryDim values of each head, in f64; direction −1 turns back. */
export function rotary(
  x: ArrayLike<number>,
  positions: ArrayLike<number>,
  cos: ArrayLike<number>,
  sin: ArrayLike<number>,
  { heads, headDim, rotaryDim, direction }: { heads: number; headDim: number; rotaryDim: number; direction: number },
): Reference {
  const half = rotaryDim / 2;
  const values = Array.from(x);
  const magnitudes = Array.from(x, Math.abs);
  for (let at = 0; at < x.length; at++) {
    const c = at % headDim;
    if (c >= rotaryDim) continue;
    const row = Math.floor(at / (heads * headDim));
    const angle = positions[row]! * half + (c % half);
    const rotated = c < half ? -x[at + half]! : x[at - half]!;
    const kept = x[at]! * cos[angle]!;
    const turned = direction * rotated * sin[angle]!;
    values[at] = kept + turned;
    magnitudes[at] = Math.abs(kept) + Math.abs(turned);
  }
  return { values, magnitudes };
}
