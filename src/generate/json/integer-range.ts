/** Whole numbers of a range, as digits. */
import { byte, choice, type Grammar, literal, repeat, sequence } from "./grammar.ts";
import { digit } from "./json-text.ts";

/** The largest number of 15 digits: a double holds every one of them. */
export const LARGEST = 999_999_999_999_999;

/** Every whole number from `least` to `most`, and no other. Expects that there is one. */
export function integerRange(least: number, most: number): Grammar {
  const ways: Grammar[] = [];
  if (least < 0) ways.push(sequence(literal("-"), upward(Math.max(1, -most), -least)));
  if (most >= 0) ways.push(upward(Math.max(0, least), most));
  return choice(...ways);
}

/** Numbers from `least` to `most`, both of at least 0, length by length. */
function upward(least: number, most: number): Grammar {
  const ways: Grammar[] = [];
  for (let length = String(least).length; length <= String(most).length; length++) {
    const first = Math.max(least, length === 1 ? 0 : 10 ** (length - 1));
    ways.push(ofLength(String(first), String(Math.min(most, 10 ** length - 1))));
  }
  return choice(...ways);
}

/** Numbers between two of the same length. */
function ofLength(least: string, most: string): Grammar {
  const { length } = least;
  if (length === 0) return sequence();
  if (/^0*$/.test(least) && /^9*$/.test(most)) return repeat(digit, length, length);
  const [low, high] = [Number(least[0]), Number(most[0])];
  if (low === high) return sequence(literal(least[0]!), ofLength(least.slice(1), most.slice(1)));
  const ways = [
    sequence(literal(least[0]!), ofLength(least.slice(1), "9".repeat(length - 1))),
    sequence(literal(most[0]!), ofLength("0".repeat(length - 1), most.slice(1))),
  ];
  if (high - low > 1) ways.push(sequence(byte([0x31 + low, 0x2f + high]), repeat(digit, length - 1, length - 1)));
  return choice(...ways);
}
