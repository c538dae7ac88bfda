/** Small square blocks and their arithmetic in f64. */
import type { Param } from "../../src/tensor/tensor.ts";
import type { Gym } from "./gradients.ts";

export const SIZE = 4;
export type Square = readonly number[];
export const multiplied = (a: Square, b: Square): Square =>
  a.map((_, e) => {
    const [i, j] = [Math.floor(e / SIZE), e % SIZE];
    let sum = 0;
    for (let k = 0; k < SIZE; k++) sum += a[i * SIZE + k]! * b[k * SIZE + j]!;
    return sum;
  });
export const identity: Square = Array.from({ length: SIZE * SIZE }, (_, e) => (e % (SIZE + 1) === 0 ? 1 : 0));
export const sum = (a: Square, b: Square, scale: number): Square => a.map((x, e) => x + scale * b[e]!);
export const blocksOf = (values: ArrayLike<number>): Square[] =>
  Array.from({ length: values.length / SIZE ** 2 }, (_, b) =>
    Array.from(values).slice(b * SIZE ** 2, (b + 1) * SIZE ** 2),
  );

/** Two triangles whose skew-symmetric blocks are of norm below 1, so that series converge. */
export function triangles(gym: Gym): Param {
  const upper = gym.param("upper", [2, (SIZE * (SIZE - 1)) / 2]);
  upper.values().set(upper.values().map((x) => 0.3 * x));
  return upper;
}
