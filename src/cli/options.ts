/** Parsers of option values, and rules about several options: a wrong one is an error that names option, value and what was expected. */
import { type Command, InvalidArgumentError, type Option } from "commander";
import { didYouMean } from "../core/similar.ts";
import { type OptimizerName, optimizerNamed, optimizerNames } from "../optim/optimizers.ts";

/** A whole number of at least `least`. */
export const whole =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`Expected a whole number of at least ${least}.`);
  };

/** A number from `least` up to `most`. */
export const number =
  (least: number, most: number = Number.POSITIVE_INFINITY) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isFinite(value) && value >= least && value <= most) return value;
    if (least === Number.NEGATIVE_INFINITY) throw new InvalidArgumentError("Expected a number.");
    const range = most === Number.POSITIVE_INFINITY ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`Expected a number ${range}.`);
  };

const units: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["B", 1],
  ["KB", 1e3],
  ["MB", 1e6],
  ["GB", 1e9],
]);

/** A number of bytes, such as "500MB" or "2GB". */
export function bytes(text: string): number {
  const [, count = "", unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? [];
  const factor = units.get(unit.toUpperCase());
  if (count !== "" && factor !== undefined) return Math.floor(Number(count) * factor);
  throw new InvalidArgumentError("Expected a number of bytes, such as 500MB or 2GB.");
}

/** Any number. */
export const signed = (text: string): number => number(Number.NEGATIVE_INFINITY)(text);

/** A probability: from 0 up to but not including 1. */
export function probability(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value < 1) return value;
  throw new InvalidArgumentError("Expected a number from 0 up to but not including 1.");
}

/** An optimiser by its name here or in transformers. */
export function optimizer(text: string): OptimizerName {
  const name = optimizerNamed(text);
  if (name !== null) return name;
  throw new InvalidArgumentError(`Expected one of ${optimizerNames.join(", ")}.${didYouMean(text, optimizerNames)}`);
}

/** Options of an optimiser, name=value with commas between; names also with hyphens or underscores. */
export function optimizerArgs(text: string): Record<string, number | boolean | null> {
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

/** A regular expression, "all-linear", or names separated by commas: PEFT's `target_modules`. */
export function targetModules(text: string): string | string[] {
  if (text === "all-linear" || /[\\^$*+?()[\]{}|]/.test(text)) return text;
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name) => name !== "")) return names;
  throw new InvalidArgumentError("Expected names separated by commas.");
}

/** Those of the options that the command line or a --config file gives. Names are attributes, such as "learningRate". */
export function givenOptions(command: Command, names: readonly string[]): Option[] {
  const sources = ["cli", "config"];
  return command.options.filter((option) => {
    const name = option.attributeName();
    return names.includes(name) && sources.includes(command.getOptionValueSource(name) ?? "");
  });
}

/**
 * Makes two groups of options exclude each other. The command line goes before a --config file: what it chooses drops what
 * the file says of the other group.
 */
export function alternatives(command: Command, one: readonly string[], other: readonly string[]): Command {
  const typed = (group: readonly Option[]) =>
    group.some((option) => command.getOptionValueSource(option.attributeName()) === "cli");
  return command.hook("preAction", () => {
    const first = givenOptions(command, one);
    const second = givenOptions(command, other);
    if (first.length === 0 || second.length === 0) return;
    if (typed(first) === typed(second)) {
      command.error(`error: option '${first[0]!.flags}' cannot be used with option '${second[0]!.flags}'`);
    }
    for (const option of typed(first) ? second : first) {
      command.setOptionValueWithSource(option.attributeName(), option.defaultValue, "default");
    }
  });
}

/**
 * Makes options required once unknown ones have been reported (so that a misspelt one is named as such) and a --config file
 * has been read.
 */
export function needs(command: Command, ...flags: readonly string[]): Command {
  return command.hook("preAction", () => {
    const missing = command.options.filter(
      (o) => flags.includes(o.long!) && command.getOptionValue(o.attributeName()) === undefined,
    );
    for (const option of missing) command.error(`error: required option '${option.flags}' not specified`);
  });
}
