/** Exchanges single characters. */
import { type NormalizedString, TextChange } from "../normalized-string.ts";

export function mapChars(normalized: NormalizedString, map: (char: number) => number): void {
  const { text } = normalized;
  const change = new TextChange();
  let isSame = true;
  for (let i = 0; i < text.length; ) {
    const char = text.codePointAt(i)!;
    i += char > 0xffff ? 2 : 1;
    const mapped = map(char);
    if (mapped !== char) isSame = false;
    change.push(mapped, 0);
  }
  if (!isSame) normalized.transform(change);
}
