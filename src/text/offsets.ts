/**
 * Which characters of a text each of its tokens stands for. The tokenizers below give tokens only, so the way from text
 * to tokens is gone once more, and each stage's characters are led back to those of the stage before:
 *
 *   text -> normalised text (one character may become several, or none) -> words -> tokens
 *
 * A token's offsets are [start, end) in UTF-16 code units, from its first character's to its last one's. A token of part
 * of a character (bytes) has all of it; one that stands for nothing in the text has an empty range.
 */
import type { Tokenizer as JsonTokenizer } from "@huggingface/tokenizers";
import type { Json } from "../core/python-json.ts";

type JsonObject = Readonly<Record<string, Json>>;
export type Offsets = readonly [start: number, end: number];

/** A character of some stage, and what it stands for in the text. */
interface Unit {
  readonly char: string;
  readonly start: number;
  readonly end: number;
}

/** What the alignment must know of a tokenizer.json. */
export interface OffsetRules {
  /** Words are bytes, written as one letter each. */
  readonly byteLevel: boolean;
  /** Blanks between words belong to no word, though words may begin with a mark for one. */
  readonly dropsBlanks: boolean;
  /** Blanks at the ends of a token are not counted to it. */
  readonly trims: boolean;
  /** What marks a token that continues a word, such as "##". */
  readonly continuing: string;
}

const BLANK_MARKS = /^[\s▁Ġ]$/u;
const BYTE_TOKEN = /^<0x[0-9A-F]{2}>$/;
const BLANK_BYTE = "Ġ";

/** Reads the rules from the contents of tokenizer.json. */
export function offsetRules(json: JsonObject): OffsetRules {
  const splitters = flat(json.pre_tokenizer, "pretokenizers");
  const processors = flat(json.post_processor, "processors");
  const model = (json.model ?? {}) as JsonObject;
  const types = splitters.map(({ type }) => type);
  return {
    byteLevel: types.includes("ByteLevel"),
    dropsBlanks: types.some((type) => ["WhitespaceSplit", "Whitespace", "BertPreTokenizer"].includes(String(type))),
    trims: processors.some(
      ({ type, trim_offsets: trim }) => /^(ByteLevel|RobertaProcessing)$/.test(String(type)) && trim !== false,
    ),
    continuing: typeof model.continuing_subword_prefix === "string" ? model.continuing_subword_prefix : "",
  };
}

function flat(part: Json | undefined, inside: string): JsonObject[] {
  if (typeof part !== "object" || part === null || Array.isArray(part)) return [];
  const parts = (part as JsonObject)[inside];
  return Array.isArray(parts) ? parts.flatMap((each) => flat(each, inside)) : [part as JsonObject];
}

/** The tokens of `text`, without special ones around it, and the offsets of each. */
export function tokensWithOffsets(json: JsonTokenizer, text: string, rules: OffsetRules): [string, Offsets][] {
  const found: [string, Offsets][] = [];
  sectionsOf(json, text).forEach(({ start, text: section, added }, sectionIndex) => {
    if (added) {
      found.push([section, [start, start + section.length]]);
      return;
    }
    const normalised = json.normalizer?.normalize(section) ?? section;
    const units = alignNormalised(json, section, normalised, start);
    const words = json.pre_tokenizer?.pre_tokenize(normalised, { section_index: sectionIndex }) ?? [normalised];
    found.push(...tokensOfWords(json, words, rules.byteLevel ? toBytes(units) : units, rules));
  });
  return rules.trims ? found.map(([token, range]) => [token, trimmed(text, range)]) : found;
}

interface Section {
  readonly start: number;
  readonly text: string;
  readonly added: boolean;
}

/** The text, split at tokens that were added to the vocabulary: these are taken as they are. */
function sectionsOf(json: JsonTokenizer, text: string): Section[] {
  const added = new Map([...json.get_added_tokens_decoder().values()].map((token) => [token.content, token]));
  if (added.size === 0) return [{ start: 0, text, added: false }];
  const longestFirst = [...added.keys()].sort((a, b) => b.length - a.length);
  const escaped = longestFirst.map((content) => content.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  let at = 0;
  const sections = text.split(new RegExp(`(${escaped.join("|")})`)).map((part) => {
    at += part.length;
    return { start: at - part.length, text: part, added: added.has(part) };
  });
  return sections
    .map((section, i) => {
      if (section.added) return section;
      const cut = added.get(sections[i - 1]?.text ?? "")?.rstrip ? section.text.trimStart() : section.text;
      const start = section.start + section.text.length - cut.length;
      return { ...section, start, text: added.get(sections[i + 1]?.text ?? "")?.lstrip ? cut.trimEnd() : cut };
    })
    .filter((section) => section.text !== "");
}

/** The characters of the normalised text with what they stand for, by normalising character after character as well. */
function alignNormalised(json: JsonTokenizer, text: string, normalised: string, offset: number): Unit[] {
  const units: Unit[] = [];
  const clusters = clustersOf(json, text, offset);
  let at = 0;
  const take = (length: number, start: number, end: number) => {
    for (const char of normalised.slice(at, at + length)) units.push({ char, start, end });
    at += length;
  };
  clusters.forEach(({ start, end, text: wanted }, k) => {
    if (wanted === "") {
      const surplus = blanksLeft(normalised, at) - emptyLeft(clusters, k);
      if (surplus >= 0) take(1 + surplus, start, end);
      return;
    }
    while (at < normalised.length && BLANK_MARKS.test(normalised[at]!) && !normalised.startsWith(wanted, at)) {
      take(1, start, end);
    }
    const next = clusters[k + 1]?.text ?? "";
    if (normalised.startsWith(wanted, at)) take(wanted.length, start, end);
    else if (next === "" || !normalised.startsWith(next, at)) take(firstLength(normalised, at), start, end);
  });
  const end = offset + text.length;
  take(normalised.length - at, end, end);
  return units;
}

/** Blanks from here on. Where several become one, it stands for the last; one that is put in goes with what follows. */
function blanksLeft(text: string, at: number): number {
  let end = at;
  while (end < text.length && BLANK_MARKS.test(text[end]!)) end++;
  return end - at;
}

function emptyLeft(clusters: readonly { readonly text: string }[], at: number): number {
  let end = at;
  while (clusters[end]?.text === "") end++;
  return end - at;
}

/**
 * Characters of the text, each as it looks normalised, without blanks. A letter into which its marks melt stands for the
 * letter alone, as Hugging Face's tokenizers count.
 */
function clustersOf(json: JsonTokenizer, text: string, offset: number): { text: string; start: number; end: number }[] {
  const known = new Map<string, string>();
  const normalized = (part: string) => {
    const found = known.get(part) ?? (json.normalizer?.normalize(part) ?? part).replace(/[\s▁]/gu, "");
    known.set(part, found);
    return found;
  };
  return [...text.matchAll(/\P{M}\p{M}*|\p{M}+/gu)].flatMap(({ 0: whole, index }) => {
    const chars = Array.from(whole);
    const separate = chars.map(normalized);
    const together = normalized(whole);
    const melts = separate.join("") !== together;
    let end = offset + index;
    return chars.slice(0, melts ? 1 : chars.length).map((char, i) => {
      end += char.length;
      return { text: melts ? together : separate[i]!, start: end - char.length, end };
    });
  });
}

function firstLength(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}

/** One unit per byte. Only which of them are blanks matters later. */
function toBytes(units: readonly Unit[]): Unit[] {
  const encoder = new TextEncoder();
  return units.flatMap(({ char, start, end }) =>
    Array.from(encoder.encode(char), (byte) => ({ char: byte === 32 ? BLANK_BYTE : "", start, end })),
  );
}

function tokensOfWords(
  json: JsonTokenizer,
  words: readonly string[],
  units: readonly Unit[],
  rules: OffsetRules,
): [string, Offsets][] {
  const found: [string, Offsets][] = [];
  const cursor = { at: 0 };
  for (const word of words) {
    const chars = locate(word, units, cursor, rules);
    const tokens: string[] = json.model?._call([word]) ?? [];
    found.push(...splitWord(tokens, chars, rules));
  }
  return found;
}

/** The characters of a word with what they stand for; moves the cursor behind it. */
function locate(word: string, units: readonly Unit[], cursor: { at: number }, rules: OffsetRules): Unit[] {
  if (rules.dropsBlanks) while (isBlank(units[cursor.at])) cursor.at++;
  return Array.from(word, (char, i) => {
    const isSame = (unit: Unit | undefined) =>
      unit !== undefined &&
      (BLANK_MARKS.test(char) ? isBlank(unit) : rules.byteLevel ? unit.char === "" : unit.char === char);
    let at = cursor.at;
    if (!isSame(units[at]) && !(i === 0 && BLANK_MARKS.test(char))) {
      while (at < units.length && !isSame(units[at])) at++;
    }
    const unit = units[at];
    if (!isSame(unit)) {
      const { start, end } = units[cursor.at] ?? { start: 0, end: 0 }; // a mark put in front goes with what follows
      return { char, start, end };
    }
    cursor.at = at + 1;
    return { ...unit!, char };
  });
}

function isBlank(unit: Unit | undefined): boolean {
  return unit !== undefined && BLANK_MARKS.test(unit.char);
}

/** Deals out a word's characters to its tokens. */
function splitWord(
  tokens: readonly string[],
  chars: readonly Unit[],
  { byteLevel, continuing }: OffsetRules,
): [string, Offsets][] {
  let at = 0;
  let bytes = 0;
  const startsWith = (token: string) => Array.from(token).every((char, i) => chars[at + i]?.char === char);
  return tokens.map((token, i) => {
    const own = i > 0 && continuing !== "" && token.startsWith(continuing) ? token.slice(continuing.length) : token;
    const isLast = i === tokens.length - 1;
    if (byteLevel || startsWith(own)) {
      const length = Array.from(own).length;
      at += length;
      return [token, rangeOf(chars.slice(at - length, at))];
    }
    if (BYTE_TOKEN.test(token)) {
      const range = rangeOf(chars.slice(at, at + 1));
      if (++bytes === new TextEncoder().encode(chars[at]?.char ?? "").length) {
        at++;
        bytes = 0;
      }
      return [token, range];
    }
    const start = at; // an unknown token, or one with an ending such as "</w>"
    const stem = own.replace(/<\/w>$/, "");
    at = stem !== own && startsWith(stem) ? at + Array.from(stem).length : isLast ? chars.length : at + 1;
    return [token, rangeOf(chars.slice(start, at))];
  });
}

/** From the first character that stands for something to the last. */
function rangeOf(chars: readonly Unit[]): Offsets {
  const real = chars.filter(({ start, end }) => end > start);
  const here = chars[0]?.start ?? 0;
  return real.length === 0 ? [here, here] : [real[0]!.start, real.at(-1)!.end];
}

function trimmed(text: string, [from, to]: Offsets): Offsets {
  let [start, end] = [from, to];
  while (start < end && text[start] === " ") start++;
  while (end > start && text[end - 1] === " ") end--;
  return [start, end];
}
