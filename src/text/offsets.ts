/** Which characters of a text each of its tokens stands for. */
import type { TokenEncoding } from "../tokenizers/encoding.ts";

/** [start, end) in UTF-16 code units. A token of part of a character (bytes) has all of it. */
export type Offsets = readonly [start: number, end: number];

/** The tokenizer counts in code points, as Python does. */
export function offsetsInUnits(text: string, { starts, ends }: TokenEncoding): Offsets[] {
  const units: number[] = [];
  for (let i = 0; i < text.length; i += (text.codePointAt(i) ?? 0) > 0xffff ? 2 : 1) units.push(i);
  units.push(text.length);
  return starts.map((start, i) => [units[start] ?? text.length, units[ends[i]!] ?? text.length]);
}
