/** The call of the matmul kernels: which dtype, which path, and the working memory of the panels. */
import type { Tape } from "../tape/tape.ts";
import type { FrozenDtype } from "../tensor/tensor.ts";
import type { Ptr } from "../wasm/memory.ts";

/** Bits of the kernels' `layout` argument. They mirror assembly/linear/layout.ts; a test holds them together. */
export const Layout = { bTransposed: 1, lowTransposed: 2, aTransposed: 4, accumulate: 8 } as const;

/** Up to this many rows, reading the weight once beats filling panels (measured, see docs/decisions.md). */
export const FEW_ROWS = 4;

export interface Product {
  /** c [rows, columns] (+)= bias + a·b + scale·low.a·low.b */
  c: Ptr;
  a: Ptr;
  b: { dtype: FrozenDtype; ptr: Ptr };
  rows: number;
  columns: number;
  inner: number;
  layout: number;
  bias?: Ptr | undefined;
  low?: { a: Ptr; b: Ptr; r: number; ldb: number; scale: number; layout: number } | undefined;
  /** Row strides in elements where they are not the row's own length. */
  lda?: number;
  ldb?: number;
  ldc?: number;
}

/** Computes one product by the path that suits its number of rows. */
export function multiply(tape: Tape, p: Product): void {
  const { kernels } = tape;
  const { c, a, b, rows, columns, inner, low } = p;
  const layout = p.layout | (low?.layout ?? 0);
  const lda = p.lda ?? (layout & Layout.aTransposed ? rows : inner);
  const ldb = p.ldb ?? (layout & Layout.bTransposed ? inner : columns);
  const ldc = p.ldc ?? columns;
  tape.flops += 2 * rows * columns * (inner + (low?.r ?? 0));
  const lowArgs = [low?.a ?? 0, low?.b ?? 0, low?.r ?? 0, low?.r ?? 0, low?.ldb ?? 0, low?.scale ?? 0] as const;
  if (rows <= FEW_ROWS && !(layout & Layout.aTransposed)) {
    const matvec = kernels[`matvec_${b.dtype}`];
    matvec(c, a, b.ptr, rows, columns, inner, lda, ldb, ldc, layout, p.bias ?? 0, ...lowArgs, 0, columns);
    return;
  }
  const matmul = kernels[`matmul_${b.dtype}`];
  const workspace = tape.alloc(kernels.matmul_workspace());
  matmul(
    c,
    a,
    b.ptr,
    rows,
    columns,
    inner,
    lda,
    ldb,
    ldc,
    layout,
    p.bias ?? 0,
    ...lowArgs,
    workspace,
    0,
    rows,
    0,
    columns,
  );
  tape.free(workspace);
}

/** Where a matrix of many lies: elements from one matrix to the next, and from one stored row to the next. */
export interface Place {
  readonly step: number;
  readonly ld: number;
}

export interface ProductBlocks extends Pick<Product, "c" | "a" | "rows" | "columns" | "inner" | "layout"> {
  b: Ptr;
  blocks: number;
  /** Where they are not stacked one below the other without gaps. */
  places?: { readonly c: Place; readonly a: Place; readonly b: Place };
}

/** Many products of one size in f32; a stacked one alone takes the path of every other product. */
export function multiplyBlocks(tape: Tape, p: ProductBlocks): void {
  const { c, a, b, rows, columns, inner, layout, blocks } = p;
  if (blocks === 1 && !p.places) {
    multiply(tape, { c, a, b: { dtype: "f32", ptr: b }, rows, columns, inner, layout });
    return;
  }
  const places = p.places ?? {
    c: { step: rows * columns, ld: columns },
    a: { step: rows * inner, ld: layout & Layout.aTransposed ? rows : inner },
    b: { step: inner * columns, ld: layout & Layout.bTransposed ? inner : columns },
  };
  tape.flops += 2 * blocks * rows * columns * inner;
  const workspace = tape.alloc(tape.kernels.matmul_workspace());
  const operands = [c, a, b, places.c.step, places.a.step, places.b.step] as const;
  const sizes = [rows, columns, inner, places.a.ld, places.b.ld, places.c.ld] as const;
  tape.kernels.batched_matmul_f32(...operands, ...sizes, layout, workspace, 0, blocks);
  tape.free(workspace);
}
