/** Classes of characters, as the crates know them that Rust's tokenizers are built with. */
import { codePointSet } from "../../core/patterns/code-point-set.ts";
import { NOT_COMBINING, NOT_NONSPACING, NOT_PUNCTUATION } from "./tables.ts";

/** Rust's `char::is_whitespace`. */
export const isWhitespace: (char: number) => boolean = codePointSet("\\p{White_Space}");

/** Rust's `char::is_numeric`. */
export const isNumeric: (char: number) => boolean = codePointSet("\\p{N}");

/** `is_punctuation` of the crate unicode_categories, and ASCII punctuation. */
export const isPunctuation: (char: number) => boolean = codePointSet(
  "[\\p{P}\\u166d\\u{111c9}!-\\/:-@[-`{-~]",
  NOT_PUNCTUATION,
);

/** `is_mark_nonspacing` of the crate unicode_categories. */
export const isNonspacing: (char: number) => boolean = codePointSet("[\\p{Mn}\\u1734\\u{1171e}]", NOT_NONSPACING);

/** `is_combining_mark` of the crate unicode-normalization-alignments. */
export const isCombining: (char: number) => boolean = codePointSet("[\\p{M}\\u1cf2\\u1cf3]", NOT_COMBINING);

/** `is_other` of the crate unicode_categories. */
export const isOther: (char: number) => boolean = codePointSet(
  "(?![\\u0890\\u0891\\u08e2\\u{110cd}\\u{13430}-\\u{1343f}])[\\p{Cc}\\p{Cf}\\p{Co}]",
);
