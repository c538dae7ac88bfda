/**
 * The sets of characters that Oniguruma's patterns name, as it knows them: those of Unicode 16. Each is written as a
 * class of a regular expression with the flag "v".
 */
import { classRanges, readRanges } from "../../core/patterns/code-point-set.ts";
import { AFTER_16 } from "../unicode/tables.ts";

const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
/** By itself, `\w` has these of Latin-1 as well; within brackets it does not. */
const LATIN_NUMBERS = "\\u{b2}\\u{b3}\\u{b9}\\u{bc}-\\u{be}";
/** A small letter until Unicode 17 made it one without case. */
const PHARYNGEAL = "\\u{295}";

const CATEGORIES =
  "L Lu Ll Lt LC Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp C Cc Cf Co Cn".split(" ");
const LONG_CATEGORIES: Readonly<Record<string, string>> = {
  ...{ letter: "L", uppercaseletter: "Lu", lowercaseletter: "Ll", titlecaseletter: "Lt", modifierletter: "Lm" },
  ...{ otherletter: "Lo", mark: "M", nonspacingmark: "Mn", spacingmark: "Mc", enclosingmark: "Me", number: "N" },
  ...{ decimalnumber: "Nd", letternumber: "Nl", othernumber: "No", punctuation: "P", symbol: "S", separator: "Z" },
  ...{ spaceseparator: "Zs", mathsymbol: "Sm", currencysymbol: "Sc", modifiersymbol: "Sk", othersymbol: "So" },
  ...{ connectorpunctuation: "Pc", dashpunctuation: "Pd", openpunctuation: "Ps", closepunctuation: "Pe" },
  ...{ otherpunctuation: "Po", control: "Cc", format: "Cf", other: "C", unassigned: "Cn", punct: "P" },
};

/** Names of POSIX brackets, and of properties that are alike. */
const POSIX: Readonly<Record<string, string>> = {
  alnum: "\\p{Alphabetic}\\p{Nd}",
  alpha: "\\p{Alphabetic}",
  ascii: "\\u{0}-\\u{7f}",
  blank: "\\p{Zs}\\u{9}",
  cntrl: "\\p{Cc}",
  digit: "\\p{Nd}",
  graph: "[^\\p{White_Space}\\p{Cc}\\p{Cn}\\p{Cs}]",
  lower: `\\p{Lowercase}${PHARYNGEAL}`,
  print: "[^\\u{2028}\\u{2029}\\p{Cc}\\p{Cn}\\p{Cs}]",
  punct: "\\p{P}\\p{S}",
  space: "\\p{White_Space}",
  upper: "\\p{Uppercase}",
  word: WORD,
  xdigit: "0-9a-fA-F",
};

let after16: string | undefined;

/** Leaves out what Unicode 16 does not have. */
function upTo16(members: string): string {
  after16 ??= classRanges(readRanges(AFTER_16));
  return `[[${members}]--[${after16}]]`;
}

function complement(set: string, negative: boolean): string {
  return negative ? `[^${set}]` : set;
}

/** `\w`, `\s`, `\d`, `\h` or their opposites in capitals; null for other letters. */
export function shorthandSet(letter: string, inBrackets: boolean): string | null {
  const negative = letter !== letter.toLowerCase();
  switch (letter.toLowerCase()) {
    case "w":
      return complement(upTo16(inBrackets ? WORD : WORD + LATIN_NUMBERS), negative);
    case "s":
      return complement("[\\p{White_Space}]", negative);
    case "d":
      return complement(upTo16("\\p{Nd}"), negative);
    case "h":
      return complement("[0-9a-fA-F]", negative);
    default:
      return null;
  }
}

/** `[:name:]`; null for unknown names. */
export function posixSet(name: string, negative: boolean): string | null {
  return Object.hasOwn(POSIX, name) ? complement(upTo16(POSIX[name]!), negative) : null;
}

/** `\p{name}`; null for what is not known here. Names are compared without case, blanks, "-" and "_". */
export function propertySet(name: string, negative: boolean): string | null {
  const plain = name.replace(/[\s_-]/g, "").toLowerCase();
  const category = LONG_CATEGORIES[plain] ?? CATEGORIES.find((each) => each.toLowerCase() === plain);
  const found = category === undefined ? otherProperty(plain, name) : categorySet(category);
  return found === null ? null : complement(found, negative);
}

function categorySet(category: string): string {
  if (category === "C" || category === "Cn") return `[\\p{${category}}${classRanges(readRanges(AFTER_16))}]`;
  if (category === "Ll") return upTo16(`\\p{Ll}${PHARYNGEAL}`);
  if (category === "Lo") return `[${upTo16("\\p{Lo}")}--[${PHARYNGEAL}]]`;
  return upTo16(`\\p{${category}}`);
}

function otherProperty(plain: string, name: string): string | null {
  if (plain === "any") return "[\\u{0}-\\u{10ffff}]";
  if (plain === "assigned") return upTo16("\\P{Cn}");
  if (plain === "alphabetic" || plain === "emoji") return upTo16(`\\p{${plain[0]!.toUpperCase()}${plain.slice(1)}}`);
  if (plain === "uppercase" || plain === "lowercase") return upTo16(POSIX[plain.slice(0, 5)]!);
  if (plain === "whitespace") return "[\\p{White_Space}]";
  if (plain === "word") return upTo16(WORD + LATIN_NUMBERS);
  if (Object.hasOwn(POSIX, plain)) return upTo16(POSIX[plain]!);
  return scriptSet(name);
}

/** A script by its name as Unicode writes it, such as "Han" or "Old_Italic". */
function scriptSet(name: string): string | null {
  const written = name
    .trim()
    .split(/[\s_-]+/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase())
    .join("_");
  try {
    new RegExp(`\\p{sc=${written}}`, "u");
  } catch {
    return null;
  }
  return upTo16(`\\p{sc=${written}}`);
}
