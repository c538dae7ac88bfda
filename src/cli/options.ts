/** Parsers of option values: a wrong value is an error that names the option, the value and what was expected. */
import { type Command, InvalidArgumentError } from "commander";

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
  (least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isFinite(value) && value >= least && value <= most) return value;
    const range = most === Number.POSITIVE_INFINITY ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`Expected a number ${range}.`);
  };

/** Names separated by commas. */
export function names(text: string): string[] {
  const list = text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (list.length > 0) return list;
  throw new InvalidArgumentError("Expected names separated by commas.");
}

/** A regular expression, "all-linear", or names separated by commas: PEFT's `target_modules`. */
export function targetModules(text: string): string | string[] {
  return text === "all-linear" || /[\\^$*+?()[\]{}|]/.test(text) ? text : names(text);
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
