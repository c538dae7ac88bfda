/** Which characters count as the same when case is ignored, as Oniguruma folds case. */

/** The characters that fold as `char` does, itself included. */
export function sameFold(char: number): number[] {
  if (char < 0x80) return asciiFold(char);
  const text = `\\u{${char.toString(16)}}`;
  const same = new RegExp(`^${text}$`, "iu");
  return [char, ...cased().filter((each) => each !== char && same.test(String.fromCodePoint(each)))];
}

/** Long s and the Kelvin sign fold to ASCII letters. */
function asciiFold(char: number): number[] {
  const letter = String.fromCharCode(char);
  if (!/[a-z]/i.test(letter)) return [char];
  const lower = letter.toLowerCase().charCodeAt(0);
  const more = lower === 0x73 ? [0x17f] : lower === 0x6b ? [0x212a] : [];
  return [lower, lower - 32, ...more];
}

/** Whether the character is the same as several others in a row, as ß is as ss. */
export function foldsToSeveral(char: number): boolean {
  return several().some(([from]) => from === char);
}

/** Whether a text, given in small letters, holds several characters that are the same as one. */
export function holdsSeveral(text: string): boolean {
  return several().some(([, folded]) => text.includes(folded));
}

/** Whether one of the characters [first, last] is the same as several others in a row. */
export function rangeFoldsToSeveral(first: number, last: number): boolean {
  return several().some(([from]) => from >= first && from <= last);
}

/** The characters [first, last] and all that fold as they do. */
export function foldRange(first: number, last: number): number[] {
  const found = new Set<number>();
  for (const char of [...(first < 0x80 ? asciiRange(first, Math.min(last, 0x7f)) : []), ...cased()]) {
    if (char >= first && char <= last) for (const same of sameFold(char)) found.add(same);
  }
  return [...found].filter((char) => char < first || char > last);
}

function asciiRange(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

let casedChars: number[] | undefined;
let severalChars: (readonly [number, string])[] | undefined;

/** Characters beyond ASCII that have another case. */
function cased(): number[] {
  casedChars ??= codePoints().filter((char) => {
    const text = String.fromCodePoint(char);
    return text.toLowerCase() !== text || text.toUpperCase() !== text;
  });
  return casedChars;
}

function several(): (readonly [number, string])[] {
  severalChars ??= cased().flatMap((char) => {
    const text = String.fromCodePoint(char);
    const folded = text.toUpperCase().toLowerCase();
    const lower = text.toLowerCase().toUpperCase().toLowerCase();
    return [folded, lower].filter((each) => Array.from(each).length > 1).map((each) => [char, each] as const);
  });
  return severalChars;
}

/** All beyond ASCII up to the last character with case, but Han and Hangul. */
function codePoints(): number[] {
  const found: number[] = [];
  for (let char = 0x80; char < 0x1ea00; char++) {
    if (char === 0x3000) char = 0xa000;
    if (char === 0xac00) char = 0xf900;
    found.push(char);
  }
  return found;
}
