/** Low-rank changes of a weight, which low-rank methods provide and which combining and converting create. */
import type { Shape } from "../../core/shape.ts";

/** A low-rank change of one layer's weight: ΔW = scale·b·a. */
export interface Factors {
  /** [r, inFeatures] */
  readonly a: Float32Array;
  /** [outFeatures, r] */
  readonly b: Float32Array;
  readonly r: number;
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly scale: number;
}

/** The low-rank interface of parts, for combining and converting. Omitted by other parts. */
export interface Factored {
  /** The change of the layer's weight as a sum of low-rank terms. Null if something else also acts. */
  factors?(): readonly Factors[] | null;
  /**
   * Overwrites the factors of the single trained term; `b` may have another scale than in the file if the term's scale
   * is 1.
   */
  setFactors?(a: Float32Array, b: Float32Array): void;
}

/** The `misfit` of a method whose tensors of this name have the rank as their first axis. */
export function rankMisfit(name: string): (key: string, stored: Shape, wanted: Shape) => string | null {
  return (key, stored, wanted) =>
    key.includes(`${name}.`) && stored[0] !== wanted[0]
      ? `rank is ${stored[0]} in the file, ${wanted[0]} in its config`
      : null;
}
