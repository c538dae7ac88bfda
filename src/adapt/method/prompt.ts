/**
 * Shared by prompt methods: the sizes that PEFT writes in their configs, and rows before the embedded tokens of a
 * sequence.
 */
import { FormatError, UnsupportedError } from "../../core/errors.ts";
import type { ValuesOf } from "../../core/options.ts";
import { Philox } from "../../core/random/philox.ts";
import type { Shape } from "../../core/shape.ts";
import type { Attention } from "../../nn/layers/attention.ts";
import type { Embedding } from "../../nn/layers/embedding.ts";
import type { Stack, VirtualTokens } from "../../nn/pass/virtual-tokens.ts";
import { sliceRows } from "../../ops/layout/rows.ts";
import { linear } from "../../ops/linear/linear.ts";
import { lift } from "../../ops/linear/product.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import { readElements } from "../../tensor/elements.ts";
import type { ModelShape, promptCommon } from "./define-method.ts";
import { kaimingUniform, type Make, type Start } from "./tensor-maker.ts";

/** The prefix of copied heads' keys: PEFT wraps the model one level less than for other methods. */
export const PROMPT_PREFIX = "base_model.";

type PromptValues = ValuesOf<typeof promptCommon>;

/** The sizes of the model in configs of prompt methods. */
export interface PromptSizes {
  readonly tokenDim: number;
  /** The number of stacks in the row count: 2 for an encoder-decoder. */
  readonly numTransformerSubmodules: number;
  readonly numAttentionHeads: number;
  readonly numLayers: number;
}

/** The option checks of every prompt method. */
export function checkPrompt({ numVirtualTokens }: PromptValues, spell: (name: string) => string): string | null {
  return numVirtualTokens === null ? `"${spell("numVirtualTokens")}" is missing: set it, for example to 20` : null;
}

/** Sizes for rows before the embedded tokens. Throws UnsupportedError for a model that embeds no tokens. */
export function promptSizes(given: PromptValues, model: ModelShape): PromptSizes {
  const sites = attentionsOf(model, "encoder");
  return {
    tokenDim: agreed("tokenDim", given.tokenDim, tokensOf(model).width, "the width of the token embedding"),
    numTransformerSubmodules: given.numTransformerSubmodules ?? model.traits.stacks.length,
    numAttentionHeads: given.numAttentionHeads ?? sites[0]!.shape.heads,
    numLayers: given.numLayers ?? sites.length,
  };
}

/** Sizes for rows before the keys and values of each layer: with grouped queries, PEFT counts the key heads. */
export function prefixSizes(given: PromptValues, model: ModelShape): PromptSizes {
  tokensOf(model);
  const sites = attentionsOf(model, "decoder");
  const { kvHeads, headDim } = sites[0]!.shape;
  const width = "the width of the model's keys";
  return {
    tokenDim: agreed("tokenDim", given.tokenDim, kvHeads * headDim, width),
    numTransformerSubmodules: given.numTransformerSubmodules ?? model.traits.stacks.length,
    numAttentionHeads: agreed("numAttentionHeads", given.numAttentionHeads, kvHeads, "its number of heads"),
    numLayers: agreed("numLayers", given.numLayers, sites.length, "its number of layers"),
  };
}

function agreed(option: string, given: number | null, own: number, what: string): number {
  if (given === null || given === own) return own;
  throw new FormatError(`"${option}" is ${given}, expected ${own}, ${what}: omit it to have it filled in`);
}

/** Rows of all stacks, by the width of the embedding. The sizes have been filled in. */
export function tableShape({ numVirtualTokens, numTransformerSubmodules, tokenDim }: PromptValues): [number, number] {
  return [numVirtualTokens! * numTransformerSubmodules!, tokenDim!];
}

/** The token embedding, which every model creates first. */
export function tokensOf({ layers, modelType }: ModelShape): Embedding {
  const found = Array.from(layers.values()).find(({ kind }) => kind === "embedding");
  if (found) return found as Embedding;
  throw new UnsupportedError(`"${modelType}" embeds no tokens, so it cannot have virtual ones: choose another method`);
}

/** The self-attention of each layer of a stack, or of the only stack. */
function attentionsOf({ sites, traits, modelType }: ModelShape, stack: Stack): Attention[] {
  const all = sites.filter((site) => site.kind === "attention");
  const ofDecoder = all.filter(({ name }) => /(^|\.)decoder\./.test(name));
  if (ofDecoder.length === 0) return all;
  if (traits.stacks.length > 1)
    return stack === "decoder" ? ofDecoder : all.filter((site) => !ofDecoder.includes(site));
  throw new UnsupportedError(
    `"${modelType}" for ${traits.name} has an encoder and a decoder, and virtual tokens have no published meaning for it: choose another method`,
  );
}

/**
 * Rows before the embedded tokens. `begin` computes, once per pass, a function that returns the rows [n · stacks, D] of
 * a task. The encoder uses the first n; a decoder after it uses the rest, or none.
 */
export function promptTokens(
  { traits }: ModelShape,
  { numVirtualTokens }: PromptValues,
  begin: (tape: Tape) => (taskId: number) => Value,
  { inDecoder = false }: { inDecoder?: boolean } = {},
): VirtualTokens {
  const count = numVirtualTokens!;
  const second = (stack: Stack) => traits.stacks.indexOf(stack) > 0;
  return {
    promptLength: (stack) => (second(stack) && !inDecoder ? 0 : count),
    prefixLength: () => 0,
    begin(tape, stack) {
      const table = begin(tape);
      const start = second(stack) ? count : 0;
      const made = new Map<number, Value>();
      const rows = (taskId: number): Value => {
        if (!made.has(taskId)) made.set(taskId, sliceRows(table(taskId), [{ start, end: start + count }]));
        return made.get(taskId)!;
      };
      return { prompt: rows, prefix: () => null };
    },
  };
}

/** Initializations of a table of rows: random, from the embeddings of random tokens, or from those of a text. */
export interface TableStart {
  readonly promptTuningInit: string;
  readonly promptTuningInitIds: readonly number[] | null;
}

/** The initial table [rows, D] of virtual tokens. A text shorter than the table is repeated. */
export function tableStart(
  { promptTuningInit, promptTuningInitIds }: TableStart,
  model: ModelShape,
  make: Make,
): Start {
  if (promptTuningInit === "RANDOM") return { normal: 1 };
  const tokens = tokensOf(model);
  return (values) => {
    const count = values.length / tokens.width;
    const random = new Philox(make.seed);
    const ids =
      promptTuningInit === "SAMPLE_VOCAB"
        ? Array.from({ length: count }, () => Math.floor(random.uniform() * tokens.rows))
        : repeated(promptTuningInitIds, count, tokens.rows);
    const { weight } = model.weightsOf(tokens);
    ids.forEach((id, row) => {
      const from = id * tokens.width;
      values.set(readElements(make.engine.memory, weight, from, from + tokens.width), row * tokens.width);
    });
  };
}

function repeated(ids: readonly number[] | null, count: number, vocabulary: number): number[] {
  if (ids === null || ids.length === 0)
    throw new FormatError(
      '"promptTuningInit" is "TEXT", but "promptTuningInitIds" has no ids: pass the ids of the text',
    );
  const foreign = ids.find((id) => id >= vocabulary);
  if (foreign !== undefined)
    throw new FormatError(
      `"promptTuningInitIds" has ${foreign}, expected ids from 0 to ${vocabulary - 1}, the model's vocabulary`,
    );
  return Array.from({ length: count }, (_, row) => ids[row % ids.length]!);
}

/**
 * A table of virtual tokens that a network computes from trained rows [rows, D]. No file contains the network: its
 * result is saved as `prompt_embeddings`, and an adapter read from a file has only that table.
 */
export function trainedBehind(
  make: Make,
  rows: Shape,
  table: Shape,
  network: (make: Make) => (rows: Value) => Value,
): (tape: Tape) => Value {
  if (make.loading) {
    const plain = make.param("prompt_embeddings", table, "zeros");
    return (tape) => lift(tape, plain);
  }
  const embedding = make.param("embedding.weight", rows, { normal: 1 }, { saved: false });
  const forward = network(make);
  const compute = (tape: Tape) => tape.scope(() => forward(lift(tape, embedding)));
  make.exported("prompt_embeddings", () => ({
    shape: table,
    values: make.once((tape) => tape.download(compute(tape))),
  }));
  return compute;
}

/** x·Wᵀ + bias with weights that are trained but not saved, initialized like torch's nn.Linear by default. */
export function linearOf(
  make: Make,
  name: string,
  inputs: number,
  outputs: number,
  start: Start = kaimingUniform(inputs),
): (x: Value) => Value {
  const weight = make.param(`${name}.weight`, [outputs, inputs], start, { saved: false });
  const bias = make.param(`${name}.bias`, [outputs], start, { saved: false });
  return (x) => linear(x, weight, "out-in", bias);
}
