/** Where tokenizers come from. Their code, a third of the library, is loaded with the first one. */
import type { SourceLike } from "../checkpoint/open.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Loads tokenizers, by the name transformers gives this. */
export const AutoTokenizer = {
  /**
   * Reads tokenizer.json and what lies beside it. Throws FormatError when a file is damaged, UnsupportedError when
   * there is no tokenizer.json (a SentencePiece or vocabulary file alone is not read).
   *
   * @example
   * const tokenizer = await AutoTokenizer.fromPretrained("models/stories260K");
   * tokenizer.decode(tokenizer.encode("Call me Ishmael."), { skipSpecialTokens: true });
   */
  async fromPretrained(from: SourceLike): Promise<Tokenizer> {
    const { loadTokenizer } = await import("./tokenizer.ts");
    return loadTokenizer(from);
  },
};
