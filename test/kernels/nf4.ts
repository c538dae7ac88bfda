/** What the tests of kernels on weights in four bits share: a tensor as the host makes it, and products with it. */
import { Philox } from "../../src/core/random/philox.ts";
import { allocateFrozen, frozenWriter } from "../../src/tensor/frozen.ts";
import { readNf4 } from "../../src/tensor/nf4.ts";
import type { Engine } from "../../src/wasm/engine.ts";
import type { Kernels } from "../../src/wasm/generated/kernels.ts";
import type { Ptr } from "../../src/wasm/memory.ts";
import { aKm, b2Nk, bNk, type Operands, type Sizes } from "../reference/matmul.ts";

const random = new Philox(11);

export function normals(size: number): Float32Array {
  return Float32Array.from({ length: size }, () => random.normal());
}

/** A tensor of random rows of `cols`, quantized, and the numbers that it stands for. */
export function randomNf4(engine: Engine, rows: number, cols: number): { ptr: Ptr; values: Float32Array } {
  const tensor = allocateFrozen(engine.memory, "w", [rows, cols], "nf4", false);
  const writer = frozenWriter(engine, tensor);
  writer.write(normals(rows * cols), 0, 0);
  writer.finish();
  return { ptr: tensor.ptr, values: readNf4(engine.memory, tensor.ptr, rows * cols, 0, rows * cols) };
}

/** Numbers in the kernels' memory. */
export function placed(engine: Engine, values: Float32Array): Ptr {
  const ptr = engine.memory.alloc(Math.max(4, values.length * 4), "operand");
  engine.memory.f32(ptr, values.length).set(values);
  return ptr;
}

type Middle<T> = T extends [number, ...infer Between extends number[], number, number, number, number, number]
  ? Between
  : never;

/** What is between c and the workspace. */
export type ProductArguments = Middle<Parameters<Kernels["matmul_nf4"]>>;

export interface Nf4Product {
  readonly sizes: Sizes;
  readonly operands: Operands;
  /** Number of b's first element. */
  readonly first: number;
  readonly args: ProductArguments;
  /** C as it is before. */
  readonly before: Float32Array;
  readonly c: Ptr;
}

/** A product with gaps between the rows of all but b, which begins `skipped` rows down its tensor. */
export function nf4Product(
  engine: Engine,
  layout: number,
  [m, n, k, r]: readonly [number, number, number, number],
  { skipped = 0, bias = false } = {},
): Nf4Product {
  const [bRows, ldb] = layout & bNk ? [n, k] : [k, n];
  const [aRows, aCols] = layout & aKm ? [k, m] : [m, k];
  const sizes: Sizes = {
    ...{ m, n, k, r, layout, scale: 0.75, lda: aCols + 3, ldb, ldc: n + 3 },
    ...{ lda2: r + 1, ldb2: (layout & b2Nk ? r : n) + 1 },
  };
  const { ptr, values } = randomNf4(engine, bRows + skipped, ldb);
  const first = skipped * ldb;
  const before = normals(m * sizes.ldc).map((v, e) => (e % sizes.ldc < n ? v : Number.NaN));
  const operands = {
    ...{ a: normals(aRows * sizes.lda), b: values.subarray(first), c: before, bias: bias ? normals(n) : null },
    ...{ a2: normals(m * sizes.lda2), b2: normals((layout & b2Nk ? n : r) * sizes.ldb2) },
  };
  const at = (x: Float32Array) => placed(engine, x);
  const added = operands.bias ? at(operands.bias) : 0;
  const low = [at(operands.a2), at(operands.b2), r, sizes.lda2, sizes.ldb2, sizes.scale] as const;
  const own = [m, n, k, sizes.lda, ldb, sizes.ldc, layout, added] as const;
  return { sizes, operands, first, args: [at(operands.a), ptr, first, ...own, ...low], before, c: at(before) };
}

/** C with its gaps, after `run`. */
export function resultOf({ memory }: Engine, { c, before }: Nf4Product, run: () => void): Float32Array {
  memory.f32(c, before.length).set(before);
  run();
  return memory.f32(c, before.length).slice();
}
