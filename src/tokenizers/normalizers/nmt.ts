/** Controls go, unusual blanks become blanks. Rust counterpart: `normalizers/unicode.rs`. */
import type { Fields } from "../fields.ts";
import { mapChars } from "./map-chars.ts";
import type { Normalizer } from "./normalizer.ts";

const DROPPED = /[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]/;
const BLANK = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/;

export function readNmt(fields: Fields): Normalizer {
  fields.only();
  const isIn = (pattern: RegExp) => (char: number) => char <= 0xffff && pattern.test(String.fromCharCode(char));
  const [isDropped, isBlank] = [isIn(DROPPED), isIn(BLANK)];
  return (normalized) => {
    if (DROPPED.test(normalized.text)) normalized.filter((char) => !isDropped(char));
    if (BLANK.test(normalized.text)) mapChars(normalized, (char) => (isBlank(char) ? 0x20 : char));
  };
}
