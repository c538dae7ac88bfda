/** Where tokenizers come from. Their code, a third of the library, is loaded with the first one. */
import type { SourceLike } from "../checkpoint/open.ts";
import type { Tokenizer } from "./tokenizer.ts";

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
   */
  async fromPretrained(from: SourceLike): Promise<Tokenizer> {
    const { loadTokenizer } = await import("./load-tokenizer.ts");
    return loadTokenizer(from);
  },
};
