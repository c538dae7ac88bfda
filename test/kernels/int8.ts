/** What the tests of int8-matmul and int8-matvec share: a product with gaps between the rows of its operands. */
import { type Int8Operands, type Int8Sizes, matmulInt8 } from "../reference/int8-matmul.ts";
import { bNk } from "../reference/matmul.ts";
import { type Bed, builds } from "./bed.ts";

/** V8 11, which has relaxed SIMD behind a flag, adds what it should not in dot products of bytes; compileDot would refuse it. */
export const dotsAreRight = builds.includes("relaxed") && !process.versions.v8.startsWith("11.");

/** `builds`, and the relaxed one with dot products of bytes. */
export const productBuilds = dotsAreRight ? [...builds, "dot"] : builds;

export type Range = readonly [rowStart: number, rowEnd: number, colStart: number, colEnd: number];

/** One product on a bed: the reference's view of it, and the pointers that the kernels want. */
export interface Int8Product {
  sizes: Int8Sizes;
  operands: Int8Operands;
  c: Float32Array;
  pointers: { c: number; q: number; scalesA: number; b: number; scalesB: number; bias: number };
}

export interface Int8Shape {
  layout: number;
  m: number;
  n: number;
  k: number;
  bias?: boolean;
  scalesB?: boolean;
  /** Largest q and b: small ones make every sum exact in f32. */
  most?: number;
}

/** Numbers q and b of all sizes; scales of both signs and around 1. With `most`, all scales are 1. */
export function int8Product(bed: Bed, { layout, m, n, k, bias = false, scalesB = true, most }: Int8Shape): Int8Product {
  const [bRows, bCols] = layout & bNk ? [n, k] : [k, n];
  const sizes = { m, n, k, layout, ldq: k + (k % 2) + 2, ldb: bCols + 3, ldc: n + 3 };
  const integers = (length: number, largest: number) => Array.from(bed.random(length, largest + 0.99), Math.trunc);
  const q = bed.int16(integers(m * sizes.ldq, most ?? 16384).map((v, e) => (e % sizes.ldq < k ? v : 0)));
  const b = bed.int8(integers(bRows * sizes.ldb, most ?? 127));
  const ones = (length: number) => bed.zeros(length).fill(1);
  const scalesA = most ? ones(m) : bed.random(m);
  const right = scalesB ? (most ? ones(n) : bed.random(n)) : null;
  const c = most ? bed.from(integers(m * sizes.ldc, 100)) : bed.random(m * sizes.ldc);
  for (let i = 0; i < m; i++) c.fill(Number.NaN, i * sizes.ldc + n, (i + 1) * sizes.ldc);
  const added = bias ? (most ? bed.from(integers(n, 100)) : bed.random(n)) : null;
  return {
    sizes,
    operands: { q, scalesA, b, scalesB: right, c: Float32Array.from(c), bias: added },
    c,
    pointers: {
      ...{ c: c.byteOffset, q: q.byteOffset, scalesA: scalesA.byteOffset, b: b.byteOffset },
      ...{ scalesB: right?.byteOffset ?? 0, bias: added?.byteOffset ?? 0 },
    },
  };
}

export const want = (x: Int8Product) => matmulInt8(x.operands, x.sizes);

/** Roundings of one element: conversion, two products and an addition a chunk, see assembly/linear/int8-sum.ts. */
export const roundings = (k: number) => 3 + Math.ceil(k / 1024);

export function runMatmul(bed: Bed, { sizes: s, pointers: p }: Int8Product, range: Range = [0, s.m, 0, s.n]): void {
  const workspace = bed.scratch(bed.kernels.matmul_int8_workspace());
  bed.kernels.matmul_int8(
    ...([
      p.c,
      p.q,
      p.scalesA,
      p.b,
      p.scalesB,
      s.m,
      s.n,
      s.k,
      s.ldq,
      s.ldb,
      s.ldc,
      s.layout,
      p.bias,
      workspace,
    ] as const),
    ...range,
  );
}

export function runDots(bed: Bed, { sizes: s, pointers: p }: Int8Product, colStart = 0, colEnd = s.n): void {
  const workspace = bed.scratch(bed.kernels.matvec_int8_workspace());
  bed.kernels.matvec_int8(
    ...([
      p.c,
      p.q,
      p.scalesA,
      p.b,
      p.scalesB,
      s.m,
      s.n,
      s.k,
      s.ldq,
      s.ldb,
      s.ldc,
      s.layout,
      p.bias,
      workspace,
    ] as const),
    colStart,
    colEnd,
  );
}
