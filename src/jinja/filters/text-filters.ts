/** Jinja's filters that make text. */

import { centered, joined, replaced } from "../objects/string-methods.ts";
import { text } from "../values/bind.ts";
import { codePointCount, codePointSlice, splitLines, strip } from "../values/code-points.ts";
import { floatOf } from "../values/conversions.ts";
import { TemplateError, typeError, unsupported, valueError } from "../values/errors.ts";
import { percentFormat } from "../values/format.ts";
import { type JsonStyle, toJson } from "../values/json.ts";
import { capitalize } from "../values/letter-case.ts";
import { isIterable } from "../values/operators.ts";
import { str } from "../values/print.ts";
import type { Run } from "../values/run.ts";
import {
  asInt,
  Dict,
  isTrue,
  type Kwargs,
  listOf,
  Markup,
  type PyValue,
  sizeOf,
  Tuple,
  toIndex,
  typeName,
  Undefined,
} from "../values/values.ts";
import { attributeGetter } from "./attribute-getter.ts";
import { type Filter, filter } from "./filter.ts";
import { wordWrap } from "./word-wrap.ts";

const ESCAPES = new Map([
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
  ['"', "&#34;"],
  ["'", "&#39;"],
]);

function escapeHtml(run: Run, value: PyValue): string {
  const plain = str(run.budget, value);
  if (value instanceof Markup) return plain;
  run.budget.text(plain.length * 5);
  return plain.replace(/[&<>"']/g, (char) => ESCAPES.get(char)!);
}

/** A filter of one string, without parameters. */
function ofText(work: (plain: string, run: Run) => PyValue, byCharacter = true): Filter {
  return filter([], (run, value) => {
    const text = plainText(run, value);
    if (byCharacter) run.budget.characters(text.length);
    return work(text, run);
  });
}

/** What most filters of text take: anything, as `str` prints it. Escaped text keeps its type in Python. */
function plainText(run: Run, value: PyValue): string {
  if (value instanceof Markup) throw unsupported("a filter of escaped text");
  return str(run.budget, value);
}

/** A string that the filter takes as it is, without printing others. */
function onlyText(name: string, value: PyValue): string {
  if (value instanceof Undefined) throw value.error();
  if (typeof value === "string") return value;
  throw typeError(`filter ${name} takes a str, not ${typeName(value)}`);
}

function titleWords(plain: string): string {
  const splits = (char: string) => strip(char) === "" || "-({[<".includes(char);
  let title = "";
  let word: string[] = [];
  const finish = () => {
    title += (word[0] ?? "").toUpperCase() + word.slice(1).join("").toLowerCase();
    word = [];
  };
  for (const char of plain) {
    if (!splits(char)) word.push(char);
    else {
      finish();
      title += char;
    }
  }
  finish();
  return title;
}

function indent(run: Run, value: PyValue, [width, first, blank]: readonly PyValue[]): string {
  const by = typeof width === "string" ? width : " ".repeat(counted(run, width!));
  const lines = splitLines(`${onlyText("indent", value)}\n`);
  run.budget.text(lines.reduce((sum, line) => sum + line.length + by.length + 1, 0));
  const rest = lines.map((line, i) => (i > 0 && (line !== "" || isTrue(blank!)) ? by + line : line)).join("\n");
  return isTrue(first!) ? by + rest : rest;
}

/** A number of characters, 0 or more. */
function counted(run: Run, value: PyValue): number {
  const count = Math.max(0, toIndex(value));
  run.budget.text(count);
  return count;
}

function truncate(run: Run, value: PyValue, [length, killWords, end, leeway]: readonly PyValue[]): PyValue {
  const most = toIndex(length!);
  const slack = leeway === null ? 5 : toIndex(leeway!);
  const mark = text("truncate", end);
  const markLength = codePointCount(mark);
  if (most < markLength)
    throw new TemplateError("TemplateRuntimeError", `expected length >= ${markLength}, got ${most}`);
  if (slack < 0) throw new TemplateError("TemplateRuntimeError", `expected leeway >= 0, got ${slack}`);
  const size = sizeOf(value);
  if (size === null) throw typeError(`object of type '${typeName(value)}' has no len()`);
  if (size <= most + slack) return value;
  const cut = codePointSlice(onlyText("truncate", value), 0, most - markLength);
  run.budget.text(cut.length + mark.length);
  if (isTrue(killWords!)) return cut + mark;
  const blank = cut.lastIndexOf(" ");
  return (blank < 0 ? cut : cut.slice(0, blank)) + mark;
}

function quoteUrl(run: Run, value: PyValue, safe: RegExp): string {
  const plain = str(run.budget, value);
  run.budget.characters(plain.length);
  return [...new TextEncoder().encode(plain)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return safe.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
}

function urlEncode(run: Run, value: PyValue): string {
  if (typeof value === "string" || !isIterable(value)) return quoteUrl(run, value, /[\w.~/-]/);
  const pairs = value instanceof Dict ? [...value.entries()] : listOf(run.budget, value).map((item) => pair(run, item));
  const quote = (part: PyValue) => quoteUrl(run, part, /[\w.~-]/).replaceAll("%20", "+");
  return pairs.map(([key, part]) => `${quote(key)}=${quote(part)}`).join("&");
}

function pair(run: Run, item: PyValue): [PyValue, PyValue] {
  const parts = listOf(run.budget, item);
  if (parts.length !== 2) throw valueError(`expected 2 values to unpack, got ${parts.length}`);
  return [parts[0]!, parts[1]!];
}

function xmlAttributes(run: Run, value: PyValue, [autospace]: readonly PyValue[]): string {
  if (!(value instanceof Dict)) throw typeError(`filter xmlattr takes a dict, not ${typeName(value)}`);
  const parts: string[] = [];
  for (const [key, part] of value.entries()) {
    if (part === null || part instanceof Undefined) continue;
    const name = text("xmlattr", key);
    if (/[\t-\r />=]/.test(name)) throw valueError(`Invalid character in attribute name: '${name}'`);
    parts.push(`${escapeHtml(run, name)}="${escapeHtml(run, part)}"`);
  }
  const all = parts.join(" ");
  return isTrue(autospace!) && all !== "" ? ` ${all}` : all;
}

/** Entities without which text has no need of HTML's table of names. */
const ENTITIES = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
  ["nbsp", "\u00a0"],
]);

function stripTags(plain: string, run: Run): string {
  const bare = withoutTags(withoutComments(plain, run));
  const words = bare.split(/\s+/u).filter((word) => word !== "");
  return words
    .join(" ")
    .replace(/&(?:#(\d+);|(\w+);?|#)/g, (whole, code: string | undefined, name: string | undefined) => {
      const char =
        code === undefined ? ENTITIES.get(name ?? "") : String.fromCodePoint(Math.min(Number(code), 0x10ffff));
      const odd =
        char === undefined || (code !== undefined && (Number(code) < 32 || (Number(code) > 126 && Number(code) < 160)));
      if (odd) throw unsupported(`the entity "${whole}" in striptags`);
      return char!;
    });
}

function withoutComments(plain: string, run: Run): string {
  let rest = plain;
  for (let start = rest.indexOf("<!--"); start >= 0; start = rest.indexOf("<!--")) {
    const end = rest.indexOf("-->", start);
    if (end < 0) break;
    run.budget.text(rest.length);
    rest = rest.slice(0, start) + rest.slice(end + 3);
  }
  return rest;
}

function withoutTags(plain: string): string {
  let kept = "";
  let at = 0;
  for (let start = plain.indexOf("<"); start >= 0; start = plain.indexOf("<", at)) {
    const end = plain.indexOf(">", start);
    if (end < 0) break;
    kept += plain.slice(at, start);
    at = end + 1;
  }
  return kept + plain.slice(at);
}

const JSON_PARAMETERS = [
  ["ensure_ascii", false],
  ["indent", null],
  ["separators", null],
  ["sort_keys", false],
] as const;

function jsonStyle(run: Run, [ascii, indentation, separators, sortKeys]: readonly PyValue[]): JsonStyle {
  const by = asInt(indentation!);
  const spaces = typeof indentation === "string" ? indentation : by === null ? null : " ".repeat(counted(run, by));
  if (indentation !== null && spaces === null)
    throw typeError(`indent must be int or str, not ${typeName(indentation!)}`);
  const given = separators === null ? null : listOf(run.budget, separators!);
  if (given !== null && given.length !== 2) throw valueError(`expected 2 separators, got ${given.length}`);
  return {
    ensureAscii: isTrue(ascii!),
    indent: spaces,
    itemSeparator: given === null ? (spaces === null ? ", " : ",") : text("tojson", given[0]),
    keySeparator: given === null ? ": " : text("tojson", given[1]),
    sortKeys: isTrue(sortKeys!),
  };
}

function join(run: Run, value: PyValue, [separator, attribute]: readonly PyValue[]): string {
  const get = attribute === null ? (item: PyValue) => item : attributeGetter(run, attribute!);
  const parts = listOf(run.budget, value).map((item) => str(run.budget, get(item)));
  return joined(run.budget, str(run.budget, separator!), parts);
}

function formatFilter(run: Run, value: PyValue, args: readonly PyValue[], kwargs: Kwargs): string {
  if (args.length > 0 && kwargs.size > 0) {
    throw new TemplateError("FilterArgumentError", "can't handle positional and keyword arguments at the same time");
  }
  return percentFormat(run.budget, plainText(run, value), kwargs.size > 0 ? Dict.of(kwargs) : new Tuple(args));
}

const SIZES = ["B", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];

function fileSize(run: Run, value: PyValue, [binary]: readonly PyValue[]): string {
  const bytes = floatOf(value);
  const base = isTrue(binary!) ? 1024 : 1000;
  if (bytes === 1) return "1 Byte";
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`;
  const names = ["k", ...SIZES.slice(1).map((name) => name[0]!)].map((letter) =>
    base === 1024 ? `${letter.toUpperCase()}iB` : `${letter}B`,
  );
  const last = names.findIndex((_, i) => bytes < base ** (i + 2));
  const i = last < 0 ? names.length - 1 : last;
  return `${percentFormat(run.budget, "%.1f", (base * bytes) / base ** (i + 2))} ${names[i]}`;
}

export const TEXT_FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ["capitalize", ofText(capitalize)],
  ["lower", ofText((plain) => plain.toLowerCase(), false)],
  ["upper", ofText((plain) => plain.toUpperCase(), false)],
  ["title", ofText(titleWords)],
  ["wordcount", ofText((plain) => BigInt(plain.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0))],
  ["striptags", ofText(stripTags)],
  ["string", filter([], (run, value) => (value instanceof Markup ? value : str(run.budget, value)))],
  ["escape", filter([], (run, value) => new Markup(escapeHtml(run, value)))],
  ["e", filter([], (run, value) => new Markup(escapeHtml(run, value)))],
  ["forceescape", filter([], (run, value) => new Markup(escapeHtml(run, str(run.budget, value))))],
  ["safe", filter([], (run, value) => new Markup(str(run.budget, value)))],
  [
    "center",
    filter([["width", 80n]], (run, value, [width]) => centered(run.budget, plainText(run, value), toIndex(width!))),
  ],
  [
    "trim",
    filter([["chars", null]], (run, value, [chars]) =>
      strip(plainText(run, value), chars === null ? null : text("strip", chars)),
    ),
  ],
  [
    "replace",
    filter([["old"], ["new"], ["count", null]], (run, value, [old, replacement, count]) => {
      const show = (part: PyValue) => str(run.budget, part);
      return replaced(run.budget, show(value), show(old!), show(replacement!), count === null ? -1 : toIndex(count!));
    }),
  ],
  [
    "indent",
    filter(
      [
        ["width", 4n],
        ["first", false],
        ["blank", false],
      ],
      indent,
    ),
  ],
  [
    "truncate",
    filter(
      [
        ["length", 255n],
        ["killwords", false],
        ["end", "..."],
        ["leeway", null],
      ],
      truncate,
    ),
  ],
  [
    "wordwrap",
    filter(
      [
        ["width", 79n],
        ["break_long_words", true],
        ["wrapstring", null],
        ["break_on_hyphens", true],
      ],
      (run, value, [width, breaks, wrap, hyphens]) => {
        const lines = splitLines(onlyText("wordwrap", value));
        const options = { width: toIndex(width!), breakLongWords: isTrue(breaks!), breakOnHyphens: isTrue(hyphens!) };
        const separator = wrap === null ? "\n" : text("wordwrap", wrap);
        run.budget.characters(lines.reduce((sum, line) => sum + line.length * 8, 0));
        return joined(
          run.budget,
          separator,
          lines.map((line) => joined(run.budget, separator, wordWrap(line, options))),
        );
      },
    ),
  ],
  ["urlencode", filter([], urlEncode)],
  ["xmlattr", filter([["autospace", true]], xmlAttributes)],
  ["tojson", filter(JSON_PARAMETERS, (run, value, args) => toJson(run.budget, value, jsonStyle(run, args)))],
  [
    "join",
    filter(
      [
        ["d", ""],
        ["attribute", null],
      ],
      join,
    ),
  ],
  ["format", formatFilter],
  ["filesizeformat", filter([["binary", false]], fileSize)],
]);
