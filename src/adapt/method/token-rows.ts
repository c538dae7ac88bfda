/**
 * Trained rows of a few tokens that replace those of the embedding's table, and of the output projection if it is the
 * same table. They are complete rows, not differences, so that they mean the same on a base whose rows for new tokens
 * are random.
 */
import { FormatError } from "../../core/errors.ts";
import { type Option, option, orNull } from "../../core/options.ts";
import type { Embedding } from "../../nn/layers/embedding.ts";
import type { Linear } from "../../nn/layers/linear.ts";
import { replaceColumns, replaceTokenRows } from "../../ops/embed/token-rows.ts";
import { addBias } from "../../ops/layout/columns.ts";
import type { WeightRows } from "../../ops/linear/fold.ts";
import { linear } from "../../ops/linear/linear.ts";
import { readElements } from "../../tensor/elements.ts";
import type { Param, Weight } from "../../tensor/tensor.ts";
import type { Engine } from "../../wasm/engine.ts";
import type { EmbeddingPart, LinearPart, ModelShape, SiteParts } from "./define-method.ts";
import type { MakeAt, Start } from "./tensor-maker.ts";

/** Rows [n, D] of n tokens. */
export interface TokenRows {
  readonly tokens: readonly number[];
  readonly rows: Param;
}

function isIds(value: unknown): boolean {
  const isId = (id: unknown) => Number.isSafeInteger(id) && (id as number) >= 0;
  return Array.isArray(value) && value.length > 0 && value.every(isId) && new Set(value).size === value.length;
}

/** An option that is a list of token ids; null by default. */
export function tokenIds(help: string): Option<readonly number[] | null> {
  return orNull(option<readonly number[]>([], "a list of distinct token ids", isIds, help));
}

/** Token ids, or token ids by the end of an embedding's name. */
export type TokensByEmbedding = readonly number[] | Readonly<Record<string, readonly number[]>>;

/** An option that is a list of token ids for the model's own embedding, or lists by the ends of embeddings' names. */
export function tokenIdsByEmbedding(help: string): Option<TokensByEmbedding | null> {
  const isRecord = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  const is = (value: unknown) => isIds(value) || (isRecord(value) && Object.values(value as object).every(isIds));
  return orNull(
    option<TokensByEmbedding>([], "a list of distinct token ids, or an object of such lists by embedding", is, help),
  );
}

/** Starts as the tokens' rows of the table [V, D]. Throws FormatError for an id outside the table. */
export function ownRows(table: Weight, tokens: readonly number[], engine: Engine): Start {
  const [count, width] = table.shape as [number, number];
  const unknown = tokens.filter((token) => token >= count);
  if (unknown.length > 0) {
    throw new FormatError(
      `token ids ${unknown.join(", ")} are not in "${table.name}", which has ${count}: resize the vocabulary first`,
    );
  }
  return (values) => {
    tokens.forEach((token, j) => {
      values.set(readElements(engine.memory, table, token * width, (token + 1) * width), j * width);
    });
  };
}

export function tokenEmbedding({ tokens, rows }: TokenRows): EmbeddingPart {
  return {
    forward: (y, ids) => replaceTokenRows(y, ids, tokens, rows),
    fold: () => (piece) => foldRows(piece, { tokens, rows }),
    change: rows,
  };
}

/** The logits of the tokens by their new rows. */
export function tokenHead(layer: Linear, { tokens, rows }: TokenRows): LinearPart {
  return {
    forward(x, deltas, below, biased) {
      const y = replaceColumns(below(x, deltas, false), tokens, linear(x, rows, "out-in", null));
      return biased && layer.bias !== null ? addBias(y, layer.bias) : y;
    },
    fold: () => (piece) => foldRows(piece, { tokens, rows }),
    change: rows,
  };
}

/** Output projections whose weight is the embedding's own table. */
export function tiedHeads(model: ModelShape, embedding: Embedding): Linear[] {
  const { weight } = model.weightsOf(embedding);
  return Array.from(model.layers.values()).filter(
    (layer): layer is Linear => layer.kind === "linear" && model.weightsOf(layer).weight === weight,
  );
}

/** What a table that stacks share is called in each of them: T5's "shared" is "encoder.embed_tokens" too. Files name all of these. */
export function stackTables({ layers }: ModelShape, { name }: Embedding): string[] {
  const shared = /^(.*\.)?shared$/.exec(name);
  if (shared === null) return [];
  const stacks = ["encoder", "decoder"].map((stack) => `${shared[1] ?? ""}${stack}.`);
  const there = stacks.filter((stack) => Array.from(layers.keys()).some((layer) => layer.startsWith(stack)));
  return there.map((stack) => `${stack}embed_tokens`);
}

/** The embedding of the model's tokens. Throws FormatError if there is none. */
export function inputEmbedding({ layers, modelType }: ModelShape): Embedding {
  for (const layer of layers.values()) if (layer.kind === "embedding") return layer;
  throw new FormatError(`"${modelType}" embeds no tokens, so there are none to train`);
}

function foldRows({ tape, ptr, start, end }: WeightRows, { tokens, rows }: TokenRows): void {
  if (tape.planning) return;
  const width = rows.shape[1]!;
  const piece = tape.memory.f32(ptr, (end - start) * width);
  tokens.forEach((token, j) => {
    if (token < start || token >= end) return;
    piece.set(rows.values().subarray(j * width, (j + 1) * width), (token - start) * width);
  });
}

/**
 * Trained rows in addition to another method: saved as token_adapter.trainable_tokens_delta [n, D] of the embedding.
 */
export function tokenSites(model: ModelShape, chosen: TokensByEmbedding | null, make: MakeAt): SiteParts {
  const linear = new Map<Linear, LinearPart>();
  const embedding = new Map<Embedding, EmbeddingPart>();
  for (const [layer, tokens] of chosen === null ? [] : tokensByEmbedding(model, chosen)) {
    const at = make(layer.name);
    const start = ownRows(layer.weight, tokens, at.engine);
    const own = { tokens, rows: at.param("token_adapter.trainable_tokens_delta", [tokens.length, layer.width], start) };
    embedding.set(layer, tokenEmbedding(own));
    for (const head of tiedHeads(model, layer)) linear.set(head, tokenHead(head, own));
  }
  return { linear, embedding };
}

function tokensByEmbedding(model: ModelShape, chosen: TokensByEmbedding): Map<Embedding, readonly number[]> {
  if (Array.isArray(chosen)) return new Map([[inputEmbedding(model), chosen as readonly number[]]]);
  const embeddings = Array.from(model.layers.values()).filter((layer) => layer.kind === "embedding");
  const found = Object.entries(chosen as Readonly<Record<string, readonly number[]>>).map(([ending, tokens]) => {
    const layers = embeddings.filter(({ name }) => name.endsWith(ending));
    if (layers.length > 0) return layers.map((layer) => [layer, tokens] as const);
    const names = embeddings.map(({ name }) => `"${name}"`).join(", ");
    throw new FormatError(`trainableTokenIndices: no embedding ends in "${ending}", the model has ${names}`);
  });
  return new Map(found.flat());
}
