/** Where tokenizers come from. Their code, a third of the library, is loaded with the first one. */
import type { SourceLike } from "../checkpoint/open.ts";
import type { TokenizerCall } from "./call-tokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A tokenizer that can be called, as those of transformers and transformers.js. */
export type PretrainedTokenizer = Tokenizer & TokenizerCall;

/** Loads tokenizers, by the name transformers gives this. */
export const AutoTokenizer = {
  /**
   * Reads tokenizer.json and the related files, as transformers does. Without one it converts vocab.txt, vocab.json
   * and merges.txt, or a sentencepiece model. Throws FormatError when a file is damaged, UnsupportedError when there is
   * none of these, or a setting cannot be honored.
   *
   * @example
   * const tokenizer = await AutoTokenizer.fromPretrained("models/stories260K");
   * tokenizer.decode(tokenizer.encode("Call me Ishmael."), { skipSpecialTokens: true });
   * const { inputIds, attentionMask } = tokenizer(["Call me Ishmael.", "Some years ago"], { maxLength: 32, truncation: true });
   */
  async fromPretrained(from: SourceLike): Promise<PretrainedTokenizer> {
    const { loadTokenizer } = await import("./load-tokenizer.ts");
    return (await loadTokenizer(from)) as PretrainedTokenizer;
  },
};
