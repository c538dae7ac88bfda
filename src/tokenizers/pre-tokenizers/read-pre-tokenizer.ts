/** The pre-tokenizer of a tokenizer.json. Rust counterpart: `pre_tokenizers/mod.rs`. */
import { byType, type Fields } from "../fields.ts";
import { readPattern } from "../patterns/read-pattern.ts";
import { wordMatcher } from "../patterns/word-matcher.ts";
import { BEHAVIORS, inverted, matcherOfChars } from "../split-behavior.ts";
import { isNumeric, isPunctuation, isWhitespace } from "../unicode/categories.ts";
import { readByteLevel } from "./byte-level.ts";
import { readFixedLength } from "./fixed-length.ts";
import { readMetaspace } from "./metaspace.ts";
import { type PreTokenizer, splitter } from "./pre-tokenizer.ts";
import { readUnicodeScripts } from "./unicode-scripts.ts";

export function readPreTokenizer(fields: Fields): PreTokenizer {
  return byType(fields, {
    ...{ BertPreTokenizer: readBert, ByteLevel: readByteLevel, CharDelimiterSplit: readDelimiter, Digits: readDigits },
    ...{ FixedLength: readFixedLength, Metaspace: readMetaspace, Punctuation: readPunctuation, Split: readSplit },
    ...{ UnicodeScripts: readUnicodeScripts, Whitespace: readWhitespace, WhitespaceSplit: readWhitespaceSplit },
    Sequence: (each) => inTurn(each.only("pretokenizers").parts("pretokenizers").map(readPreTokenizer)),
  });
}

function inTurn(steps: readonly PreTokenizer[]): PreTokenizer {
  return (text) => {
    for (const step of steps) step(text);
  };
}

/** Rust counterpart: `pre_tokenizers/bert.rs`. */
function readBert(fields: Fields): PreTokenizer {
  return inTurn([readWhitespaceSplit(fields), splitter(matcherOfChars(isPunctuation), "Isolated")]);
}

/** Rust counterpart: `pre_tokenizers/delimiter.rs`. */
function readDelimiter(fields: Fields): PreTokenizer {
  const delimiter = fields.only("delimiter").char("delimiter").codePointAt(0)!;
  return splitter(
    matcherOfChars((char) => char === delimiter),
    "Removed",
  );
}

/** Rust counterpart: `pre_tokenizers/digits.rs`. */
function readDigits(fields: Fields): PreTokenizer {
  const alone = fields.only("individual_digits").boolean("individual_digits");
  return splitter(matcherOfChars(isNumeric), alone ? "Isolated" : "Contiguous");
}

/** Rust counterpart: `pre_tokenizers/punctuation.rs`. */
function readPunctuation(fields: Fields): PreTokenizer {
  const behavior = fields.only("behavior").oneOf("behavior", BEHAVIORS, "Isolated");
  return splitter(matcherOfChars(isPunctuation), behavior);
}

/** Rust counterpart: `pre_tokenizers/split.rs`. */
function readSplit(fields: Fields): PreTokenizer {
  fields.only("pattern", "behavior", "invert");
  const find = readPattern(fields);
  const behavior = fields.oneOf("behavior", BEHAVIORS);
  return splitter(fields.boolean("invert") ? inverted(find) : find, behavior);
}

/** Rust counterpart: `pre_tokenizers/whitespace.rs`, as the next one. */
function readWhitespace(fields: Fields): PreTokenizer {
  fields.only();
  return splitter(inverted(wordMatcher()), "Removed");
}

function readWhitespaceSplit(fields: Fields): PreTokenizer {
  fields.only();
  return splitter(matcherOfChars(isWhitespace), "Removed");
}
