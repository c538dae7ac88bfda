/** The methods of `str`. */
import { bind, positional, text } from "../values/bind.ts";
import {
  codePointCount,
  codePointIndex,
  codePointSlice,
  codePoints,
  splitAtSpace,
  splitLines,
  strip,
  stripEnd,
  stripStart,
} from "../values/code-points.ts";
import { typeError, unsupported, valueError } from "../values/errors.ts";
import { braceFormat } from "../values/format.ts";
import { CHARACTER_CHECKS, capitalize, swapCase, titleCase } from "../values/letter-case.ts";
import type { Budget } from "../values/limits.ts";
import type { Run } from "../values/run.ts";
import { Dict, isTrue, type Kwargs, listOf, type PyValue, plain, Tuple, toIndex, typeName } from "../values/values.ts";

export type ValueMethod<T> = (run: Run, self: T, args: readonly PyValue[], kwargs: Kwargs) => PyValue;

/** Text joined by `separator`, as `str.join` does. */
export function joined(budget: Budget, separator: string, parts: readonly string[]): string {
  budget.text(parts.reduce((sum, part) => sum + part.length + separator.length, 0));
  return parts.join(separator);
}

/** `self.replace(old, replacement, count)`; a count below 0 is none. */
export function replaced(budget: Budget, self: string, old: string, replacement: string, count: number): string {
  if (count === 0) return self;
  const limit = count < 0 ? Number.POSITIVE_INFINITY : count;
  const parts = old === "" ? ["", ...codePoints(self), ""] : self.split(old);
  const found = Math.min(parts.length - 1, limit);
  budget.text(self.length + found * replacement.length);
  if (found === parts.length - 1) return parts.join(replacement);
  return [...parts.slice(0, found), parts.slice(found).join(old)].join(replacement);
}

/** `str.center` and its kin: how many fill characters go to the left. */
export function padded(budget: Budget, self: string, width: number, fill: string, left: (missing: number) => number) {
  const missing = width - codePointCount(self);
  if (missing <= 0) return self;
  budget.text(self.length + missing * fill.length);
  const before = left(missing);
  return fill.repeat(before) + self + fill.repeat(missing - before);
}

/** Python puts the odd one to the left when the width is odd. */
export function centered(budget: Budget, self: string, width: number, fill = " "): string {
  return padded(budget, self, width, fill, (missing) => (missing >> 1) + (missing & width & 1));
}

function pad(
  name: string,
  place: (budget: Budget, self: string, width: number, fill: string) => string,
): ValueMethod<string> {
  return (run, self, args, kwargs) => {
    const [width, fill = " "] = positional(name, args, kwargs, 1, 2);
    const char = text(name, fill);
    if (codePointCount(char) !== 1) throw typeError("The fill character must be exactly one character long");
    return place(run.budget, self, toIndex(width!), char);
  };
}

function stripMethod(name: string, work: (self: string, chars: string | null) => string): ValueMethod<string> {
  return (_run, self, args, kwargs) => {
    const [chars = null] = positional(name, args, kwargs, 0, 1);
    return work(self, chars === null ? null : text(name, chars));
  };
}

function simple(name: string, work: (self: string) => PyValue): ValueMethod<string> {
  return (run, self, args, kwargs) => {
    positional(name, args, kwargs, 0);
    if (name !== "lower" && name !== "upper") run.budget.characters(self.length);
    return work(self);
  };
}

/** The part of `self` between two optional indices, and where it begins. */
function window(self: string, start: PyValue, end: PyValue): { part: string; from: number } | null {
  const length = codePointCount(self);
  const clip = (value: PyValue, fallback: number): number => {
    if (value === null) return fallback;
    const index = toIndex(value);
    return index < 0 ? Math.max(0, index + length) : index;
  };
  const from = clip(start, 0);
  const to = Math.min(clip(end, length), length);
  return from > to ? null : { part: codePointSlice(self, from, to), from };
}

function search(name: string, last: boolean, fails: boolean): ValueMethod<string> {
  return (run, self, args, kwargs) => {
    const [sub, start = null, end = null] = positional(name, args, kwargs, 1, 3);
    const wanted = text(name, sub);
    run.budget.text(self.length);
    const found = window(self, start, end);
    const unit = found === null ? -1 : last ? found.part.lastIndexOf(wanted) : found.part.indexOf(wanted);
    if (unit >= 0) return BigInt(found!.from + codePointIndex(found!.part, unit));
    if (fails) throw valueError("substring not found");
    return -1n;
  };
}

function edge(name: string, matches: (part: string, edge: string) => boolean): ValueMethod<string> {
  return (_run, self, args, kwargs) => {
    const [wanted, start = null, end = null] = positional(name, args, kwargs, 1, 3);
    const edges = wanted instanceof Tuple ? wanted.items : [wanted!];
    const found = window(self, start, end);
    return edges.some((each) => {
      if (typeof each !== "string") {
        throw typeError(`${name} first arg must be str or a tuple of str, not ${typeName(each)}`);
      }
      return found !== null && matches(found.part, each);
    });
  };
}

const SPLIT_PARAMETERS = [
  ["sep", null],
  ["maxsplit", -1n],
] as const;

function split(name: string, fromEnd: boolean): ValueMethod<string> {
  return (run, self, args, kwargs) => {
    const [separator, maximum] = bind(name, SPLIT_PARAMETERS, args, kwargs);
    const most = toIndex(maximum!);
    const limit = most < 0 ? Number.POSITIVE_INFINITY : most;
    run.budget.entries(self.length);
    if (separator === null) return fromEnd ? splitAtSpaceFromEnd(self, limit) : splitAtSpace(self, limit);
    const at = text(name, separator);
    if (at === "") throw valueError("empty separator");
    const parts = self.split(at);
    const kept = Math.min(parts.length - 1, limit);
    if (kept === parts.length - 1) return parts;
    if (!fromEnd) return [...parts.slice(0, kept), parts.slice(kept).join(at)];
    const cut = parts.length - kept;
    return [lastSplit(self, at, kept), ...parts.slice(cut)];
  };
}

/** What is left of `self` when it is split `times` times from the end; occurrences may overlap. */
function lastSplit(self: string, at: string, times: number): string {
  let rest = self;
  for (let i = 0; i < times; i++) rest = rest.slice(0, rest.lastIndexOf(at));
  return rest;
}

function splitAtSpaceFromEnd(self: string, limit: number): string[] {
  const words = splitAtSpace(self);
  if (words.length <= limit) return words;
  let rest = stripEnd(self);
  for (let i = 0; i < limit; i++) rest = stripEnd(rest.slice(0, rest.length - words[words.length - 1 - i]!.length));
  return [rest, ...(limit === 0 ? [] : words.slice(-limit))];
}

function partition(name: string, last: boolean): ValueMethod<string> {
  return (_run, self, args, kwargs) => {
    const at = text(name, positional(name, args, kwargs, 1)[0]);
    if (at === "") throw valueError("empty separator");
    const found = last ? self.lastIndexOf(at) : self.indexOf(at);
    if (found < 0) return new Tuple(last ? ["", "", self] : [self, "", ""]);
    return new Tuple([self.slice(0, found), at, self.slice(found + at.length)]);
  };
}

function join(run: Run, self: string, args: readonly PyValue[], kwargs: Kwargs): string {
  const items = listOf(run.budget, positional("join", args, kwargs, 1)[0]!);
  const parts = items.map((item, i) => {
    if (typeof plain(item) === "string") return item as string;
    throw typeError(`sequence item ${i}: expected str instance, ${typeName(item)} found`);
  });
  return joined(run.budget, self, parts);
}

function count(run: Run, self: string, args: readonly PyValue[], kwargs: Kwargs): bigint {
  const [sub, start = null, end = null] = positional("count", args, kwargs, 1, 3);
  const wanted = text("count", sub);
  run.budget.text(self.length);
  const found = window(self, start, end);
  if (found === null) return 0n;
  return BigInt(wanted === "" ? codePointCount(found.part) + 1 : found.part.split(wanted).length - 1);
}

function expandTabs(run: Run, self: string, args: readonly PyValue[], kwargs: Kwargs): string {
  const size = toIndex(bind("expandtabs", [["tabsize", 8n]], args, kwargs)[0]!);
  run.budget.text(self.length + Math.max(0, size) * (self.split("\t").length - 1));
  let column = 0;
  return codePoints(self)
    .map((char) => {
      if (char === "\n" || char === "\r") column = 0;
      else if (char !== "\t") column++;
      if (char !== "\t") return char;
      const blanks = size > 0 ? size - (column % size) : 0;
      column += blanks;
      return " ".repeat(blanks);
    })
    .join("");
}

function zeroFill(run: Run, self: string, args: readonly PyValue[], kwargs: Kwargs): string {
  const width = toIndex(positional("zfill", args, kwargs, 1)[0]!);
  const filled = padded(run.budget, self, width, "0", (missing) => missing);
  if (filled === self || !/^[+-]/.test(self)) return filled;
  return self[0]! + padded(run.budget, self.slice(1), width - 1, "0", (missing) => missing);
}

function formatMap(run: Run, self: string, args: readonly PyValue[], kwargs: Kwargs): string {
  const [mapping] = positional("format_map", args, kwargs, 1);
  if (!(mapping instanceof Dict)) throw typeError("format_map() argument must be a mapping");
  const named: Kwargs = new Map();
  for (const [key, value] of mapping.entries()) if (typeof key === "string") named.set(key, value);
  return braceFormat(run.budget, self, [], named, run);
}

function casefold(self: string): string {
  if (/[^\0-\x7f]/.test(self)) throw unsupported("casefold() of text beyond ASCII");
  return self.toLowerCase();
}

function remove(name: string, work: (self: string, part: string) => string): ValueMethod<string> {
  return (_run, self, args, kwargs) => work(self, text(name, positional(name, args, kwargs, 1)[0]));
}

export const STRING_METHODS: ReadonlyMap<string, ValueMethod<string>> = new Map<string, ValueMethod<string>>([
  ...[...CHARACTER_CHECKS].map(([name, check]): [string, ValueMethod<string>] => [name, simple(name, check)]),
  ["capitalize", simple("capitalize", capitalize)],
  ["casefold", simple("casefold", casefold)],
  ["lower", simple("lower", (self) => self.toLowerCase())],
  ["upper", simple("upper", (self) => self.toUpperCase())],
  ["swapcase", simple("swapcase", swapCase)],
  ["title", simple("title", titleCase)],
  ["strip", stripMethod("strip", strip)],
  ["lstrip", stripMethod("lstrip", stripStart)],
  ["rstrip", stripMethod("rstrip", stripEnd)],
  ["find", search("find", false, false)],
  ["rfind", search("rfind", true, false)],
  ["index", search("index", false, true)],
  ["rindex", search("rindex", true, true)],
  ["startswith", edge("startswith", (part, wanted) => part.startsWith(wanted))],
  ["endswith", edge("endswith", (part, wanted) => part.endsWith(wanted))],
  ["split", split("split", false)],
  ["rsplit", split("rsplit", true)],
  ["partition", partition("partition", false)],
  ["rpartition", partition("rpartition", true)],
  ["join", join],
  ["count", count],
  ["expandtabs", expandTabs],
  ["zfill", zeroFill],
  ["center", pad("center", centered)],
  ["ljust", pad("ljust", (budget, self, width, fill) => padded(budget, self, width, fill, () => 0))],
  ["rjust", pad("rjust", (budget, self, width, fill) => padded(budget, self, width, fill, (missing) => missing))],
  [
    "splitlines",
    (run, self, args, kwargs) => {
      run.budget.entries(self.length);
      return splitLines(self, isTrue(bind("splitlines", [["keepends", false]], args, kwargs)[0]!));
    },
  ],
  [
    "replace",
    (run, self, args, kwargs) => {
      const [old, replacement, most = -1n] = positional("replace", args, kwargs, 2, 3);
      return replaced(run.budget, self, text("replace", old), text("replace", replacement), toIndex(most));
    },
  ],
  ["removeprefix", remove("removeprefix", (self, part) => (self.startsWith(part) ? self.slice(part.length) : self))],
  [
    "removesuffix",
    remove("removesuffix", (self, part) => (part !== "" && self.endsWith(part) ? self.slice(0, -part.length) : self)),
  ],
  ["format", (run, self, args, kwargs) => braceFormat(run.budget, self, args, kwargs, run)],
  ["format_map", formatMap],
]);
