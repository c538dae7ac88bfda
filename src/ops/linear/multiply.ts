/** The call of the matmul kernels: which dtype, which path, and the working memory of the panels. */
import type { Tape } from "../../tape/tape.ts";
import { bytesPerElement, type DenseDtype, type Int8, type Nf4, type Weight } from "../../tensor/tensor.ts";
import {
  INT8_STEPS,
  LAYOUT_A_KM,
  LAYOUT_ACCUMULATE,
  LAYOUT_B_NK,
  LAYOUT_B2_NK,
  LAYOUT_FEW_LOADS,
  NF4_BLOCK,
  NF4_STEPS,
} from "../../wasm/generated/constants.ts";
import type { Ptr } from "../../wasm/memory.ts";

/** Bits of the kernels' `layout` argument: see assembly/linear/layout.ts. */
export const Layout = {
  bTransposed: LAYOUT_B_NK,
  lowTransposed: LAYOUT_B2_NK,
  aTransposed: LAYOUT_A_KM,
  accumulate: LAYOUT_ACCUMULATE,
  fewLoads: LAYOUT_FEW_LOADS,
} as const;

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
  else multiplyFloat(tape, p, b);
}

/** c += scale·low.a·low.b, and nothing else. */
function addLow(tape: Tape, { c, rows, columns, ldc, low }: Product): void {
  if (low === undefined) return;
  const b = { dtype: "f32", ptr: c } as const;
  const ld = ldc === undefined ? {} : { ldc };
  multiplyFloat(tape, { c, a: c, b, rows, columns, inner: 0, layout: Layout.accumulate, low, ...ld }, b);
}

/**
 * Integer products: the rows of a are quantized to 15 bits, with the weight's scales among them where those lie along
 * the inner dimension. A low-rank part is added in f32.
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
  kernels.quantize_rows_i16(q, scalesA, a, alongColumns ? 0 : b.scales, inner, lda, ldq, INT8_STEPS, 0, rows);
  const scalesB = alongColumns ? b.scales : 0;
  const few = rows <= FEW_ROWS;
  const bias = p.bias ?? 0;
  let workspace: Ptr;
  if (few && !(layout & Layout.bTransposed)) {
    const parts = kernels.matvec_int8_parts(inner);
    workspace = tape.alloc(parts * rows * columns * 4);
    kernels.matvec_int8_rows(workspace, q, b.ptr, rows, columns, inner, ldq, ldb, 0, parts);
    const sizes = [rows, columns, inner, ldc] as const;
    kernels.matvec_int8_sum(c, workspace, scalesA, scalesB, ...sizes, layout, bias, 0, columns);
  } else {
    workspace = tape.alloc(few ? kernels.matvec_int8_workspace() : kernels.matmul_int8_workspace());
    const sizes = [rows, columns, inner, ldq, ldb, ldc] as const;
    const args = [c, q, scalesA, b.ptr, scalesB, ...sizes, layout, bias, workspace] as const;
    if (few) kernels.matvec_int8(...args, 0, columns);
    else kernels.matmul_int8(...args, 0, rows, 0, columns);
  }
  for (const ptr of [q, scalesA, workspace]) tape.free(ptr);
  addLow(tape, p);
}

/** Rows of b that begin and end with a half block can be multiplied in integers. */
const HALF_BLOCK = NF4_BLOCK / 2;

/** A few rows by rows of b, as in decoding, in integers; otherwise in f32. */
function multiplyNf4(tape: Tape, p: Product, b: Operand & { dtype: "nf4" }): void {
  const { kernels } = tape;
  const { c, a, rows, columns, inner, layout } = p;
  const { ptr, first = 0 } = b;
  const fits = layout & Layout.bTransposed && inner % HALF_BLOCK === 0 && first % HALF_BLOCK === 0;
  if (rows > FEW_ROWS || !fits || (p.ldb ?? inner) !== inner) {
    multiplyFloat(tape, p, b);
    return;
  }
  tape.flops += 2 * rows * columns * inner;
  const q = tape.alloc(rows * inner * 2);
  const scalesA = tape.alloc(rows * 4);
  kernels.quantize_rows_i16(q, scalesA, a, 0, inner, p.lda ?? inner, inner, NF4_STEPS, 0, rows);
  const sizes = [rows, columns, inner, inner, p.ldc ?? columns] as const;
  kernels.matvec_nf4_i16(c, q, scalesA, ptr, first, ...sizes, layout, p.bias ?? 0, 0, columns);
  for (const at of [q, scalesA]) tape.free(at);
  addLow(tape, p);
}

/** In f32: b is widened on its way into the caches, and the low-rank part is fused in. */
function multiplyFloat(tape: Tape, p: Product, b: Operand & { dtype: DenseDtype | "nf4" }): void {
  const { kernels } = tape;
  const { c, a, rows, columns, inner, low } = p;
  if (rows <= FEW_ROWS && !(p.layout & Layout.aTransposed) && multiplyFew(tape, p, b)) return;
  const layout = p.layout | (low?.layout ?? 0) | (tape.fewLoads ? Layout.fewLoads : 0);
  tape.flops += 2 * rows * columns * (inner + (low?.r ?? 0));
  const lda = p.lda ?? (layout & Layout.aTransposed ? rows : inner);
  const ldb = p.ldb ?? (layout & Layout.bTransposed ? inner : columns);
  const sizes = [rows, columns, inner, lda, ldb, p.ldc ?? columns, layout, p.bias ?? 0] as const;
  const args = [...sizes, ...lowArguments(low)] as const;
  const workspace = tape.alloc(kernels.matmul_workspace());
  if (b.dtype === "nf4") kernels.matmul_nf4(c, a, b.ptr, b.first ?? 0, ...args, workspace, 0, rows, 0, columns);
  else kernels[`matmul_${b.dtype}`](c, a, b.ptr, ...args, workspace, 0, rows, 0, columns);
  tape.free(workspace);
}

type LowArguments = [a2: number, b2: number, r: number, lda2: number, ldb2: number, scale: number];

function lowArguments(low: Product["low"]): LowArguments {
  return low ? [low.a, low.b, low.r, low.r, low.ldb, low.scale] : [0, 0, 0, 0, 0, 0];
}

/** Reads b once, without panels. Returns false where that is not the faster way. */
function multiplyFew(tape: Tape, p: Product, b: Operand & { dtype: DenseDtype | "nf4" }): boolean {
  const { c, a, rows, columns, inner, low } = p;
  const byRows = !(p.layout & Layout.bTransposed) && inner > 0;
  // Widening takes longer than the product: a panel is widened once for all rows. Halves have the path, and the bits, of f32.
  if (!byRows && b.dtype === "nf4") return false;
  const rest = low && !(low.layout & Layout.lowTransposed) ? low : undefined;
  if (byRows) {
    addStoredRows(tape, p, { a, lda: p.lda ?? inner, b, ldb: p.ldb ?? columns, inner, scale: 1 }, p.layout);
    if (low && !rest) addLow(tape, p);
  } else if (b.dtype !== "nf4") {
    const fused = rest ? undefined : low;
    tape.flops += 2 * rows * columns * (inner + (fused?.r ?? 0));
    const sizes = [rows, columns, inner, p.lda ?? inner, p.ldb ?? inner, p.ldc ?? columns] as const;
    const layout = p.layout | (fused?.layout ?? 0);
    const args = [...sizes, layout, p.bias ?? 0, ...lowArguments(fused)] as const;
    tape.kernels[`matvec_${b.dtype}`](c, a, b.ptr, ...args, 0, columns);
  }
  if (rest) {
    const right = { dtype: "f32", ptr: rest.b } as const;
    const factors = { a: rest.a, lda: rest.r, b: right, ldb: rest.ldb, inner: rest.r, scale: rest.scale };
    addStoredRows(tape, { ...p, bias: undefined }, factors, Layout.accumulate);
  }
  return true;
}

/** Most parts that a weight is read in, and the fewest rows of one. The order of summation depends on them. */
const PARTS = 8;
const PART_ROWS = 64;

/** Numbers of dtypes: see assembly/linear/matvec-rows.ts. */
const rowDtypes = { f32: 0, bf16: 1, f16: 2, nf4: 4 };

interface StoredRows {
  readonly a: Ptr;
  readonly lda: number;
  readonly b: Operand & { dtype: DenseDtype | "nf4" };
  readonly ldb: number;
  readonly inner: number;
  readonly scale: number;
}

/** c (+)= bias + scale·a·b for b stored [inner, columns], whose rows are added up: see assembly/linear/matvec-rows.ts. */
function addStoredRows(tape: Tape, p: Product, { a, lda, b, ldb, inner, scale }: StoredRows, layout: number): void {
  const { kernels } = tape;
  const { rows, columns } = p;
  const depth = Math.max(PART_ROWS, 4 * Math.ceil(inner / PARTS / 4));
  const parts = Math.ceil(inner / depth);
  tape.flops += 2 * rows * columns * inner;
  const sums = tape.alloc(parts * rows * columns * 4);
  const workspace = tape.alloc(kernels.matvec_rows_workspace(columns));
  const first = b.dtype === "nf4" ? (b.first ?? 0) : 0;
  const sizes = [rows, columns, inner, lda, ldb, depth] as const;
  kernels.matvec_rows(sums, a, b.ptr, first, rowDtypes[b.dtype], ...sizes, workspace, 0, parts);
  tape.free(workspace);
  kernels.matvec_sum_f32(p.c, sums, rows, columns, parts, scale, p.ldc ?? columns, layout, p.bias ?? 0, 0, columns);
  tape.free(sums);
}

/** The layout of stacked matrices: elements from one matrix to the next, and from one stored row to the next. */
export interface Stride {
  readonly step: number;
  readonly ld: number;
}

export interface ProductBlocks extends Pick<Product, "c" | "a" | "rows" | "columns" | "inner" | "layout"> {
  b: Ptr;
  blocks: number;
  /** Set if they are not stacked without gaps. */
  strides?: { readonly c: Stride; readonly a: Stride; readonly b: Stride };
}

/** Many products of one size in f32; a stacked one alone takes the path of every other product. */
export function multiplyBlocks(tape: Tape, p: ProductBlocks): void {
  const { c, a, b, rows, columns, inner, layout, blocks } = p;
  if (blocks === 1 && !p.strides) {
    multiply(tape, { c, a, b: { dtype: "f32", ptr: b }, rows, columns, inner, layout });
    return;
  }
  const strides = p.strides ?? {
    c: { step: rows * columns, ld: columns },
    a: { step: rows * inner, ld: layout & Layout.aTransposed ? rows : inner },
    b: { step: inner * columns, ld: layout & Layout.bTransposed ? inner : columns },
  };
  tape.flops += 2 * blocks * rows * columns * inner;
  const workspace = tape.alloc(tape.kernels.matmul_workspace());
  const operands = [c, a, b, strides.c.step, strides.a.step, strides.b.step] as const;
  const sizes = [rows, columns, inner, strides.a.ld, strides.b.ld, strides.c.ld] as const;
  const loads = tape.fewLoads ? Layout.fewLoads : 0;
  tape.kernels.batched_matmul_f32(...operands, ...sizes, layout | loads, workspace, 0, blocks);
  tape.free(workspace);
}
