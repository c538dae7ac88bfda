/** Peak learning rates for AdamW by the width of the model. Measured by bench/defaults; results in docs/guides/defaults.md. */

/** A learning rate, and the reason in a few words. */
export interface SuggestedRate {
  readonly value: number;
  readonly reason: string;
}

/** At this width LoRA takes the rate of published recipes; narrower models need higher rates, wider ones lower. */
const WIDTH = 4096;
const RATE = 2e-4;
/** Runs of narrow models become unstable above this rate. */
const HIGHEST = 3e-3;
const LOWEST = 1e-4;
/** Whole models take lower rates than adapters, whose changes start at zero. */
const WHOLE = 1 / 10;

/**
 * A rate for LoRA and other methods that change the weights of layers, for a model whose hidden rows have `width` numbers.
 *
 * @example
 * adapterRate(384).value // 0.002
 */
export function adapterRate(width: number): SuggestedRate {
  return { value: rounded(byWidth(width)), reason: `for a model of width ${width}` };
}

/** A rate for training all weights of a model of this width. */
export function wholeRate(width: number): SuggestedRate {
  return { value: rounded(byWidth(width) * WHOLE), reason: `for all weights of a model of width ${width}` };
}

function byWidth(width: number): number {
  return Math.min(HIGHEST, Math.max(LOWEST, (RATE * WIDTH) / width));
}

/** A rate is no more exact than one digit. */
export function rounded(rate: number): number {
  return Number(rate.toPrecision(1));
}
