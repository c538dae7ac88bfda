/**
 * Trainable tokens (PEFT 2025): only the embeddings of a few tokens are trained, new or existing ones.
 *
 *   W'[tⱼ] = R[j]      trainable_tokens_delta [n, D]: the rows R themselves, not differences, in the order of tokenIndices
 *
 * An output projection that is the embedding's own table follows, and is saved once more under its own name, as PEFT does; so is a
 * table that two stacks share, under its name in each.
 */
import {
  commonOnly,
  defineMethod,
  type EmbeddingPart,
  type LinearPart,
  type MethodValues,
  type ModelShape,
  type SiteParts,
} from "../adapt/method/define-method.ts";
import type { Make, MakeAt } from "../adapt/method/tensor-maker.ts";
import {
  inputEmbedding,
  ownRows,
  stackTables,
  type TokenRows,
  tiedHeads,
  tokenEmbedding,
  tokenHead,
  tokenIds,
} from "../adapt/method/token-rows.ts";
import { flag } from "../core/options.ts";
import type { Embedding } from "../nn/layers/embedding.ts";
import type { Linear } from "../nn/layers/linear.ts";
import type { Weight } from "../tensor/tensor.ts";

const options = {
  tokenIndices: tokenIds("ids of the tokens to train"),
  initWeights: flag(true, "start with the tokens' own rows"),
};

type Values = MethodValues<typeof options>;

const SUFFIX = "trainable_tokens_delta";

/**
 * Trains some rows of the token embedding.
 *
 * @example
 * const model = getPeftModel(base, trainableTokens({ tokenIndices: [50257, 50258] }));
 */
export const trainableTokens = defineMethod({
  peftType: "TRAINABLE_TOKENS",
  about: {
    title: "Trainable tokens",
    paper: "PEFT 2025, huggingface.co/docs/peft/package_reference/trainable_tokens",
    equation: "W[t] = R[t] with R trained, for each chosen token t",
    when: "For new tokens, or for words with a new meaning; the rest of the vocabulary is unchanged. It can be combined with LoRA.",
    learningRate: 1e-3,
    example: { tokenIndices: [0, 1, 2, 3] },
  },
  options,
  common: commonOnly("targetModules", "taskType", "baseModelNameOrPath", "revision"),
  targets: (_, model) => [inputEmbedding(model).name],
  savesTables: () => false,
  check: ({ tokenIndices }, spell) =>
    tokenIndices === null ? `"${spell("tokenIndices")}" is missing: list the ids of the tokens` : null,
  shared: () => new Map<Weight, TokenRows>(),
  embedding(layer, values, make, shared): EmbeddingPart {
    return tokenEmbedding(rowsOf(layer, values, make, shared as RowsByTable));
  },
  linear(layer, values, make, shared): LinearPart {
    return tokenHead(layer, rowsOf(layer, values, make, shared as RowsByTable));
  },
  sites: tied,
});

/** Rows that are trained, by the table that they belong to: a tied projection has those of the embedding. */
type RowsByTable = Map<Weight, TokenRows>;

function rowsOf(layer: Embedding | Linear, values: Values, make: Make, shared: RowsByTable): TokenRows {
  const { weight } = layer;
  const known = shared.get(weight);
  if (known) return known;
  const tokens = values.tokenIndices!;
  const own = ownRows(weight, tokens, make.engine);
  const rows = make.param(SUFFIX, [tokens.length, weight.shape[1]!], values.initWeights ? own : { normal: 1 });
  shared.set(weight, { tokens, rows });
  return shared.get(weight)!;
}

/** Output projections that follow the embedding. */
function tied(model: ModelShape, _: Values, make: MakeAt, shared: unknown): SiteParts {
  const linear = new Map<Linear, LinearPart>();
  for (const layer of model.layers.values()) {
    const { weight } = model.weightsOf(layer);
    const own = (shared as RowsByTable).get(weight);
    if (layer.kind !== "embedding" || !own) continue;
    const heads = tiedHeads(model, layer);
    for (const head of heads) linear.set(head, tokenHead(head, own));
    for (const name of [...heads.map((head) => head.name), ...stackTables(model, layer)]) {
      make(name).exported(SUFFIX, () => ({ shape: own.rows.shape, values: own.rows.values().slice() }));
    }
  }
  return { linear };
}
