/**
 * Prefix tuning (Li & Liang 2021): n trained keys and values before those of every layer's self-attention.
 *
 *   prompt_embeddings [n, layers · 2 · d]      each row: key of layer 0, its value, key of layer 1, ...; d = heads · headDim
 *   Kₗ = [prefixₗ,key; x·W_Kᵀ]   Vₗ = [prefixₗ,value; x·W_Vᵀ]
 *
 * Keys are used unchanged, without rotation, and occupy the first n positions. With `prefixProjection` an MLP computes
 * the rows while they are trained, W₂·tanh(W₁·e); only its result is saved, so that a loaded adapter is a plain table.
 * PEFT loads such adapters for inference only; here the table can be trained further.
 *
 * An encoder-decoder has the prefix in the decoder. PEFT lays the table out for two stacks there and uses one: layer l takes the
 * pair of layer 2·l modulo the number of layers. With an even number, half of the pairs are never used.
 */
import {
  defineMethod,
  type MethodValues,
  type ModelShape,
  promptCommon,
  type SiteParts,
} from "../adapt/method/define-method.ts";
import { sizeOrNull } from "../adapt/method/options.ts";
import { checkPrompt, linearOf, PROMPT_PREFIX, prefixSizes, trainedBehind } from "../adapt/method/prompt.ts";
import type { Make, MakeAt } from "../adapt/method/tensor-maker.ts";
import { flag, oneOf, orNull } from "../core/options.ts";
import type { Stack, VirtualTokens } from "../nn/pass/virtual-tokens.ts";
import { sliceColumns } from "../ops/layout/columns.ts";
import { lift } from "../ops/linear/product.ts";
import { tanh } from "../ops/pointwise/activation.ts";
import type { Tape, Value } from "../tape/tape.ts";

const options = {
  ...promptCommon,
  initWeights: orNull(oneOf(["zero"], "zero", "start from zeros instead of at random")),
  encoderHiddenSize: sizeOrNull("hidden width of the projection (default: the width of the keys)"),
  prefixProjection: flag(false, "compute the rows with a small network"),
};

type Values = MethodValues<typeof options>;

/**
 * Trained keys and values before those of every layer.
 *
 * @example
 * const model = getPeftModel(base, prefixTuning({ numVirtualTokens: 20 }));
 */
export const prefixTuning = defineMethod({
  peftType: "PREFIX_TUNING",
  about: {
    title: "Prefix tuning",
    paper: "Li & Liang 2021, arXiv:2101.00190",
    equation: "K = [P_K; x·W_Kᵀ],  V = [P_V; x·W_Vᵀ]  in every layer",
    when: "When prompt tuning is too weak, because it acts in every layer. Start with a high learning rate, or with prefixProjection.",
    learningRate: 1e-2,
    example: { numVirtualTokens: 20 },
  },
  common: {},
  keyPrefix: PROMPT_PREFIX,
  targets: null,
  options,
  check: (values, spell) => checkPrompt(values, spell),
  settle(values, _layers, _warn, model) {
    const sizes = prefixSizes(values, model);
    return { ...sizes, encoderHiddenSize: values.encoderHiddenSize ?? sizes.tokenDim };
  },
  sites: (model, values, make) => ({ virtual: prefix(model, values, tableOf(values, make)) }) satisfies SiteParts,
});

/** Computes the table [n, layers · 2 · d], once per pass. */
function tableOf(values: Values, make: MakeAt): (tape: Tape) => Value {
  const { numVirtualTokens, tokenDim, initWeights, prefixProjection } = values;
  const own = make(null);
  const shape = [numVirtualTokens!, values.numLayers! * 2 * tokenDim!] as const;
  if (prefixProjection) {
    return trainedBehind(own, [numVirtualTokens!, tokenDim!], shape, (each) => projection(values, shape[1], each));
  }
  const table = own.param("prompt_embeddings", shape, initWeights === "zero" ? "zeros" : { normal: 1 });
  return (tape) => lift(tape, table);
}

function projection({ tokenDim, encoderHiddenSize, initWeights }: Values, outputs: number, make: Make) {
  const first = linearOf(make, "transform.0", tokenDim!, encoderHiddenSize!);
  const second = linearOf(
    make,
    "transform.2",
    encoderHiddenSize!,
    outputs,
    initWeights === "zero" ? "zeros" : undefined,
  );
  return (rows: Value) => second(tanh(first(rows)));
}

function prefix({ traits }: ModelShape, values: Values, begin: (tape: Tape) => Value): VirtualTokens {
  const { numVirtualTokens, numLayers, numTransformerSubmodules: stacks, tokenDim: width } = values;
  const none = (stack: Stack) => traits.stacks.length > 1 && stack === "encoder";
  return {
    promptLength: () => 0,
    prefixLength: (stack) => (none(stack) ? 0 : numVirtualTokens!),
    begin(tape) {
      const table = begin(tape);
      const part = (index: number) => sliceColumns(table, index * width!, (index + 1) * width!);
      const keyOf = (layer: number) => 2 * ((stacks! * layer) % numLayers!);
      return { prompt: () => null, prefix: (layer) => ({ k: part(keyOf(layer)), v: part(keyOf(layer) + 1) }) };
    },
  };
}
