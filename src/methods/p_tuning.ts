/**
 * P-tuning (Liu et al. 2021): a small network computes the rows before the embedded tokens from trained rows e.
 *
 *   MLP    prompt = W₃·relu(W₂·relu(W₁·e))            each with a bias; W₁ [h, D], W₂ [h, h], W₃ [D, h]
 *   LSTM   prompt = W₂·relu(W₁·bilstm(e))             W₁ [2h, 2h], W₂ [D, 2h]
 *
 * Only the prompt is saved, prompt_embeddings [n · stacks, D]: a loaded adapter is a plain table without the network. PEFT loads
 * such adapters for inference only; here the table can be trained further.
 */
import {
  defineMethod,
  type MethodValues,
  type ModelShape,
  promptCommon,
  type SiteParts,
} from "../adapt/method/define-method.ts";
import { probability, sizeOrNull } from "../adapt/method/options.ts";
import {
  checkPrompt,
  linearOf,
  PROMPT_PREFIX,
  promptSizes,
  promptTokens,
  tableShape,
  trainedBehind,
} from "../adapt/method/prompt.ts";
import { kaimingUniform, type Make, type MakeAt } from "../adapt/method/tensor-maker.ts";
import { oneOf, whole } from "../core/options.ts";
import { bidirectionalLstm, type LstmWeights } from "../ops/lstm.ts";
import { relu } from "../ops/pointwise/activation.ts";
import { dropout } from "../ops/pointwise/dropout.ts";
import type { Value } from "../tape/tape.ts";

/** The fixed number of an MLP, independent of the config. */
const MLP_LAYERS = 2;

const options = {
  ...promptCommon,
  encoderReparameterizationType: oneOf(["MLP", "LSTM"], "MLP", "the network that computes the rows"),
  encoderHiddenSize: sizeOrNull("its hidden width (default: the model's)"),
  encoderNumLayers: whole(MLP_LAYERS, 1, "layers of an LSTM"),
  encoderDropout: probability(0, "dropout between the layers of an LSTM"),
};

type Values = MethodValues<typeof options>;

/**
 * Rows before the embedded tokens, computed by a small network while they are trained.
 *
 * @example
 * const model = getPeftModel(base, pTuning({ numVirtualTokens: 20, encoderHiddenSize: 128 }));
 */
export const pTuning = defineMethod({
  peftType: "P_TUNING",
  about: {
    title: "P-tuning",
    paper: "Liu et al. 2021, arXiv:2103.10385",
    equation: "x = [mlp(e); E[ids]]",
    when: "Instead of prompt tuning when that learns too slowly: the network ties the rows together. It adds no cost after training.",
    learningRate: 3e-3,
    example: { numVirtualTokens: 20 },
  },
  common: {},
  keyPrefix: PROMPT_PREFIX,
  targets: null,
  options,
  check: (values, spell) => checkPrompt(values, spell),
  settle,
  sites,
});

function settle(values: Values, _layers: unknown, warn: (message: string) => void, model: ModelShape) {
  const { encoderReparameterizationType: kind, encoderNumLayers: count, encoderHiddenSize } = values;
  if (kind === "MLP" && count !== MLP_LAYERS)
    warn(
      `encoderNumLayers is ${count}, but an MLP always has ${MLP_LAYERS} hidden layers: the option applies to the LSTM`,
    );
  const sizes = promptSizes(values, model);
  return { ...sizes, encoderHiddenSize: encoderHiddenSize ?? sizes.tokenDim };
}

function sites(model: ModelShape, values: Values, make: MakeAt): SiteParts {
  const network = values.encoderReparameterizationType === "MLP" ? mlp : lstmAndMlp;
  const table = trainedBehind(make(null), tableShape(values), tableShape(values), (own) => network(values, own));
  return {
    virtual: promptTokens(model, values, (tape) => {
      const rows = table(tape);
      return () => rows;
    }),
  };
}

function mlp({ tokenDim, encoderHiddenSize }: Values, make: Make): (rows: Value) => Value {
  const [width, hidden] = [tokenDim!, encoderHiddenSize!];
  const first = linearOf(make, "mlp_head.0", width, hidden);
  const second = linearOf(make, "mlp_head.2", hidden, hidden);
  const third = linearOf(make, "mlp_head.4", hidden, width);
  return (rows) => third(relu(second(relu(first(rows)))));
}

function lstmAndMlp(values: Values, make: Make): (rows: Value) => Value {
  const { encoderNumLayers, encoderDropout } = values;
  const [width, hidden] = [values.tokenDim!, values.encoderHiddenSize!];
  const layers = Array.from({ length: encoderNumLayers }, (_, i) => {
    const inputs = i === 0 ? width : 2 * hidden;
    return {
      forward: lstmWeights(make, `l${i}`, inputs, hidden),
      backward: lstmWeights(make, `l${i}_reverse`, inputs, hidden),
    };
  });
  const first = linearOf(make, "mlp_head.0", 2 * hidden, 2 * hidden);
  const second = linearOf(make, "mlp_head.2", 2 * hidden, width);
  return (rows) => {
    const read = layers.reduce((x, { forward, backward }, i) => {
      return bidirectionalLstm(i === 0 ? x : dropout(x, encoderDropout), forward, backward);
    }, rows);
    return second(relu(first(read)));
  };
}

function lstmWeights(make: Make, suffix: string, inputs: number, hidden: number): LstmWeights {
  const param = (name: string, shape: readonly number[]) =>
    make.param(`lstm_head.${name}_${suffix}`, shape, kaimingUniform(hidden), { saved: false });
  return {
    inputWeight: param("weight_ih", [4 * hidden, inputs]),
    hiddenWeight: param("weight_hh", [4 * hidden, hidden]),
    inputBias: param("bias_ih", [4 * hidden]),
    hiddenBias: param("bias_hh", [4 * hidden]),
  };
}
