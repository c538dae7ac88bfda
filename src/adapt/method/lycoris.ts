/** What LoHa and LoKr share, two methods of LyCORIS (Yeh et al. 2023, arXiv:2309.14859): options, and dropout of outputs. */
import { scaleColumns } from "../../ops/layout/columns.ts";
import { constantRow } from "../../ops/linear/weight-norm.ts";
import { dropout } from "../../ops/pointwise/dropout.ts";
import type { Value } from "../../tape/tape.ts";
import { flag, number, numbersByPattern, type Options, probability, whole } from "./options.ts";

export const lycorisOptions = {
  r: whole(8, 1, "rank of the factors"),
  alpha: number(8, "the adapter counts alpha / r times"),
  rankDropout: probability(0, "dropout of whole outputs of the adapter"),
  moduleDropout: probability(0, "dropout of the whole adapter of a layer"),
  useEffectiveConv2d: flag(false, "for convolutions; linear layers have no use for it"),
  rankPattern: numbersByPattern(whole(8, 1), "other ranks, by pattern of layer names"),
  alphaPattern: numbersByPattern(number(8), "other alphas, by pattern of layer names"),
} satisfies Options;

/** Which option a pattern replaces. */
export const lycorisPatterns = { rankPattern: "r", alphaPattern: "alpha" } as const;

/**
 * y [T, out] with some of its columns zeroed in training, or all of them; the identity outside. With `scaled` the columns that
 * remain are divided by their share.
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
