/** The call of the matmul kernels: which dtype, which path, and the working memory of the panels. */
import type { Tape } from "../tape/tape.ts";
import { bytesPerElement, type DenseDtype, type Int8, type Nf4, type Weight } from "../tensor/tensor.ts";
import type { Ptr } from "../wasm/memory.ts";

/** Bits of the kernels' `layout` argument. They mirror assembly/linear/layout.ts; a test holds them together. */
export const Layout = { bTransposed: 1, lowTransposed: 2, aTransposed: 4, accumulate: 8, fewLoads: 16 } as const;

/** Up to this many rows, reading the weight once beats filling panels (measured, see docs/decisions.md). */
export const FEW_ROWS = 4;

/** The right factor: a weight, or some of its rows. */
export type Operand =
  | { readonly dtype: DenseDtype; readonly ptr: Ptr }
  | Pick<Int8, "dtype" | "ptr" | "scales" | "perColumn">
  | (Pick<Nf4, "dtype" | "ptr"> & {
      /** Number of its first element in the tensor at `ptr`; 0 by default. */ readonly first?: number;
    });

/** The rows of a matrix [V, D] from `first` on. */
export function rowsFrom(weight: Weight, first: number): Operand {
  const { ptr } = weight;
  const skipped = first * weight.shape.at(-1)!;
  if (weight.dtype === "nf4") return { dtype: "nf4", ptr, first: skipped };
  if (weight.dtype !== "int8")
    return { dtype: weight.dtype, ptr: (ptr + skipped * bytesPerElement[weight.dtype]) as Ptr };
  const { scales, perColumn } = weight;
  return {
    ...{ dtype: "int8", ptr: (ptr + skipped) as Ptr, perColumn },
    scales: perColumn ? scales : ((scales + first * 4) as Ptr),
  };
}

export interface Product {
  /** c [rows, columns] (+)= bias + a·b + scale·low.a·low.b */
  c: Ptr;
  a: Ptr;
  b: Operand;
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

/** Computes one product by the path that suits the dtype of b and the number of rows. */
export function multiply(tape: Tape, p: Product): void {
  const { b } = p;
  if (b.dtype === "int8") multiplyInt8(tape, p, b);
  else if (b.dtype === "nf4") multiplyNf4(tape, p, b);
  else multiplyDense(tape, p, b);
}

/** c += scale·low.a·low.b, and nothing else. */
function addLow(tape: Tape, { c, rows, columns, ldc, low }: Product): void {
  if (low === undefined) return;
  const b = { dtype: "f32", ptr: c } as const;
  const ld = ldc === undefined ? {} : { ldc };
  multiplyDense(tape, { c, a: c, b, rows, columns, inner: 0, layout: Layout.accumulate, low, ...ld }, b);
}

/** Quantised to this many steps each way, the most that the kernels' sums hold: see assembly/linear/int8-sum.ts. */
const STEPS = 16384;

/**
 * Integer products: the rows of a are quantised to 15 bits, with the weight's scales among them where those lie along the
 * inner dimension. A low-rank part is added in f32.
 */
function multiplyInt8(tape: Tape, p: Product, b: Operand & { dtype: "int8" }): void {
  const { kernels } = tape;
  const { c, a, rows, columns, inner, layout } = p;
  const lda = p.lda ?? inner;
  const ldb = p.ldb ?? (layout & Layout.bTransposed ? inner : columns);
  const ldc = p.ldc ?? columns;
  tape.flops += 2 * rows * columns * inner;
  const ldq = inner + (inner & 1);
  const q = tape.alloc(rows * ldq * 2);
  const scalesA = tape.alloc(rows * 4);
  const alongColumns = ((layout & Layout.bTransposed) !== 0) !== b.perColumn;
  kernels.quantize_rows_i16(q, scalesA, a, alongColumns ? 0 : b.scales, inner, lda, ldq, STEPS, 0, rows);
  const scalesB = alongColumns ? b.scales : 0;
  const few = rows <= FEW_ROWS;
  const workspace = tape.alloc(few ? kernels.matvec_int8_workspace() : kernels.matmul_int8_workspace());
  const args = [
    c,
    q,
    scalesA,
    b.ptr,
    scalesB,
    rows,
    columns,
    inner,
    ldq,
    ldb,
    ldc,
    layout,
    p.bias ?? 0,
    workspace,
  ] as const;
  if (few) kernels.matvec_int8(...args, 0, columns);
  else kernels.matmul_int8(...args, 0, rows, 0, columns);
  for (const ptr of [q, scalesA, workspace]) tape.free(ptr);
  addLow(tape, p);
}

/** Elements of a strip of b that exists in f32 at a time: 1 MB, which the second-level cache holds. */
const STRIP = 1 << 18;

/** Strips of whole stored rows of b are widened to f32, one after the other. */
function multiplyNf4(tape: Tape, p: Product, { ptr, first = 0 }: Operand & { dtype: "nf4" }): void {
  const { kernels } = tape;
  const { c, a, rows, columns, inner, layout } = p;
  const across = (layout & Layout.bTransposed) !== 0; // stored rows are columns of c
  const [count, width] = across ? [columns, inner] : [inner, columns];
  const ldc = p.ldc ?? columns;
  if (across && rows <= FEW_ROWS && width % 64 === 0 && p.lda === undefined) {
    tape.flops += 2 * rows * columns * inner;
    const accumulate = Number((layout & Layout.accumulate) !== 0);
    kernels.matvec_nf4(c, a, ptr, first, rows, columns, inner, ldc, accumulate, p.bias ?? 0, 0, columns);
    addLow(tape, p);
    return;
  }
  const most = Math.min(count, Math.max(16, Math.floor(STRIP / width)));
  const strip = tape.alloc(most * width * 4);
  const b = { dtype: "f32", ptr: strip } as const;
  const lda = p.lda ?? inner;
  for (let start = 0; start < count; start += most) {
    const some = Math.min(most, count - start);
    const from = first + start * width;
    kernels.dequantize_nf4((strip - from * 4) as Ptr, ptr, from, from + some * width);
    const skipped = start * 4;
    const piece = across
      ? { c: (c + skipped) as Ptr, a, columns: some, inner, layout, ...(p.bias && { bias: (p.bias + skipped) as Ptr }) }
      : {
          c,
          a: (a + skipped) as Ptr,
          columns,
          inner: some,
          ...(start === 0 ? { bias: p.bias, layout } : { layout: layout | Layout.accumulate }),
        };
    multiplyDense(tape, { ...piece, b, rows, lda, ldc }, b);
  }
  tape.free(strip);
  addLow(tape, p);
}

function multiplyDense(tape: Tape, p: Product, b: Operand & { dtype: DenseDtype }): void {
  const { kernels } = tape;
  const { c, a, rows, columns, inner, low } = p;
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
  const loads = tape.fewLoads ? Layout.fewLoads : 0;
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
    layout | loads,
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
  const loads = tape.fewLoads ? Layout.fewLoads : 0;
  tape.kernels.batched_matmul_f32(...operands, ...sizes, layout | loads, workspace, 0, blocks);
  tape.free(workspace);
}
