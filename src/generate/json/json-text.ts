/** JSON as a grammar (RFC 8259), with little white space and numbers that JavaScript can hold. */
import { byte, choice, type Grammar, later, literal, repeat, sequence } from "./grammar.ts";

/** Digits of whole numbers that a double holds exactly. */
const MOST_DIGITS = 15;

export const digit = byte("0123456789");
const hex = byte("0123456789abcdefABCDEF");
const after = byte([0x80, 0xbf]);

/** None, a blank, or a new line with an indentation. */
export const space = choice(sequence(), literal(" "), sequence(literal("\n"), repeat(literal(" "), 0, 32)));

/** A character of a string: in UTF-8, or escaped, halves of pairs aside. */
const character = choice(
  byte([0x20, 0x21], [0x23, 0x5b], [0x5d, 0x7f]),
  sequence(byte([0xc2, 0xdf]), after),
  sequence(byte([0xe0, 0xe0]), byte([0xa0, 0xbf]), after),
  sequence(byte([0xe1, 0xec], [0xee, 0xef]), after, after),
  sequence(byte([0xed, 0xed]), byte([0x80, 0x9f]), after),
  sequence(byte([0xf0, 0xf0]), byte([0x90, 0xbf]), after, after),
  sequence(byte([0xf1, 0xf3]), after, after, after),
  sequence(byte([0xf4, 0xf4]), byte([0x80, 0x8f]), after, after),
  sequence(
    literal("\\"),
    choice(
      byte('"\\/bfnrt'),
      sequence(literal("u"), byte("0123456789abcefABCEF"), hex, hex, hex),
      sequence(literal("u"), byte("dD"), byte("01234567"), hex, hex),
    ),
  ),
);

/** A string of so many characters. */
export function stringOf(least = 0, most = Number.POSITIVE_INFINITY): Grammar {
  return sequence(literal('"'), repeat(character, least, most), literal('"'));
}

const minus = repeat(literal("-"), 0, 1);
export const integer = sequence(
  minus,
  choice(literal("0"), sequence(byte("123456789"), repeat(digit, 0, MOST_DIGITS - 1))),
);
export const decimal = sequence(
  integer,
  repeat(sequence(literal("."), repeat(digit, 1, MOST_DIGITS)), 0, 1),
  repeat(sequence(byte("eE"), repeat(byte("+-"), 0, 1), repeat(digit, 1, 2)), 0, 1),
);
export const boolean = choice(literal("true"), literal("false"));

/** The parts of a list or an object, with commas between them, in brackets. */
export function enclosed(open: string, contents: Grammar, close: string): Grammar {
  return sequence(literal(open), space, contents, space, literal(close));
}

export const comma = sequence(space, literal(","), space);

/** As many items, with commas between them. */
export function items(item: Grammar, least = 0, most = Number.POSITIVE_INFINITY): Grammar {
  if (most === 0) return sequence();
  const some = sequence(item, repeat(sequence(comma, item), Math.max(0, least - 1), most - 1));
  return least === 0 ? choice(sequence(), some) : some;
}

/** A name and its value. */
export function member(name: Grammar, value: Grammar): Grammar {
  return sequence(name, space, literal(":"), space, value);
}

/** Any object, or any whose values are of a kind. */
export function objectOf(value: Grammar): Grammar {
  return enclosed("{", items(member(stringOf(), value)), "}");
}

/** Any JSON. */
export const anyValue: Grammar = later(() => anything);
const anything = choice(
  objectOf(anyValue),
  enclosed("[", items(anyValue), "]"),
  stringOf(),
  decimal,
  boolean,
  literal("null"),
);
