/** Upper, lower and title case by Unicode's full mappings, and what kind of characters a string holds. */
import { codePoints, isSpace } from "./code-points.ts";
import { isPrintable } from "./print.ts";

const CASED = /\p{Cased}/u;
const IGNORABLE = /\p{Case_Ignorable}/u;
/** Digits that are not decimal ones. */
const DIGIT = /[\p{Nd}²³¹፩-፱᧚⁰⁴-⁹₀-₉①-⑨⑴-⑼⒈-⒐⓪⓵-⓽⓿❶-❾➀-➈➊-➒𐩀-𐩃𐹠-𐹨𑁒-𑁚🄀-🄊]/u;
/** Ideographs that stand for numbers. */
const NUMERIC =
  /[\p{N}㐅㒃㠪㭍一七万三九二五亖亿什仟仨伍佰億兆兩八六十千卅卌叁-叄四壱壹幺廾廿弌-弎弐拾捌柒漆玖百肆萬貮貳贰阡陆陌陸零\uf96b\uf973\uf978\uf9b2\uf9d1\uf9d3\uf9fd\u{2f890}𠀁𠁤𠃢𠄡𠤪𠦃𠦌𠦜𠫪𠫽𠬙𢎐𢦘𣬛𦉭𢆃]/u;

/** Lower case of character i; a capital sigma at the end of a word has a special form. */
function lowerAt(chars: readonly string[], i: number): string {
  if (chars[i] !== "Σ") return chars[i]!.toLowerCase();
  let before = i - 1;
  while (before >= 0 && IGNORABLE.test(chars[before]!)) before--;
  let after = i + 1;
  while (after < chars.length && IGNORABLE.test(chars[after]!)) after++;
  const ends = before >= 0 && CASED.test(chars[before]!) && !(after < chars.length && CASED.test(chars[after]!));
  return ends ? "ς" : "σ";
}

/** Title case: for a few letters other than upper case. */
function titleOf(char: string): string {
  const code = char.codePointAt(0)!;
  if (code >= 0x1c4 && code <= 0x1cc) return String.fromCodePoint(0x1c5 + 3 * Math.floor((code - 0x1c4) / 3));
  if (code >= 0x1f1 && code <= 0x1f3) return "ǲ";
  if (code >= 0x10d0 && code <= 0x10ff) return char; // Georgian
  if (code >= 0x1f80 && code <= 0x1faf) return String.fromCodePoint(code | 8);
  if ([0x1fb3, 0x1fc3, 0x1ff3].includes(code)) return String.fromCodePoint(code + 9);
  if ([0x1fbc, 0x1fcc, 0x1ffc].includes(code)) return char;
  const upper = codePoints(char.toUpperCase());
  if (upper.length === 1) return upper[0]!;
  if (/[ᾲᾴᾷῂῄῇῲῴῷ]/u.test(char)) return `${upper.slice(0, -1).join("")}\u0345`;
  if (code === 0x149) return "ʼN";
  return upper[0]! + upper.slice(1).join("").toLowerCase();
}

/** `str.capitalize`. */
export function capitalize(text: string): string {
  const chars = codePoints(text);
  return chars.map((char, i) => (i === 0 ? titleOf(char) : lowerAt(chars, i))).join("");
}

/** `str.title`. */
export function titleCase(text: string): string {
  const chars = codePoints(text);
  return chars.map((char, i) => (i > 0 && CASED.test(chars[i - 1]!) ? lowerAt(chars, i) : titleOf(char))).join("");
}

/** `str.swapcase`. */
export function swapCase(text: string): string {
  const chars = codePoints(text);
  return chars
    .map((char, i) =>
      /\p{Uppercase}/u.test(char) ? lowerAt(chars, i) : /\p{Lowercase}/u.test(char) ? char.toUpperCase() : char,
    )
    .join("");
}

type Check = (text: string) => boolean;
const some =
  (pattern: RegExp): Check =>
  (text) =>
    text !== "" && codePoints(text).every((char) => pattern.test(char));

/** `str.isalpha` and its kin, by name. */
export const CHARACTER_CHECKS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ["isalpha", some(/\p{L}/u)],
  ["isdecimal", some(/\p{Nd}/u)],
  ["isdigit", some(DIGIT)],
  ["isnumeric", some(NUMERIC)],
  ["isalnum", (text) => text !== "" && codePoints(text).every((char) => /\p{L}/u.test(char) || NUMERIC.test(char))],
  ["isspace", (text) => text !== "" && codePoints(text).every((char) => isSpace(char.codePointAt(0)!))],
  ["isascii", (text) => codePoints(text).every((char) => char.codePointAt(0)! < 0x80)],
  ["isprintable", (text) => codePoints(text).every(isPrintable)],
  ["isidentifier", (text) => /^[\p{XID_Start}_]\p{XID_Continue}*$/u.test(text)],
  ["islower", (text) => /\p{Lowercase}/u.test(text) && !/[\p{Uppercase}\p{Lt}]/u.test(text)],
  ["isupper", (text) => /\p{Uppercase}/u.test(text) && !/[\p{Lowercase}\p{Lt}]/u.test(text)],
  ["istitle", isTitle],
]);

function isTitle(text: string): boolean {
  let found = false;
  let inWord = false;
  for (const char of text) {
    const upper = /[\p{Uppercase}\p{Lt}]/u.test(char);
    const lower = /\p{Lowercase}/u.test(char);
    if ((upper && inWord) || (lower && !inWord)) return false;
    inWord = upper || lower;
    found ||= inWord;
  }
  return found;
}
