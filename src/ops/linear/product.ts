/**
 * Products of two activations, where the matrix of a linear layer is itself computed, with gradients to both. With
 * C = op(A)·op(B), op the matrix or its transpose, plain: dA = dC·op(B)ᵀ, dB = op(A)ᵀ·dC; transposed: the transposes of these.
 */
import { ShapeError } from "../../core/errors.ts";
import { expectLast, formatShape, type Shape, sizeOf } from "../../core/shape.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import type { Param } from "../../tensor/tensor.ts";
import type { Ptr } from "../../wasm/memory.ts";
import { columnsOf, rowsOf } from "../checks.ts";
import { Layout, multiplyBlocks } from "./multiply.ts";

/** Which factors of a product are given transposed. */
export interface Transposes {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/**
 * A Param as a Value, whose gradient is added to that of the Param; recorded only if the Param is trainable. With `shape`, the
 * numbers from the Param's element `start` on, read as a matrix of that shape.
 */
export function lift(tape: Tape, param: Param, shape: Shape = param.shape, start = 0): Value {
  const size = sizeOf(shape);
  return tape.at(param.ptr, () => {
    const x = tape.value(shape, [param]);
    tape.copy(x.ptr, (param.ptr + start * 4) as Ptr, size * 4);
    tape.record(x, [], (dx) => {
      if (param.trainable) tape.kernels.axpy_f32(param.grad + start * 4, dx, 1, 0, size);
    });
    return x;
  });
}

/** op(a)·op(b) [m, n]: a [m, k], or [k, m] transposed; b [k, n], or [n, k] transposed. */
export function product(a: Value, b: Value, transposes: Transposes = {}): Value {
  return productOf(a, b, 1, transposes);
}

/** The same of each of `blocks` matrices that a and b hold one below the other: [blocks·m, n]. */
export function batchedProduct(a: Value, b: Value, blocks: number, transposes: Transposes = {}): Value {
  for (const { shape } of [a, b]) {
    if (shape[0]! % blocks === 0) continue;
    throw new ShapeError(`the rows of ${formatShape(shape)} are not a multiple of ${blocks} stacked matrices`);
  }
  return productOf(a, b, blocks, transposes);
}

function productOf(a: Value, b: Value, blocks: number, { transposeA = false, transposeB = false }: Transposes): Value {
  const { tape } = a;
  const [rowsA, columnsA] = [rowsOf(a.shape) / blocks, columnsOf(a.shape)];
  const [rowsB, columnsB] = [rowsOf(b.shape) / blocks, columnsOf(b.shape)];
  const [m, k] = transposeA ? [columnsA, rowsA] : [rowsA, columnsA];
  const [inner, n] = transposeB ? [columnsB, rowsB] : [rowsB, columnsB];
  if (k !== inner) {
    const shapes = `${formatShape(a.shape)}${transposeA ? "ᵀ" : ""} and ${formatShape(b.shape)}${transposeB ? "ᵀ" : ""}`;
    throw new ShapeError(`the factors ${shapes} of a product do not fit: ${k} columns meet ${inner} rows`);
  }
  const c = tape.value([blocks * m, n], [a, b]);
  const run = (to: Ptr, x: Operand, y: Operand, sizes: readonly [number, number, number], add: number) => {
    const [rows, columns, inner] = sizes;
    const layout = add | (x.transposed ? Layout.aTransposed : 0) | (y.transposed ? Layout.bTransposed : 0);
    multiplyBlocks(tape, { c: to, a: x.ptr, b: y.ptr, rows, columns, inner, layout, blocks });
  };
  run(c.ptr, operand(a.ptr, transposeA), operand(b.ptr, transposeB), [m, n, k], 0);
  tape.record(c, [...(a.needsGrad ? [b] : []), ...(b.needsGrad ? [a] : [])], (dc) => {
    const [left, right] = [operand(a.ptr, transposeA), operand(b.ptr, transposeB)];
    const slope = operand(dc, false);
    if (a.needsGrad) {
      const { ptr, fresh } = tape.gradientSlot(a);
      const add = fresh ? 0 : Layout.accumulate;
      if (transposeA) run(ptr, right, turned(slope), [k, m, n], add);
      else run(ptr, slope, turned(right), [m, k, n], add);
    }
    if (b.needsGrad) {
      const { ptr, fresh } = tape.gradientSlot(b);
      const add = fresh ? 0 : Layout.accumulate;
      if (transposeB) run(ptr, turned(slope), left, [n, k, m], add);
      else run(ptr, turned(left), slope, [k, n, m], add);
    }
  });
  return c;
}

/** A matrix as it is stored, and whether its transpose is meant. */
interface Operand {
  readonly ptr: Ptr;
  readonly transposed: boolean;
}

const operand = (ptr: Ptr, transposed: boolean): Operand => ({ ptr, transposed });
const turned = ({ ptr, transposed }: Operand): Operand => ({ ptr, transposed: !transposed });

/**
 * x [T, D] times a block-diagonal matrix: columns i·size to (i + 1)·size of the result are those of x times block i.
 * `blocks` [D, size] holds the square blocks stacked vertically, or [size, size] for one shared block.
 */
export function blockRotate(x: Value, blocks: Value): Value {
  const { tape } = x;
  const [rows, width] = x.shape as [number, number];
  const [held, size] = blocks.shape as [number, number];
  const shared = held === size && width !== size;
  if (!shared) expectLast("input of a block-diagonal matrix", x.shape, held, "the rows of its blocks");
  if (width % size !== 0) throw new ShapeError(`${width} columns are not a multiple of blocks of ${size}`);
  const count = width / size;
  const y = tape.value(x.shape, [x, blocks]);
  const [beside, below] = [
    { step: size, ld: width },
    { step: shared ? 0 : size * size, ld: size },
  ];
  const common = { blocks: count, rows, columns: size, inner: size, strides: { c: beside, a: beside, b: below } };
  multiplyBlocks(tape, { c: y.ptr, a: x.ptr, b: blocks.ptr, layout: 0, ...common });
  tape.record(y, [...(x.needsGrad ? [blocks] : []), ...(blocks.needsGrad ? [x] : [])], (dy) => {
    if (x.needsGrad) {
      const { ptr, fresh } = tape.gradientSlot(x);
      const layout = Layout.bTransposed | (fresh ? 0 : Layout.accumulate);
      multiplyBlocks(tape, { c: ptr, a: dy, b: blocks.ptr, layout, ...common });
    }
    if (!blocks.needsGrad) return;
    multiplyBlocks(tape, {
      ...{ c: tape.gradient(blocks), a: x.ptr, b: dy, rows: size, columns: size, inner: rows, blocks: count },
      ...{ layout: Layout.aTransposed | Layout.accumulate, strides: { c: below, a: beside, b: beside } },
    });
  });
  return y;
}
