/** Parsers of command-line text for each kind of option. They return undefined if the text is not of that kind. */
import { InvalidArgumentError } from "commander";
import type { Option } from "../../core/options.ts";

export function readWhole(text: string): number | undefined {
  return /^-?\d+$/.test(text) ? Number(text) : undefined;
}

export function readNumber(text: string): number | undefined {
  return text.trim() === "" ? undefined : Number(text);
}

/** One of the words or their aliases, whatever its case and hyphens: `seq-2-seq-lm` for a name in capitals with underscores. */
export function readChoice(text: string, { choices = [], aliases = {} }: Option<unknown>): string | undefined {
  const plain = (word: string) => word.toLowerCase().replaceAll("-", "_");
  const word = [...choices, ...Object.keys(aliases)].find((each) => plain(each) === plain(text));
  return word === undefined ? undefined : (aliases[word] ?? word);
}

/** Names separated by commas, or a JSON list. */
export function readNames(text: string): unknown {
  const list = json(text);
  if (Array.isArray(list)) return list;
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name) => name !== "")) return names;
  throw new InvalidArgumentError("Expected names separated by commas.");
}

/** A regular expression, "all-linear", or names: PEFT's `target_modules`. */
export function readPattern(text: string): unknown {
  const isPattern = text === "all-linear" || /[\\^$*+?()[\]{}|]/.test(text);
  return isPattern && !Array.isArray(json(text)) ? text : readNames(text);
}

const units: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["B", 1],
  ["KB", 1e3],
  ["MB", 1e6],
  ["GB", 1e9],
]);

/** A number of bytes, such as "500MB" or "2GB". */
export function readBytes(text: string): number | undefined {
  const [, count = "", unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? [];
  const factor = units.get(unit.toUpperCase());
  return count === "" || factor === undefined ? undefined : Math.floor(Number(count) * factor);
}

/** name=value, separated by commas; names also with hyphens or underscores. */
export function readPairs(text: string): Record<string, number | boolean | null> {
  const words: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null };
  return Object.fromEntries(
    text.split(",").map((entry) => {
      const [, name, value = ""] = /^\s*([\w-]+)\s*=\s*(\S+)\s*$/.exec(entry) ?? [];
      const found = words[value] === undefined ? Number(value) : words[value];
      if (name === undefined || Number.isNaN(found)) {
        throw new InvalidArgumentError(`"${entry}" is not name=value with a number, true, false or null.`);
      }
      return [name.replace(/[-_]([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()), found];
    }),
  );
}

/** name=name, separated by commas. */
export function readRenames(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(",").map((entry) => {
      const [, name, other] = /^\s*([^\s=]+)\s*=\s*(.*?\S)\s*$/.exec(entry) ?? [];
      if (name === undefined) throw new InvalidArgumentError(`"${entry}" is not name=name, such as text=body.`);
      return [name, other!];
    }),
  );
}

/** The first interpretation that the option accepts: JSON, a comma-separated list, or the text itself. */
export function readJson(text: string, { is }: Option<unknown>): unknown {
  const words = text.split(",").map((word) => word.trim());
  return [json(text), words.map(json), words, text].find((reading) => reading !== undefined && is(reading));
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
