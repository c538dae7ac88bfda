/**
 * More or fewer rows in a model's table of tokens, and in its output projection: transformers' `resize_token_embeddings`.
 *
 * New rows are drawn from N(μ, 10⁻⁹·Σ), where μ and Σ are mean and covariance of the old rows (Hewitt 2021, "Initializing new word
 * embeddings for pretrained language models"); where there are not more old rows than columns Σ is singular, and they are μ.
 */
import { StateError } from "../../core/errors.ts";
import { Philox } from "../../core/random/philox.ts";
import { expectDense, readElements, storedBytes, writeElements } from "../../tensor/elements.ts";
import { allocateFrozen } from "../../tensor/frozen.ts";
import { Param, type Weight } from "../../tensor/tensor.ts";
import type { Engine } from "../../wasm/engine.ts";
import type { Module } from "../layers/weights.ts";
import type { Model } from "../tasks/model.ts";

/** How a table of tokens grows. */
export interface ResizeOptions {
  /** Round the number of rows up to a multiple of this. */
  readonly padToMultipleOf?: number | null;
  /** Start new rows at the old rows' mean; otherwise from N(0, `initializer_range`²). True by default. */
  readonly meanResizing?: boolean;
  /** Decides what is drawn. */
  readonly seed?: number;
}

/** What the new rows vary by, as a share of the old rows' covariance. */
const SHARE = 1e-9;
/** Old rows that the variation of a new one is made of, at most: enough for its distribution. */
const MOST = 4096;

/**
 * Gives the table of tokens, and an output projection, `rows` rows: transformers' `resize_token_embeddings`. Null keeps as many as
 * there are, rounded up to `padToMultipleOf`. Returns their number. New rows start at the mean of the others: train them, by
 * `trainableTokenIndices` or `modulesToSave`. Throws StateError for a model with adapters: resize it first.
 *
 * @example
 * resizeTokenEmbeddings(base, tokenizer.vocabSize, { padToMultipleOf: 64 });
 */
export function resizeTokenEmbeddings(model: Model, rows: number | null, options: ResizeOptions = {}): number {
  model.expectLive("resizeTokenEmbeddings");
  model.uses.expectNone("resizeTokenEmbeddings");
  if (model.adapterCount > 0)
    throw new StateError(
      "the model has an adapter, whose tensors fit its table of tokens as it is: resize the model first",
    );
  const { padToMultipleOf = null } = options;
  const [embedding] = Array.from(model.modules.values()).filter(({ kind }) => kind === "embedding");
  if (embedding === undefined)
    throw new StateError(`"${model.modelType}" embeds no tokens: there is no table to resize`);
  const multiple = padToMultipleOf ?? 1;
  const wanted = rows ?? embedding.weight.shape[0]!;
  for (const [name, value] of Object.entries({ rows: wanted, padToMultipleOf: multiple })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new StateError(`resizeTokenEmbeddings: "${name}" is ${value}, expected a whole number of at least 1`);
  }
  const count = Math.ceil(wanted / multiple) * multiple;
  const head = model.modules.get(model.headName);
  const tables = new Set([embedding.weight, ...(head ? [head.weight] : [])]);
  for (const [i, table] of [...tables].entries()) {
    const resized = resizedTable(model, table, count, { ...options, seed: (options.seed ?? 0) + i });
    for (const module of model.modules.values()) if (module.weight === table) (module as Module).weight = resized;
    table.dispose();
  }
  model.resized(count);
  return count;
}

function resizedTable({ engine, config }: Model, table: Weight, rows: number, options: ResizeOptions): Weight {
  const { dtype } = expectDense(table);
  const [old, width] = table.shape as [number, number];
  const resized =
    table.kind === "param"
      ? new Param(engine.memory, table.name, [rows, width], table.ptr)
      : allocateFrozen(engine.memory, table.name, [rows, width], dtype, false, undefined, table.ptr);
  const kept = Math.min(old, rows) * (storedBytes(engine.memory, table).length / old);
  storedBytes(engine.memory, resized).set(storedBytes(engine.memory, table).subarray(0, kept));
  if (table.kind === "param" && table.trainable) (resized as Param).setTrainable(true);
  const { meanResizing = true, seed = 0 } = options;
  const range = typeof config.initializer_range === "number" ? config.initializer_range : 0.02;
  const random = new Philox(seed, old);
  const draw = meanResizing
    ? nearMean(engine, table, random)
    : () => Float32Array.from({ length: width }, () => range * random.normal());
  for (let row = old; row < rows; row++) writeElements(engine.memory, resized, row * width, draw());
  return resized;
}

/** Rows from N(μ, 10⁻⁹·Σ): μ and, for the rest, a random sum of old rows' differences from it, whose covariance that is. */
function nearMean({ memory }: Engine, table: Weight, random: Philox): () => Float32Array {
  const [rows, width] = table.shape as [number, number];
  const rowOf = (row: number) => readElements(memory, table, row * width, (row + 1) * width);
  const mean = new Float64Array(width);
  for (let row = 0; row < rows; row++) addScaled(mean, rowOf(row), 1 / rows);
  const terms = rows > width ? Math.min(rows, MOST) : 0;
  return () => {
    const drawn = Float64Array.from(mean);
    for (let k = 0; k < terms; k++) {
      const z = random.normal() * Math.sqrt(SHARE / terms);
      addScaled(drawn, rowOf(terms === rows ? k : random.below(rows)), z);
      addScaled(drawn, mean, -z);
    }
    return Float32Array.from(drawn);
  };
}

function addScaled(to: Float64Array, values: Float32Array | Float64Array, scale: number): void {
  for (let i = 0; i < to.length; i++) to[i]! += scale * values[i]!;
}
