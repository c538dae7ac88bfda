/**
 * (IA)³ (Liu et al. 2022, section 3.3): activations rescaled by learned vectors l, which start as ones.
 *
 *   y = l ∘ (x·Wᵀ + bias)      ia3_l [out, 1]     attention's keys and values, or any output
 *   y = (l ∘ x)·Wᵀ + bias      ia3_l [1, in]      layers named by feedforwardModules: the input of the second feed-forward matrix
 */
import {
  type CommonValues,
  commonOnly,
  defineMethod,
  type LinearPart,
  type MethodValues,
  type ModelShape,
} from "../adapt/method/define-method.ts";
import { fanInFanOut, settledFanInFanOut } from "../adapt/method/fan-in-fan-out.ts";
import { fullMatch } from "../adapt/method/python-pattern.ts";
import type { Make } from "../adapt/method/tensor-maker.ts";
import { FormatError } from "../core/errors.ts";
import { flag, namesOrPattern } from "../core/options.ts";
import { StepBudget } from "../core/patterns/match-program.ts";
import type { Linear } from "../nn/layers/linear.ts";
import type { Module } from "../nn/layers/weights.ts";
import { scaleColumns } from "../ops/layout/columns.ts";
import { replaceRows, sliceRows } from "../ops/layout/rows.ts";
import { foldOutputScale } from "../ops/linear/fold.ts";
import { addLowRank } from "../ops/linear/linear.ts";
import { lift } from "../ops/linear/product.ts";
import type { Value } from "../tape/tape.ts";

const options = {
  feedforwardModules: namesOrPattern("target layers whose input is rescaled instead of their output"),
  fanInFanOut,
  initIa3Weights: flag(true, "start with ones, which change nothing"),
};

/** Names are short: no sensible pattern needs as many. */
const STEPS_A_NAME = 500_000;

type Values = MethodValues<typeof options>;

/**
 * Rescaling of activations: one number per channel.
 *
 * @example
 * const model = getPeftModel(base, ia3({ targetModules: ["k_proj", "down_proj"], feedforwardModules: ["down_proj"] }));
 */
export const ia3 = defineMethod({
  peftType: "IA3",
  about: {
    title: "(IA)³",
    paper: "Liu et al. 2022, arXiv:2205.05638",
    equation: "y = l ∘ (x·Wᵀ), in feed-forward layers y = (l ∘ x)·Wᵀ",
    when: "For few examples or many tasks: far fewer parameters than LoRA; merges into the weights.",
    learningRate: 5e-3,
  },
  options,
  common: commonOnly("targetModules", "excludeModules", "modulesToSave", "taskType", "baseModelNameOrPath", "revision"),
  targets: ({ rescaled }) => (rescaled ? [...rescaled.outputs, ...rescaled.inputs] : []),
  combinesByTensor: true,
  check,
  settle,
  linear: linearPart,
});

function check({ feedforwardModules, targetModules }: Values, spell: (name: string) => string): string | null {
  if (!Array.isArray(feedforwardModules) || !Array.isArray(targetModules)) return null;
  const foreign = feedforwardModules.filter((name) => !targetModules.includes(name));
  if (foreign.length === 0) return null;
  const [inner, outer] = [spell("feedforwardModules"), spell("targetModules")];
  return `"${inner}" must be a subset of "${outer}", found ${JSON.stringify(foreign)} with ${JSON.stringify(targetModules)}`;
}

function settle(
  { feedforwardModules, fanInFanOut }: Values,
  layers: readonly Module[],
  warn: (message: string) => void,
  { targets, modelType }: ModelShape,
): Partial<Values> {
  const feedforward = feedforwardModules ?? targets.rescaled?.inputs;
  if (feedforward === undefined) {
    throw new FormatError(
      `PEFT has no default feedforwardModules for "${modelType}": specify them, or pass [] to rescale only outputs`,
    );
  }
  return { feedforwardModules: feedforward, ...settledFanInFanOut(fanInFanOut, layers, warn) };
}

/** A list holds plain endings, with no dot needed before them. */
function isFeedforward(name: string, modules: CommonValues["targetModules"]): boolean {
  if (typeof modules === "string") return fullMatch(modules, "feedforwardModules", new StepBudget(STEPS_A_NAME))(name);
  return modules?.some((ending) => name.endsWith(ending)) ?? false;
}

function linearPart(layer: Linear, values: Values, make: Make): LinearPart {
  const onInput = isFeedforward(layer.name, values.feedforwardModules);
  const { inFeatures, outFeatures, stored } = layer;
  const size = onInput ? inFeatures : outFeatures;
  const start = values.initIa3Weights ? "ones" : { normal: 1 };
  const l = make.param("ia3_l", onInput ? [1, size] : [size, 1], start);
  const scaled = (x: Value): Value => scaleColumns(x, lift(x.tape, l, [1, size]));
  const scaledRows: LinearPart["forwardRows"] = (x, rows) => replaceRows(x, rows, scaled(sliceRows(x, rows)));
  // If the input is scaled, the features of l are where outputs are in a weight of the other storage order.
  const featuresLie = onInput === (stored === "out-in") ? "in-out" : "out-in";
  const part: LinearPart = {
    forward: (x, deltas, below, biased) =>
      onInput ? below(scaled(x), deltas, biased) : addLowRank(scaled(below(x, [], biased)), deltas),
    forwardRows: (x, rows, below) => (onInput ? below(scaledRows(x, rows, below)) : scaledRows(below(x), rows, below)),
    fold: () => (rows) => foldOutputScale(rows, featuresLie, layer.weight.shape[1]!, Float64Array.from(l.values())),
  };
  if (onInput || layer.bias === null) return part;
  return { ...part, foldBias: (bias) => bias.set(bias.map((x, i) => x * l.values()[i]!)) };
}
