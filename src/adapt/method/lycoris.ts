/**
 * Shared by LoHa and LoKr, two methods of LyCORIS (Yeh et al. 2023, arXiv:2309.14859): options, and dropout of outputs.
 */

import { flag, number, type Options, whole } from "../../core/options.ts";
import { scaleColumns } from "../../ops/layout/columns.ts";
import { constantRow } from "../../ops/linear/weight-norm.ts";
import { dropout } from "../../ops/pointwise/dropout.ts";
import type { Value } from "../../tape/tape.ts";
import { numbersByPattern, probability } from "./options.ts";

export const lycorisOptions = {
  r: whole(8, 1, "rank of the factors"),
  alpha: number(8, "the adapter's output is scaled by alpha / r"),
  rankDropout: probability(0, "dropout of whole outputs of the adapter"),
  moduleDropout: probability(0, "dropout of a layer's whole adapter"),
  useEffectiveConv2d: flag(false, "only for convolutions; linear layers ignore it"),
  rankPattern: numbersByPattern(whole(8, 1), "ranks of single layers, by pattern of layer names"),
  alphaPattern: numbersByPattern(number(8), "alphas of single layers, by pattern of layer names"),
} satisfies Options;

/** Which option a pattern replaces. */
export const lycorisPatterns = { rankPattern: "r", alphaPattern: "alpha" } as const;

/**
 * y [T, out] with some or all of its columns zeroed in training; the identity otherwise. With `scaled`, the remaining
 * columns are divided by the fraction kept.
 */
export function dropOutputs(
  y: Value,
  { rankDropout, moduleDropout }: { readonly rankDropout: number; readonly moduleDropout: number },
  scaled: boolean,
): Value {
  const { tape } = y;
  if (!tape.training || (rankDropout === 0 && moduleDropout === 0)) return y;
  const columns = y.shape[1]!;
  const mask = dropout(constantRow(tape, columns, 1), rankDropout);
  const [module] = tape.download(dropout(constantRow(tape, 1, 1), moduleDropout));
  if (!tape.planning) {
    const values = tape.memory.f32(mask.ptr, columns);
    const left = values.reduce((count, x) => count + (x > 0 ? 1 : 0), 0);
    const kept = scaled ? columns / left : 1;
    for (let i = 0; i < columns; i++) values[i] = module! > 0 && values[i]! > 0 ? kept : 0;
  }
  return scaleColumns(y, mask);
}
