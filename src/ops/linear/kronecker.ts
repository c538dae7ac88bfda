import { ShapeError } from "../../core/errors.ts";
import { expectLast, formatShape } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import { columnsOf, rowsOf } from "../checks.ts";
import { reshape } from "../layout/reshape.ts";
import { Layout, multiplyBlocks } from "./multiply.ts";
import { product } from "./product.ts";

/**
 * y = x·(A ⊗ B)ᵀ [T, l·k], with A [l, m] and B [k, n] the product of `factors`, without the Kronecker product: each row of
 * x [T, m·n], read as a matrix X [m, n], becomes A·X·Bᵀ.
 */
export function kronecker(x: Value, a: Value, factors: readonly Value[]): Value {
  const [l, m] = a.shape as [number, number];
  const tokens = rowsOf(x.shape);
  const [k, n] = [rowsOf(factors[0]!.shape), columnsOf(factors.at(-1)!.shape)];
  expectLast("input of a Kronecker product", x.shape, m * n, "the columns of its factors multiplied");
  const right = factors.reduceRight(
    (rows, factor) => product(rows, factor, { transposeB: true }),
    reshape(x, [tokens * m, n]),
  );
  return reshape(multiplyEach(a, right, tokens), [tokens, l * k]);
}

/** a·xᵢ for each of `blocks` matrices that x [blocks·m, k] holds one below the other: [blocks·l, k], with a [l, m]. */
export function multiplyEach(a: Value, x: Value, blocks: number): Value {
  const { tape } = a;
  const [l, m] = a.shape as [number, number];
  const k = columnsOf(x.shape);
  if (rowsOf(x.shape) !== blocks * m) {
    throw new ShapeError(`${formatShape(x.shape)} does not hold ${blocks} matrices of ${m} rows one below the other`);
  }
  const y = tape.value([blocks * l, k], [a, x]);
  const [one, above, below] = [
    { step: 0, ld: m },
    { step: l * k, ld: k },
    { step: m * k, ld: k },
  ];
  multiplyBlocks(tape, {
    ...{ c: y.ptr, a: a.ptr, b: x.ptr, rows: l, columns: k, inner: m, layout: 0, blocks },
    strides: { c: above, a: one, b: below },
  });
  tape.record(y, [...(a.needsGrad ? [x] : []), ...(x.needsGrad ? [a] : [])], (dy) => {
    if (x.needsGrad) {
      const { ptr, fresh } = tape.gradientSlot(x);
      multiplyBlocks(tape, {
        ...{ c: ptr, a: a.ptr, b: dy, rows: m, columns: k, inner: l, blocks },
        layout: Layout.aTransposed | (fresh ? 0 : Layout.accumulate),
        strides: { c: below, a: one, b: above },
      });
    }
    if (!a.needsGrad) return;
    multiplyBlocks(tape, {
      ...{ c: tape.gradient(a), a: dy, b: x.ptr, rows: l, columns: m, inner: k, blocks },
      layout: Layout.bTransposed | Layout.accumulate,
      strides: { c: one, a: above, b: below },
    });
  });
  return y;
}
