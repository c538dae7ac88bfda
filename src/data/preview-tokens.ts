/** A row as it will be trained, for people to look at. */
import { IGNORED } from "../core/labels.ts";
import { StreamDecoder } from "../text/stream-decoder.ts";
import type { LabelledIds, Tokenizer } from "../text/tokenizer.ts";

/** One token: its text as it joins those before it, and whether its prediction is learned. */
export interface PreviewToken {
  readonly id: number;
  /** Empty where a later token completes the character. */
  readonly text: string;
  readonly learned: boolean;
}

/**
 * The tokens of an encoded row for a language model. The first one is never learned, because nothing comes before it; `first` is 0
 * where labels are not those of the next token.
 *
 * @example
 * for (const { text, learned } of previewTokens(tokenizer, row)) write(learned ? green(text) : text);
 */
export function previewTokens(tokenizer: Tokenizer, { inputIds, labels }: LabelledIds, first = 1): PreviewToken[] {
  const decoder = new StreamDecoder(tokenizer, { skipSpecialTokens: false });
  return inputIds.map((id, i) => {
    const piece = decoder.push(id);
    const text = i === inputIds.length - 1 ? piece + decoder.end() : piece;
    return { id, text, learned: i >= first && labels[i] !== IGNORED };
  });
}
