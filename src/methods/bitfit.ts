/**
 * BitFit (Ben Zaken et al. 2022): only the biases of the model are trained.
 *
 * PEFT has no type of this name. It is stored as a LoRA of rank 1 on one layer, with factors that are zero, and with bias "all".
 * Because A = B = 0, both gradients are zero too: PEFT loads the folder, and computes and trains the same.
 */
import { defineMethod, type LinearPart, type MethodValues, type ModelShape } from "../adapt/method/define-method.ts";
import { fanInFanOut, settledFanInFanOut } from "../adapt/method/fan-in-fan-out.ts";
import type { Make } from "../adapt/method/tensor-maker.ts";
import { UnsupportedError } from "../core/errors.ts";
import { oneOf } from "../core/options.ts";
import type { Linear } from "../nn/layers/linear.ts";
import type { Module } from "../nn/layers/weights.ts";
import { lora } from "./lora.ts";

const options = {
  bias: oneOf(["all"], "all", "which biases are trained"),
  fanInFanOut,
};

type Values = MethodValues<typeof options>;

/**
 * Trains only the biases.
 *
 * @example
 * const model = getPeftModel(base, bitfit());
 */
export const bitfit = defineMethod({
  peftType: "LORA",
  file: "bitfit",
  about: {
    title: "BitFit",
    paper: "Ben Zaken et al. 2022, arXiv:2106.10199",
    equation: "y = x·Wᵀ + b with b trained, in every layer that has a bias",
    when: "For models with many biases (GPT-2, BERT) and little data; adds no cost at inference. Stored as a LoRA that PEFT loads.",
    learningRate: 1e-3,
  },
  options,
  targets: (_, model) => firstLinear(model),
  absent: loraKeys(),
  settle,
  linear: zeroFactors,
});

/** Every other key of LoRA's config: the defaults, with rank 1. */
function loraKeys(): Record<string, unknown> {
  const others = Object.entries(lora.options).filter(([name]) => !Object.hasOwn(options, name));
  const defaults = Object.fromEntries(others.map(([name, { fallback }]) => [name, fallback]));
  return { ...defaults, ...lora.absent, ...lora.inert, r: 1, loraAlpha: 1 };
}

/** The one layer that carries the factors. */
function firstLinear({ layers }: ModelShape): readonly string[] {
  return [...layers.values()]
    .filter(({ kind }) => kind === "linear")
    .map(({ name }) => name)
    .slice(0, 1);
}

function settle(
  { fanInFanOut }: Values,
  layers: readonly Module[],
  _: (message: string) => void,
  model: ModelShape,
): Partial<Values> {
  if (![...model.layers.values()].some((layer) => model.weightsOf(layer).bias !== null)) {
    throw new UnsupportedError(
      `"${model.modelType}" has no biases, so there is nothing for BitFit to train: choose another method`,
    );
  }
  return settledFanInFanOut(fanInFanOut, layers, () => {}); // the option is meaningless to a user here
}

function zeroFactors({ inFeatures, outFeatures }: Linear, _: Values, make: Make): LinearPart {
  make.kept("lora_A.weight", [1, inFeatures], "zeros");
  make.kept("lora_B.weight", [outFeatures, 1], "zeros");
  return {
    forward: (x, deltas, below, biased) => below(x, deltas, biased),
    fold: () => () => {}, // biases are merged as for every method
  };
}
