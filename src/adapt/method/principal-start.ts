/**
 * Initializations of a low-rank adapter from the base weight itself (PiSSA, Meng et al. 2024; OLoRA, Büyükakyüz 2024).
 */
import { ShapeError } from "../../core/errors.ts";
import { largestSvd } from "../../core/largest-svd.ts";
import { firstColumns, type Matrix, matrix, qr, randomSvd, type Svd, transpose } from "../../core/linalg.ts";
import type { Linear } from "../../nn/layers/linear.ts";
import { readElements } from "../../tensor/elements.ts";
import type { Memory } from "../../wasm/memory.ts";

/** Initial values of a [r, in] and b [out, r]. */
export interface StartFactors {
  readonly a: Float64Array;
  readonly b: Float64Array;
}

/** The values of `init_lora_weights` that use the base weight. */
export function isPrincipal(start: unknown): start is string {
  return typeof start === "string" && /^(pissa(_niter_\d+)?|olora)$/i.test(start);
}

/**
 * The factors of a layer's weight W [out, in] for a named initialization:
 *
 *   pissa           b·a = (U·Σ·V)ᵣ / scale, the r largest singular values, each factor with √(Σ / scale)
 *   pissa_niter_k   the same after k power iterations from random vectors
 *   olora           b, a = the first r columns and rows of Q, R in W = Q·R; not divided by scale
 */
export function principalFactors(
  start: string,
  layer: Linear,
  memory: Memory,
  r: number,
  scale: number,
  seed: number,
): StartFactors {
  const { inFeatures, outFeatures, name } = layer;
  if (r > Math.min(inFeatures, outFeatures)) {
    throw new ShapeError(
      `"${name}" [${outFeatures}, ${inFeatures}]: rank ${r} exceeds the rank of the weight that "${start}" starts from`,
    );
  }
  const weight = weightMatrix(layer, memory);
  if (start.toLowerCase() === "olora") {
    const { q, r: upper } = qr(weight, r);
    return { a: upper.data, b: q.data };
  }
  const iterations = /_niter_(\d+)$/i.exec(start)?.[1];
  const parts = iterations === undefined ? largestSvd(weight, r) : randomSvd(weight, r, Number(iterations), seed);
  return divided(parts, scale);
}

function divided({ u, s, v }: Svd, scale: number): StartFactors {
  const roots = s.map((value) => Math.sqrt(value / scale));
  const a = v.data.map((x, i) => x * roots[Math.floor(i / v.columns)]!);
  return { a, b: firstColumns(u, s.length).data.map((x, i) => x * roots[i % s.length]!) };
}

/** W as [out, in], in either storage order. */
function weightMatrix({ weight, stored }: Linear, memory: Memory): Matrix {
  const [rows, columns] = weight.shape as [number, number];
  const values = matrix(rows, columns, readElements(memory, weight));
  return stored === "out-in" ? values : transpose(values);
}
