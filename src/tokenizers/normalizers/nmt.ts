/** Controls go, unusual blanks become blanks. Rust counterpart: `normalizers/unicode.rs`. */

import { codePointSet } from "../../core/patterns/code-point-set.ts";
import type { Fields } from "../fields.ts";
import { mapChars } from "./map-chars.ts";
import type { Normalizer } from "./normalizer.ts";

const DROPPED = "[\\u{1}-\\u{8}\\u{b}\\u{e}-\\u{1f}\\u{7f}\\u{8f}\\u{9f}]";
const BLANK = "[\\t\\n\\f\\r\\u1680\\u200b-\\u200f\\u2028\\u2029\\u2581\\ufeff\\ufffd]";

export function readNmt(fields: Fields): Normalizer {
  fields.only();
  const [isDropped, isBlank] = [codePointSet(DROPPED), codePointSet(BLANK)];
  return (normalized) => {
    normalized.filter((char) => !isDropped(char));
    mapChars(normalized, (char) => (isBlank(char) ? 0x20 : char));
  };
}
