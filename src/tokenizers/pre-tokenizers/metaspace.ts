/** SentencePiece's words: blanks become a mark that words begin with. Rust counterpart: `pre_tokenizers/metaspace.rs`. */
import { FormatError } from "../../core/errors.ts";
import type { Fields } from "../fields.ts";
import { literalMatcher } from "../patterns/literal-matcher.ts";
import { splitAt } from "../split-behavior.ts";
import type { PreTokenizer } from "./pre-tokenizer.ts";

const SCHEMES = ["first", "never", "always"] as const;

export interface Metaspace {
  readonly mark: string;
  /** Where a mark is put in front: at the beginning of the text, nowhere, or at that of every piece. */
  readonly scheme: (typeof SCHEMES)[number];
  readonly splits: boolean;
}

/** Reads the fields, which the decoder of this name has as well. */
export function readMetaspaceFields(fields: Fields): Metaspace {
  fields.only("replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep");
  const scheme = fields.oneOf("prepend_scheme", SCHEMES, "always");
  if (fields.has("add_prefix_space") && !fields.boolean("add_prefix_space") && scheme !== "never") {
    throw new FormatError(
      `${fields.path}.add_prefix_space is false, but prepend_scheme is "${scheme}"; expected prepend_scheme "never"`,
    );
  }
  return { mark: fields.char("replacement"), scheme, splits: !fields.has("split") || fields.boolean("split") };
}

export function readMetaspace(fields: Fields): PreTokenizer {
  const { mark, scheme, splits } = readMetaspaceFields(fields);
  const [blanks, marks] = [literalMatcher(" "), literalMatcher(mark)];
  return (text) =>
    text.split((normalized, push) => {
      const isFirst = normalized.origin === 0;
      normalized.replace(blanks(normalized.text), mark);
      const prepends = scheme === "always" || (scheme === "first" && isFirst);
      if (prepends && !normalized.text.startsWith(mark)) normalized.prepend(mark);
      if (splits) splitAt(normalized, marks, "MergedWithNext", push);
      else push(normalized);
    });
}
