/** Lengths in bytes of UTF-8. */

/** Bytes of the units [from, to) of a text without lone surrogates. */
export function utf8Length(text: string, from = 0, to: number = text.length): number {
  let bytes = 0;
  for (let i = from; i < to; i++) {
    const unit = text.charCodeAt(i);
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 2 : 3;
  }
  return bytes;
}

/** The unit of the character that each byte is of. */
export function unitsOfBytes(text: string): number[] {
  const units: number[] = [];
  for (let i = 0; i < text.length; ) {
    const width = (text.codePointAt(i) ?? 0) > 0xffff ? 2 : 1;
    for (let byte = utf8Length(text, i, i + width); byte > 0; byte--) units.push(i);
    i += width;
  }
  return units;
}
