/** GPT-2's way to write bytes as letters: visible ones as themselves, others from U+0100 on. */
import { type NormalizedString, TextChange } from "./normalized-string.ts";

/** The letter of each byte, as a code point. */
const LETTERS: readonly number[] = /* @__PURE__ */ makeLetters();

function makeLetters(): number[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const isVisible = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return isVisible ? byte : next++;
  });
}

/** The letter for a blank. */
export const BLANK_LETTER = 0x120;

/** Writes a text as letters for its bytes of UTF-8. */
export function toLetters(normalized: NormalizedString): void {
  const { text } = normalized;
  let letters = "";
  let plain = 0; // where what need not be changed begins
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) {
      normalized.transform(lettersOf(text));
      return;
    }
    if (unit > 0x20 && unit < 0x7f) continue;
    letters += text.slice(plain, i) + String.fromCharCode(LETTERS[unit]!);
    plain = i + 1;
  }
  if (plain > 0) normalized.mapped(letters + text.slice(plain));
}

function lettersOf(text: string): TextChange {
  const change = new TextChange();
  for (let i = 0; i < text.length; ) {
    const char = text.codePointAt(i)!;
    i += char > 0xffff ? 2 : 1;
    if (char < 0x80) change.push(LETTERS[char]!, 0);
    else if (char < 0x800) {
      change.push(LETTERS[0xc0 | (char >> 6)]!, 0);
      change.push(LETTERS[0x80 | (char & 63)]!, 1);
    } else {
      if (char < 0x10000) change.push(LETTERS[0xe0 | (char >> 12)]!, 0);
      else {
        change.push(LETTERS[0xf0 | (char >> 18)]!, 0);
        change.push(LETTERS[0x80 | ((char >> 12) & 63)]!, 1);
      }
      change.push(LETTERS[0x80 | ((char >> 6) & 63)]!, 1);
      change.push(LETTERS[0x80 | (char & 63)]!, 1);
    }
  }
  return change;
}

/** The bytes that a token's letters stand for; null if one of them is no such letter. */
export function bytesOfLetters(token: string): number[] | null {
  bytes ??= new Map(LETTERS.map((letter, byte) => [letter, byte]));
  const found: number[] = [];
  for (let i = 0; i < token.length; i++) {
    const byte = bytes.get(token.charCodeAt(i));
    if (byte === undefined) return null;
    found.push(byte);
  }
  return found;
}

let bytes: Map<number, number> | undefined;
