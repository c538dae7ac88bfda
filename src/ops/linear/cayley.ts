/** Rotations from skew-symmetric blocks q [blocks·size, size], one below the other. Note that the two turn opposite ways. */
import type { Value } from "../../tape/tape.ts";
import { columnsOf, rowsOf } from "../checks.ts";
import { add } from "../pointwise/add.ts";
import { scaleBy } from "../pointwise/elementwise.ts";
import { inverseBlocks } from "./inverse.ts";
import { batchedProduct } from "./product.ts";

/** Cayley's transform R = (I − Q)·(I + Q)⁻¹ = 2·(I + Q)⁻¹ − I of each block: orthogonal. */
export function cayley(q: Value): Value {
  return plusIdentity(scaleBy(inverseBlocks(plusIdentity(q, 1)), 2), -1);
}

/**
 * The series of (I + Q)·(I − Q)⁻¹ up to a power: R = I + 2Q + 2Q² + … + 2Qᵈ⁻¹ + Qᵈ, the last with half the weight
 * unless it is the only one. Orthogonal up to the truncation error.
 */
export function cayleySeries(q: Value, degree: number): Value {
  const blocks = rowsOf(q.shape) / columnsOf(q.shape);
  if (degree < 2) return plusIdentity(scaleBy(q, 2 * degree), 1);
  let sum = q; // by Horner's rule: Q, 2Q + Q², 2Q + 2Q² + Q³, …
  for (let power = 2; power <= degree; power++) sum = add(scaleBy(q, 2), batchedProduct(q, sum, blocks));
  return plusIdentity(sum, 1);
}

/** x + s·I in each block. */
function plusIdentity(x: Value, s: number): Value {
  const { tape } = x;
  const [rows, size] = x.shape as [number, number];
  const diagonal = tape.value(x.shape);
  tape.fill(diagonal.ptr, rows * size, 0);
  if (!tape.planning) {
    const values = tape.memory.f32(diagonal.ptr, rows * size);
    for (let row = 0; row < rows; row++) values[row * size + (row % size)] = s;
  }
  return add(x, diagonal);
}
