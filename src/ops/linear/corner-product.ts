import { ShapeError } from "../../core/errors.ts";
import { formatShape } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import type { Param } from "../../tensor/tensor.ts";
import { columnsOf, rowsOf } from "../checks.ts";
import { Layout, multiply } from "./multiply.ts";

/**
 * y = x·Mᵀ [T, rows], x [T, D], with M the first `rows` rows and D columns of a larger matrix, read where it lies. The matrix gets
 * no gradient.
 */
export function cornerProduct(x: Value, matrix: Param, rows: number): Value {
  const { tape } = x;
  const [tokens, width] = [rowsOf(x.shape), columnsOf(x.shape)];
  const [height, ldb] = matrix.shape as [number, number];
  if (rows > height || width > ldb) {
    throw new ShapeError(
      `"${matrix.name}" ${formatShape(matrix.shape)} has no corner of ${formatShape([rows, width])}`,
    );
  }
  const b = { dtype: "f32", ptr: matrix.ptr } as const;
  return tape.at(matrix.ptr, () => {
    const y = tape.value([tokens, rows], [x]);
    multiply(tape, {
      ...{ c: y.ptr, a: x.ptr, b, ldb },
      ...{ rows: tokens, columns: rows, inner: width, layout: Layout.bTransposed },
    });
    tape.record(y, [], (dy) => {
      const { ptr, fresh } = tape.gradientSlot(x);
      multiply(tape, {
        ...{ c: ptr, a: dy, b, ldb },
        ...{ rows: tokens, columns: width, inner: rows, layout: fresh ? 0 : Layout.accumulate },
      });
    });
    return y;
  });
}
