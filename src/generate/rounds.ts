/** All texts of a call, one token of each per round. */
import { StateError } from "../core/errors.ts";
import type { Writing } from "./begin.ts";
import { Decoding, type PromptRoom } from "./decoding.ts";
import { eachToken } from "./each-token.ts";
import type { GenerationSettings } from "./generation-config.ts";
import type { Search } from "./search/search.ts";

/** A search that goes on, and the sequences of the decoding that its texts extend. */
interface Going {
  readonly search: Search;
  readonly parents: readonly number[];
}

/** A prompt for which something is written, and its number among all. */
interface Open extends PromptRoom {
  readonly search: Search;
  readonly number: number;
}

/**
 * Yields after each round, when new tokens are in the searches' drafts. Prompts are read one by one, so that what is read of one does
 * not depend on the others; texts that have ended leave the batch.
 */
export async function* rounds(writing: Writing): AsyncGenerator<void, void> {
  const { prompts } = writing;
  const open = prompts.flatMap(({ search, ...rest }, number) => (search === null ? [] : [{ ...rest, search, number }]));
  const batches = prompts.every(({ isSteady }) => isSteady) ? [open] : open.map((each) => [each]);
  for (const batch of batches) if (batch.length > 0) yield* together(writing, batch);
}

async function* together(
  { writer, settings, decoding: options, signal }: Writing,
  prompts: readonly Open[],
): AsyncGenerator<void, void> {
  if (signal?.aborted) return;
  const nextTurn = eachToken();
  const vocabulary = writer.vocabSize;
  using decoding = new Decoding(writer, prompts, options);
  let going: Going[] = [];
  for (const [p, { search }] of prompts.entries()) {
    const parents = search.advance(expectNumbers(decoding.begin(p), 0, settings));
    if (parents !== null) going.push({ search, parents: parents.map((row) => p * options.sequences + row) });
    yield;
    await nextTurn();
    if (signal?.aborted) return;
  }
  for (let made = 1; going.length > 0; made++) {
    decoding.reorder(going.flatMap(({ parents }) => parents));
    const logits = expectNumbers(decoding.step(going.flatMap(({ search }) => search.lastIds)), made, settings);
    let first = 0;
    going = going.flatMap(({ search, parents: { length } }) => {
      const start = first;
      first += length;
      const parents = search.advance(logits.subarray(start * vocabulary, first * vocabulary));
      return parents === null ? [] : [{ search, parents: parents.map((row) => start + row) }];
    });
    yield;
    if (going.length === 0) return;
    await nextTurn();
    if (signal?.aborted) return;
  }
}

function expectNumbers(logits: Float32Array, made: number, { removeInvalidValues }: GenerationSettings): Float32Array {
  if (removeInvalidValues || !logits.some(Number.isNaN)) return logits;
  throw new StateError(
    `generate: logits of token ${made + 1} are NaN, expected numbers: weights or adapter are broken`,
  );
}
