/** The learning rate that suits adapters of a method. */
import { adapterRate, type SuggestedRate } from "../../nn/tasks/suggested-rate.ts";
import type { MethodAbout } from "./define-method.ts";

interface Described {
  readonly about: Pick<MethodAbout, "title" | "learningRate">;
}

/** The method's own rate; without one, that of LoRA for a model of this width. */
export function methodRate({ about: { learningRate, title } }: Described, width: number): SuggestedRate {
  return learningRate === undefined ? adapterRate(width) : { value: learningRate, reason: `for ${title}` };
}

/** The lowest of the rates of several methods, which suits all of them. */
export function lowestRate(methods: readonly Described[], width: number): SuggestedRate {
  const rates = methods.map((method) => methodRate(method, width));
  return rates.sort((one, other) => one.value - other.value)[0] ?? adapterRate(width);
}
