/** Small letters, character by character: unlike JavaScript, Rust knows no final sigma here. Rust counterpart: `normalizers/utils.rs`. */
import { type NormalizedString, TextChange } from "../normalized-string.ts";

const SIGMA = /\u03a3/g;
/** The one character whose small letter is two. */
const DOTTED_I = "\u0130";

export function lowercase(normalized: NormalizedString): void {
  const { text } = normalized;
  if (!text.includes(DOTTED_I)) {
    const lower = text.replace(SIGMA, "\u03c3").toLowerCase();
    if (lower !== text) normalized.mapped(lower);
    return;
  }
  const change = new TextChange();
  for (const char of text) {
    let step = 0;
    for (const lower of char.toLowerCase()) {
      change.push(lower.codePointAt(0)!, step);
      step = 1;
    }
  }
  normalized.transform(change);
}
