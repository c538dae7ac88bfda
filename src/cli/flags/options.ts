/** Flags generated from declared options, their values, and rules that involve several of them. */
import { type Command, Option as Flag, InvalidArgumentError } from "commander";
import type { Kind, Option, OptionDetails, Options, Spell, ValuesOf } from "../../core/options.ts";
import { files, option } from "../../core/options.ts";
import { didYouMean } from "../../core/similar.ts";
import {
  readBytes,
  readChoice,
  readJson,
  readNames,
  readNumber,
  readPairs,
  readPattern,
  readRenames,
  readWhole,
} from "./readers.ts";

/** The placeholder for a value in help. */
const placeholders: Readonly<Record<Kind, string>> = {
  flag: "true|false",
  "flag-or-text": "name",
  whole: "n",
  number: "x",
  choice: "name",
  text: "text",
  names: "names",
  pattern: "names",
  bytes: "size",
  pairs: "list",
  files: "files",
  renames: "list",
  json: "json",
};

/** How to parse text for each kind of option; undefined if the text is not of that kind. */
const readers: Readonly<Record<Kind, (text: string, one: Option<unknown>) => unknown>> = {
  flag: readFlag,
  "flag-or-text": (text) => readFlag(text) ?? text,
  whole: readWhole,
  number: readNumber,
  choice: readChoice,
  text: (text) => text,
  names: readNames,
  pattern: readPattern,
  bytes: readBytes,
  pairs: readPairs,
  files: (text) => [text],
  renames: readRenames,
  json: readJson,
};

function readFlag(text: string): boolean | undefined {
  return text === "true" ? true : text === "false" ? false : undefined;
}

/** Parses the text of an option. Throws InvalidArgumentError that states what was expected. */
export function readText(text: string, one: Option<unknown>): unknown {
  const value = readers[one.kind](text, one);
  if (value !== undefined && value !== null && one.is(value)) return value;
  const example = one.kind === "bytes" ? ", such as 500MB or 2GB" : "";
  throw new InvalidArgumentError(`Expected ${one.expected}${example}.${didYouMean(text, one.choices ?? [])}`);
}

/** A flag of a declared option. The command stores its value under the option's own name. */
export class DeclaredFlag extends Flag {
  readonly declared: Option<unknown>;
  readonly #name: string;

  constructor(name: string, declared: Option<unknown>) {
    super(flagsOf(name, declared), helpOf(declared));
    this.#name = name;
    this.declared = declared;
    if (this.variadic)
      this.argParser<unknown>((text, before) => [
        ...((before as string[]) ?? []),
        ...(readText(text, declared) as string[]),
      ]);
    else if (this.required || this.optional) this.argParser((text) => readText(text, declared));
  }
  override attributeName(): string {
    return this.#name;
  }
  /** Its other names without dashes: the option's own, unless the flag says the opposite, and those of other tools. */
  get alsoSpelled(): readonly string[] {
    const { spelled = "", alsoSpelled = [] } = this.declared;
    return spelled.startsWith("no-") ? alsoSpelled : [kebab(this.#name), ...alsoSpelled];
  }
}

/** A flag that a command requires though it is not a declared option. */
export class RequiredFlag extends Flag {}

function isRequired(flag: Flag): boolean {
  return flag instanceof RequiredFlag || (flag instanceof DeclaredFlag && flag.declared.required === true);
}

/** Whether a flag takes no value: its presence means true, or false if it is spelled `no-x`. */
function isSwitch({ kind, fallback, spelled = "" }: Option<unknown>): boolean {
  return kind === "flag" && (fallback === false || spelled.startsWith("no-"));
}

function flagsOf(name: string, declared: Option<unknown>): string {
  const long = declared.spelled ?? kebab(name);
  const more = declared.kind === "files" ? "..." : "";
  const placeholder = declared.placeholder ?? placeholders[declared.kind];
  if (declared.kind === "flag-or-text") return `--${long} [${placeholder}]`;
  return isSwitch(declared) ? `--${long}` : `--${long} <${placeholder}${more}>`;
}

/** `maxLength` as flags spell it: `max-length`. */
export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function helpOf(declared: Option<unknown>): string {
  const { help, expected, choices = [] } = declared;
  const words = choices.length > 1 ? [choices.join(", ")] : [];
  const silent = isSwitch(declared) || declared.required || declared.kind === "flag-or-text";
  const fallback = silent ? "" : shownDefault(declared);
  const more = [...words, ...(fallback === "" ? [] : [`default: ${fallback}`])];
  return more.length === 0 ? help || expected : `${help || expected} (${more.join("; ")})`;
}

/** A value as shown in help and docs/; "" for one that conveys nothing. */
export function plainText(value: unknown): string {
  if (value === null || (typeof value === "object" && Object.keys(value).length === 0)) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** An option's default on the command line, as help shows it. */
export function shownDefault(declared: Option<unknown>): string {
  return declared.cli?.shown ?? plainText(defaultOf(declared));
}

/** An option's default on the command line. */
export function defaultOf<T>({ cli, fallback }: Option<T>): T {
  return cli === undefined ? fallback : cli.default;
}

/** Text that a command requires. */
export function requiredText(about: OptionDetails<string>): Option<string> {
  return { ...option<string>("", "a string", (value) => typeof value === "string", about, "text"), required: true };
}

/** --output: a folder, or a file. */
export function outputPath(help: string, placeholder: "dir" | "file" = "dir"): Option<string> {
  const alsoSpelled = ["output-dir", "output-file", "output-path", "out", "save-path", "save-dir"];
  const insteadOf = { "push-to-hub": "Nothing is uploaded: Python's `hf upload NAME DIR` uploads the folder" };
  return requiredText({ help, placeholder, alsoSpelled, insteadOf });
}

/** Files that a command cannot do without. */
export function requiredFiles(about: OptionDetails<readonly string[]>): Option<readonly string[]> {
  return { ...files(about), required: true };
}

/** Whether an option can be given on the command line. */
export function hasFlag({ filledIn, unsaved }: Option<unknown>): boolean {
  return !filledIn && !unsaved;
}

/** Adds the flags of options, except those that the command already has, below a heading of the help. */
export function addOptions(command: Command, options: Options, heading = "Options"): Command {
  for (const [name, declared] of Object.entries(options)) {
    if (!hasFlag(declared)) continue;
    const flag = new DeclaredFlag(name, declared).helpGroup(`${heading}:`);
    const taken = command.options.some((other) => other.long === flag.long || other.attributeName() === name);
    if (!taken) command.addOption(flag);
  }
  return command;
}

/** The values of options that the command line, or its --config file, gives. */
export function givenOf<S extends Options>(command: Command, options: S): Partial<ValuesOf<S>> {
  const given = givenFlags(command, Object.keys(options)).map((flag) => flag.attributeName());
  return Object.fromEntries(given.map((name) => [name, command.getOptionValue(name)])) as Partial<ValuesOf<S>>;
}

/** The values of options, with the command line's defaults for the rest. */
export function valuesOf<S extends Options>(command: Command, options: S): ValuesOf<S> {
  const defaults = Object.entries(options).map(([name, declared]) => [name, defaultOf(declared)]);
  return { ...Object.fromEntries(defaults), ...givenOf(command, options) } as ValuesOf<S>;
}

/** How errors spell options: as this command's flags. `others` has flags for names that are not options. */
export function spellAsFlags(command: Command, others: Readonly<Record<string, string>> = {}): Spell {
  return (name) => command.options.find((flag) => flag.attributeName() === name)?.long ?? others[name] ?? name;
}

/** The flags that the command line or a --config file sets. The names are those of options, such as "learningRate". */
export function givenFlags(command: Command, names: readonly string[]): Flag[] {
  const sources = ["cli", "config"];
  return command.options.filter((flag) => {
    const name = flag.attributeName();
    return names.includes(name) && sources.includes(command.getOptionValueSource(name) ?? "");
  });
}

/**
 * Makes two groups of options exclude each other. The command line overrides a --config file: an option on the command
 * line drops the file's options of the other group.
 */
export function alternatives(command: Command, one: readonly string[], other: readonly string[]): Command {
  const typed = (group: readonly Flag[]) =>
    group.some((flag) => command.getOptionValueSource(flag.attributeName()) === "cli");
  return command.hook("preAction", () => {
    const first = givenFlags(command, one);
    const second = givenFlags(command, other);
    if (first.length === 0 || second.length === 0) return;
    if (typed(first) === typed(second)) {
      command.error(
        `error: option '${first[0]!.flags}' cannot be used with option '${second[0]!.flags}': leave one out`,
      );
    }
    for (const flag of typed(first) ? second : first) {
      command.setOptionValueWithSource(flag.attributeName(), flag.defaultValue, "default");
    }
  });
}

/**
 * Reports all missing required options at once, after unknown ones have been reported and a --config file has been
 * read, with a command line to type.
 */
export function expectRequired(command: Command): Command {
  return command.hook("preAction", () => {
    const required = command.options.filter(isRequired);
    const missing = required.filter((flag) => command.getOptionValue(flag.attributeName()) === undefined);
    if (missing.length === 0) return;
    const plural = missing.length === 1 ? "option" : "options";
    const list = missing.map(({ flags, description }) => `\n  ${flags}  ${description}`).join("");
    command.error(`error: required ${plural} not specified:${list}\n${typed(command)}`);
  });
}

/** The command line to type, with what the command requires. */
export function typed(command: Command): string {
  const operands = command.registeredArguments.map((argument) => `<${argument.name()}>`);
  const required = command.options.filter(isRequired).map(({ flags }) => flags);
  return `Type: ${["lorikeet", ...pathOf(command), ...operands, ...required].join(" ")}`;
}

/** The names of a command below the program. */
function pathOf(command: Command): string[] {
  return command.parent === null ? [] : [...pathOf(command.parent), command.name()];
}
