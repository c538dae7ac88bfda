/** Blanks at the ends go, or accents. Rust counterpart: `normalizers/strip.rs`. */
import type { Fields } from "../fields.ts";
import { type NormalizedString, TextChange } from "../normalized-string.ts";
import { isCombining, isWhitespace } from "../unicode/categories.ts";
import type { Normalizer } from "./normalizer.ts";

export function readStrip(fields: Fields): Normalizer {
  fields.only("strip_left", "strip_right");
  const [left, right] = [fields.boolean("strip_left"), fields.boolean("strip_right")];
  return (normalized) => strip(normalized, left, right);
}

function strip(normalized: NormalizedString, left: boolean, right: boolean): void {
  const { text } = normalized; // all blanks are one unit wide
  let start = 0;
  let end = text.length;
  while (left && start < text.length && isWhitespace(text.charCodeAt(start))) start++;
  while (right && end > 0 && isWhitespace(text.charCodeAt(end - 1))) end--;
  if (start === 0 && end === text.length) return;
  const change = new TextChange();
  if (start < end) for (const char of text.slice(start, end)) change.push(char.codePointAt(0)!, 0);
  normalized.transform(change, start);
}

export function readStripAccents(fields: Fields): Normalizer {
  fields.only();
  return (normalized) => normalized.filter((char) => !isCombining(char));
}
