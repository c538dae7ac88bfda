/** The prompts of a call, checked. */
import { FormatError } from "../core/errors.ts";
import type { TokenIds } from "./generate-options.ts";

const EXPECTED = "expected a list of token ids, such as tokenizer.encode(text), or a list of such lists";

const isIds = (value: unknown): value is TokenIds => Array.isArray(value) || value instanceof Int32Array;

/** Whether they are several prompts: a list of lists. */
export function isBatch(inputIds: TokenIds | readonly TokenIds[]): inputIds is readonly TokenIds[] {
  return Array.isArray(inputIds) && inputIds.length > 0 && inputIds.every(isIds);
}

/** The ids of each prompt. Throws FormatError unless they are ids of the model's vocabulary. */
export function promptsOf(inputIds: unknown, vocabSize: number): number[][] {
  if (!isIds(inputIds)) {
    const found = typeof inputIds === "string" ? "a string" : inputIds === null ? "null" : `an ${typeof inputIds}`;
    const names = typeof inputIds === "object" && inputIds !== null && "inputIds" in inputIds;
    throw new FormatError(`generate: the prompt is ${found}, ${EXPECTED}${names ? ": give its inputIds" : ""}`);
  }
  if (!isBatch(inputIds)) return [idsOf("the prompt", inputIds, vocabSize)];
  return inputIds.map((ids, i) => idsOf(`prompt ${i}`, ids, vocabSize));
}

function idsOf(what: string, ids: TokenIds, vocabSize: number): number[] {
  if (ids.length === 0) {
    throw new FormatError(`generate: ${what} has no tokens, expected at least the beginning-of-sequence token`);
  }
  Array.prototype.forEach.call(ids, (id: unknown, i: number) => {
    const shown = typeof id === "number" ? String(id) : JSON.stringify(id);
    if (!Number.isSafeInteger(id) || (id as number) < 0)
      throw new FormatError(
        `generate: ${what} has ${shown} at position ${i}, expected token ids: whole numbers from 0`,
      );
    if ((id as number) < vocabSize) return;
    throw new FormatError(
      `generate: ${what} has id ${shown} at position ${i}, expected ids from 0 to ${vocabSize - 1}, the model's vocabulary; is the tokenizer another model's?`,
    );
  });
  return [...ids];
}
