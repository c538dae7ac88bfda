/** A text as it is written. */
import { FormatError } from "../core/errors.ts";
import { generateTokens } from "./generate.ts";
import type { GenerateOptions, GenerationModel, TokenIds } from "./generate-options.ts";
import type { Decodes } from "./stop-strings.ts";

/** What is asked of a tokenizer: `Tokenizer` is one. */
export interface StreamTokenizer extends Decodes {
  readonly stopTokenIds: readonly number[];
  encode(text: string): number[];
  streamDecoder(options?: { after?: readonly number[] }): { push(id: number): string; end(): string };
}

/** See load-generate.ts, by which users reach it. */
export async function* streamText(
  model: GenerationModel,
  tokenizer: StreamTokenizer,
  prompt: string | TokenIds,
  options: GenerateOptions = {},
): AsyncGenerator<string, void> {
  const isTokenizer = typeof tokenizer?.streamDecoder === "function";
  if (!isTokenizer) throw new FormatError("stream: the second argument is not a tokenizer, expected the model's own");
  const ids = typeof prompt === "string" ? tokenizer.encode(prompt) : prompt;
  const decoder = tokenizer.streamDecoder({ after: isContinued(model) ? [...ids] : [] });
  const { onToken, ...rest } = options;
  for await (const id of generateTokens(model, ids, { eosTokenId: tokenizer.stopTokenIds, tokenizer, ...rest })) {
    onToken?.(id, 0);
    const piece = decoder.push(id);
    if (piece !== "") yield piece;
  }
  const last = decoder.end();
  if (last !== "") yield last;
}

/** Whether the text goes on where the prompt ends, so that a leading blank counts. */
function isContinued(model: GenerationModel): boolean {
  const base = "base" in model ? model.base : model;
  return base.traits.stacks.length === 1;
}
