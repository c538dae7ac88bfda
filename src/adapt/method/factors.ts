/** Low-rank changes of a weight: what methods of that kind give away, and what combining and converting make. */
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

/** What parts that are low-rank give away of themselves, to be combined and converted. Left out by others. */
export interface Factored {
  /** The change of the layer's weight as low-rank terms, to be added up. Null where something else acts as well. */
  factors?(): readonly Factors[] | null;
  /** Overwrites the factors of the one trained term; `b` may be of another scale than the file says if the term's is 1. */
  setFactors?(a: Float32Array, b: Float32Array): void;
}

/** The `misfit` of a method whose tensors of this name have the rank as their first axis. */
export function rankMisfit(name: string): (key: string, stored: Shape, wanted: Shape) => string | null {
  return (key, stored, wanted) =>
    key.includes(`${name}.`) && stored[0] !== wanted[0]
      ? `rank is ${stored[0]} in the file, ${wanted[0]} in its config`
      : null;
}
