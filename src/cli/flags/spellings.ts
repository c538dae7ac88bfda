/** Flags as people type them: with underscores, by the option's own name, or as other tools spell them. */
import type { Command, Option as Flag } from "commander";
import { nearest } from "../../core/similar.ts";
import { DeclaredFlag, defaultOf, plainText } from "./options.ts";

/** The flag of a command that a name without dashes means, however it is spelled, or null. */
export function flagCalled({ options }: Command, name: string): Flag | null {
  const plain = plainName(name);
  const own = options.find(({ long }) => long === `--${plain}`);
  return own ?? options.find((flag) => flag instanceof DeclaredFlag && flag.alsoSpelled.includes(plain)) ?? null;
}

/** What to type instead of a flag that other tools have, or null. */
export function answerTo({ options }: Command, name: string): string | null {
  const plain = plainName(name);
  const answers = options.map((flag) => (flag instanceof DeclaredFlag ? flag.declared.insteadOf?.[plain] : undefined));
  return answers.find((answer) => answer !== undefined) ?? null;
}

/** ` Did you mean --lr (--learning-rate)?` for a name that no flag has, or "". */
export function nearestFlags({ options }: Command, name: string): string {
  const spellings = new Map(
    options.flatMap((flag) => {
      const others = flag instanceof DeclaredFlag ? flag.alsoSpelled : [];
      return [flag.long!.slice(2), ...others].map((each) => [each, flag.long!] as const);
    }),
  );
  const found = new Set(nearest(plainName(name), spellings.keys(), 5).map((near) => spellings.get(near)!));
  return found.size === 0 ? "" : ` Did you mean ${[...found].slice(0, 3).join(" or ")}?`;
}

/** `--model, --method` for "m": the first flags that begin with a letter. */
export function flagsFrom({ options }: Command, letter: string): string {
  const flags = options.map(({ long }) => long!).filter((long) => long.startsWith(`--${letter.toLowerCase()}`));
  return flags.slice(0, 3).join(", ");
}

/**
 * An error of the library with options as flags: `maxLength` as `--max-length`. Words without a capital are left as they
 * are, for they may be anything.
 */
export function respelled({ options }: Command, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  for (const flag of options) {
    const name = flag.attributeName();
    if (/[A-Z]/.test(name))
      error.message = error.message.replace(new RegExp(`(?<![\\w"-])${name}(?![\\w"])`, "g"), flag.long!);
  }
  return error;
}

/** The words of a command line, with every flag spelled as the command declares it. */
export function asDeclared(command: Command, words: readonly string[]): string[] {
  const result: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === "--") return [...result, ...words.slice(i)];
    const [, name, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    const flag = name === undefined ? null : flagCalled(command, name);
    if (flag === null) result.push(word);
    else if (flag.required) {
      if (inline !== undefined) result.push(`${flag.long}=${inline}`);
      else if (i + 1 < words.length)
        result.push(flag.long!, words[++i]!); // a value may look like a flag
      else command.error(`error: option '${flag.flags}' has no value, expected ${valueExample(flag)}`);
    } else {
      const said = /^(true|false)$/i.exec(inline ?? words[i + 1] ?? "")?.[0];
      if (said !== undefined && inline === undefined) i++;
      if (said?.toLowerCase() === "false") command.setOptionValueWithSource(flag.attributeName(), false, "cli");
      else result.push(said === undefined ? word.replace(/^--[^=]+/, flag.long!) : flag.long!);
    }
  }
  return result;
}

function valueExample(flag: Flag): string {
  if (!(flag instanceof DeclaredFlag)) return "one behind it";
  const value = plainText(defaultOf(flag.declared));
  return `${flag.declared.expected}${value === "" ? "" : `, such as ${flag.long} ${value}`}`;
}

function plainName(name: string): string {
  return name.toLowerCase().replaceAll("_", "-");
}
