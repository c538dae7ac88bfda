/** Offsets without the blanks at a token's ends. Rust counterpart: `process_offsets` of `pre_tokenizers/byte_level.rs`. */
import { BLANK_LETTER } from "../byte-alphabet.ts";
import type { TokenEncoding } from "../encoding.ts";
import { isWhitespace } from "../unicode/categories.ts";

const isBlank = (unit: number) => unit === BLANK_LETTER || isWhitespace(unit);

/** `prefixed`: a blank was put in front of the text, so one at its beginning is not counted. */
export function trimOffsets(encoding: TokenEncoding, prefixed: boolean): void {
  const { tokens, starts, ends } = encoding;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    let leading = 0;
    let trailing = 0;
    while (leading < token.length && isBlank(token.charCodeAt(leading))) leading++;
    while (trailing < token.length && isBlank(token.charCodeAt(token.length - 1 - trailing))) trailing++;
    if (leading > 0) {
      const isFirst = i === 0 || starts[i] === 0;
      if (isFirst && prefixed && leading === 1) leading = 0;
      starts[i] = Math.min(starts[i]! + leading, ends[i]!);
    }
    if (trailing > 0 && ends[i]! >= trailing) ends[i] = Math.max(ends[i]! - trailing, starts[i]!);
  }
  for (const each of encoding.overflowing) trimOffsets(each, prefixed);
}
