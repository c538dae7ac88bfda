/** A row as it will be trained, for people to look at. */
import { StreamDecoder } from "../text/stream-decoder.ts";
import type { LabelledIds, Tokenizer } from "../text/tokenizer.ts";

/** One token: its text as it joins those before it, and whether its prediction is trained. */
export interface PreviewToken {
  readonly id: number;
  /** Empty where a later token completes the character. */
  readonly text: string;
  readonly learned: boolean;
}

const IGNORED = -100;

/**
 * The tokens of an encoded row for CAUSAL_LM. The first one is never trained because nothing comes before it.
 *
 * @example
 * for (const { text, learned } of previewTokens(tokenizer, row)) write(learned ? green(text) : text);
 */
export function previewTokens(tokenizer: Tokenizer, { inputIds, labels }: LabelledIds): PreviewToken[] {
  const decoder = new StreamDecoder(tokenizer, { skipSpecialTokens: false });
  return inputIds.map((id, i) => {
    const piece = decoder.push(id);
    const text = i === inputIds.length - 1 ? piece + decoder.end() : piece;
    return { id, text, learned: i > 0 && labels[i] !== IGNORED };
  });
}
