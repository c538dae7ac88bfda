/** A pattern gives way to a text. Rust counterpart: `normalizers/replace.rs`. */
import type { Fields } from "../fields.ts";
import { readPattern } from "../patterns/read-pattern.ts";
import type { Normalizer } from "./normalizer.ts";

export function readReplace(fields: Fields): Normalizer {
  fields.only("pattern", "content");
  const find = readPattern(fields);
  const content = fields.string("content");
  return (normalized) => normalized.replace(find(normalized.text), content);
}
