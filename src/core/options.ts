/**
 * The one vocabulary of options. A setting of the trainer, an option of a method or an optimizer, a flag of the command
 * line: each is declared once, as an `Option`, and everything else comes from the declaration: its type, default,
 * check, message, flag, help, YAML key, and row in docs/.
 */
import { FormatError } from "./errors.ts";
import { didYouMean } from "./similar.ts";
import { shownValue } from "./whole-numbers.ts";

/** What an option holds, which determines how text on the command line is parsed. */
export type Kind =
  | "flag" // true or false
  | "flag-or-text" // true or false, or text: a flag whose value may be omitted
  | "whole" // a whole number
  | "number"
  | "choice" // one of several words
  | "text"
  | "names" // a list of names
  | "pattern" // a list of names, or one regular expression
  | "bytes" // a number of bytes, such as 2GB
  | "files" // paths: one, or several behind one flag
  | "renames" // name=name, separated by commas
  | "pairs" // name=value, separated by commas
  | "json"; // anything else, written as JSON

/** Everything else that a declaration states about an option. */
export interface OptionDetails<T> {
  /** A short description of the option. */
  readonly help?: string;
  /** The long flag without its dashes, if it is not the name in kebab case. `no-x` sets a flag to false. */
  readonly spelled?: string;
  /** Other flags that mean exactly the same. The name in kebab case always does. */
  readonly alsoSpelled?: readonly string[];
  /** Flags of other tools that this option replaces, each with what to type instead. */
  readonly insteadOf?: Readonly<Record<string, string>>;
  /** Whether the short help of a command with many options shows it. Required options are always shown. */
  readonly common?: boolean;
  /** The placeholder for the value in help, if the kind's default does not fit: `dir` for `--model <dir>`. */
  readonly placeholder?: string;
  /** The command line's default, if it differs from the library's, and the reason. Help shows `shown` instead if it depends on the run. */
  readonly cli?: { readonly default: T; readonly reason: string; readonly shown?: string };
  /** It is not written to files: only the caller can set it. */
  readonly unsaved?: boolean;
  /** The library sets it from the model or the run: it has no flag and no row in docs/. */
  readonly filledIn?: boolean;
  /** A command requires it. */
  readonly required?: boolean;
  /** A resumed run must use the same value. */
  readonly fixedOnResume?: boolean;
  /** Python holds it as a float, so that 1 is written `1.0`. */
  readonly float?: boolean;
}

/** One option: its default, and which values it takes. */
export interface Option<T> extends OptionDetails<T> {
  readonly kind: Kind;
  readonly fallback: T;
  /** The accepted values other than null, as worded in messages: `a whole number of at least 1`. */
  readonly expected: string;
  /** Whether null is also accepted. */
  readonly nullable?: boolean;
  /** The words of a choice. */
  readonly choices?: readonly string[];
  /** Aliases of these words. */
  readonly aliases?: Readonly<Record<string, string>>;
  is(value: unknown): value is T;
}

/** Options by name, in camelCase. */
export type Options = Readonly<Record<string, Option<unknown>>>;

/** The values of options. */
export type ValuesOf<S extends Options> = { readonly [K in keyof S]: S[K] extends Option<infer T> ? T : never };

/** Both ends of a range; each may be omitted. */
export interface Range {
  readonly least?: number;
  readonly above?: number;
  readonly most?: number;
  readonly below?: number;
}

const isString = (value: unknown): value is string => typeof value === "string";
const isStrings = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every(isString);

/** Any option that none of the kinds below fits. */
export function option<T>(
  fallback: T,
  expected: string,
  is: (value: unknown) => boolean,
  about: string | OptionDetails<T> = "",
  kind: Kind = "json",
): Option<T> {
  const details = typeof about === "string" ? { help: about } : about;
  return { kind, fallback, expected, is: is as (value: unknown) => value is T, ...details };
}

/** true or false. */
export function flag(fallback: boolean, about?: string | OptionDetails<boolean>): Option<boolean> {
  return option(fallback, "true or false", (value) => typeof value === "boolean", about, "flag");
}

/** true or false, or text that matches a pattern, such as the name of what a true flag would choose itself. */
export function flagOrText(
  fallback: boolean,
  { expected, pattern, ...about }: OptionDetails<boolean | string> & { expected: string; pattern: RegExp },
): Option<boolean | string> {
  const is = (value: unknown) => typeof value === "boolean" || (isString(value) && pattern.test(value));
  return option<boolean | string>(fallback, `true, false or ${expected}`, is, about, "flag-or-text");
}

/** A whole number of at least `range`, or in it. */
export function whole(fallback: number, range: number | Range, about?: string | OptionDetails<number>): Option<number> {
  const { is, expected } = inRange("a whole number", typeof range === "number" ? { least: range } : range);
  return option(fallback, expected, (value) => Number.isSafeInteger(value) && is(value as number), about, "whole");
}

/** A finite number, in the range if one is given. */
export function number(fallback: number, about?: string | OptionDetails<number>, range: Range = {}): Option<number> {
  const { is, expected } = inRange("a number", range);
  return option(fallback, expected, (value) => Number.isFinite(value) && is(value as number), about, "number");
}

/** A number of at least 0. */
export function atLeastZero(fallback: number, about?: string | OptionDetails<number>): Option<number> {
  return number(fallback, about, { least: 0 });
}

/** A number above 0. */
export function aboveZero(fallback: number, about?: string | OptionDetails<number>): Option<number> {
  return number(fallback, about, { above: 0 });
}

/** A number from 0 up to, but not including, 1. */
export function fraction(fallback: number, about?: string | OptionDetails<number>): Option<number> {
  return number(fallback, about, { least: 0, below: 1 });
}

/** One of several words. */
export function oneOf<const T extends string>(
  words: readonly T[],
  fallback: NoInfer<T>,
  about?: string | OptionDetails<T>,
  aliases?: Readonly<Record<string, T>>,
): Option<T> {
  const known = [...words, ...Object.keys(aliases ?? {})];
  const is = (value: unknown) => known.includes(value as string);
  const one = option<T>(fallback, `one of ${words.join(", ")}`, is, about, "choice");
  return { ...one, choices: words, ...(aliases && { aliases }) };
}

/** The same option, which also accepts null; null is the default unless another is given. */
export function orNull<T>(one: Option<T>, fallback: T | null = null): Option<T | null> {
  const is = (value: unknown): value is T | null => value === null || one.is(value);
  return { ...one, fallback, nullable: true, is };
}

/** A whole number in a range, or null. */
export function wholeOrNull(range: number | Range, about?: string | OptionDetails<number>): Option<number | null> {
  return orNull(whole(0, range, about));
}

/** Text, or null. */
export function text(about?: string | OptionDetails<string>): Option<string | null> {
  return orNull(option("", "a string", isString, about, "text"));
}

/** A list of names, or null. */
export function names(about?: string | OptionDetails<readonly string[]>): Option<readonly string[] | null> {
  return orNull(option<readonly string[]>([], "a list of names", isStrings, about, "names"));
}

/** Names that stand for others, or null. */
export function renames(
  about?: string | OptionDetails<Readonly<Record<string, string>>>,
): Option<Readonly<Record<string, string>> | null> {
  const is = (value: unknown) => typeof value === "object" && value !== null && isStrings(Object.values(value));
  return orNull(option<Readonly<Record<string, string>>>({}, "names for names", is, about, "renames"));
}

/** One path or several. */
export function files(about?: string | OptionDetails<readonly string[]>): Option<readonly string[]> {
  return option<readonly string[]>([], "paths of files", isStrings, about, "files");
}

/** A list of name endings, one regular expression over whole names, or null. */
export function namesOrPattern(
  about?: string | OptionDetails<readonly string[] | string>,
): Option<readonly string[] | string | null> {
  const is = (value: unknown) => isString(value) || isStrings(value);
  return orNull(
    option<readonly string[] | string>([], "a list of names or a regular expression", is, about, "pattern"),
  );
}

/** A number of bytes. */
export function bytes(fallback: number, about?: string | OptionDetails<number>): Option<number> {
  return { ...atLeastZero(fallback, about), kind: "bytes", expected: "a number of bytes" };
}

/** A test for a range, and its one phrasing. */
function inRange(noun: string, { least, above, most, below }: Range): { is(x: number): boolean; expected: string } {
  const is = (x: number) => !(x < least! || x <= above! || x > most! || x >= below!); // nothing compares with undefined
  const start = least === undefined ? above !== undefined && `above ${above}` : `of at least ${least}`;
  const end = most === undefined ? below !== undefined && `below ${below}` : `at most ${most}`;
  if (least !== undefined && most !== undefined) return { is, expected: `${noun} from ${least} to ${most}` };
  if (least !== undefined && below !== undefined) {
    return { is, expected: `${noun} from ${least} up to but not including ${below}` };
  }
  if (!start && !end) return { is, expected: noun };
  if (start && end) return { is, expected: `${noun} ${start} and ${end}` };
  return { is, expected: `${noun} ${start || (most === undefined ? end : `of ${end}`)}` };
}

/** The values that an option accepts, as worded in messages. */
export function expectedOf({ expected, nullable }: Option<unknown>): string {
  return nullable ? `${expected} or null` : expected;
}

/** How a message spells an option's name: as in the library, as in a file, or as a flag. */
export type Spell = (name: string) => string;

/** How the library spells an option's name. */
export const asNamed: Spell = (name) => name;

/** How values are checked. */
export interface Checks<V> {
  /** How messages spell names. */
  readonly spell?: Spell;
  /** The problem with values that are individually valid, or null. */
  readonly together?: ((values: V) => string | null) | undefined;
}

/**
 * The given values, with aliases replaced by the main names, and defaults for the rest. An undefined value counts as
 * not given. Throws one FormatError with a line for each unknown name and each wrong value, after `what`.
 */
export function completeOptions<S extends Options>(
  what: string,
  options: S,
  given: Readonly<Record<string, unknown>>,
  { spell = asNamed, together }: Checks<ValuesOf<S>> = {},
): ValuesOf<S> {
  const problems: string[] = [];
  const values = Object.fromEntries(Object.entries(options).map(([name, { fallback }]) => [name, fallback]));
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const one = Object.hasOwn(options, name) ? options[name]! : null;
    if (one === null) problems.push(`"${name}" is not an option.${didYouMean(name, Object.keys(options).map(spell))}`);
    else if (!one.is(value))
      problems.push(`"${spell(name)}" is ${shownValue(value, 200)}, expected ${expectedOf(one)}`);
    else values[name] = one.aliases?.[value as string] ?? value;
  }
  const more = problems.length === 0 ? (together?.(values as ValuesOf<S>) ?? null) : null;
  if (more !== null) problems.push(more);
  if (problems.length > 0) throw new FormatError(problems.map((problem) => `${what}: ${problem}`).join("\n"));
  return values as ValuesOf<S>;
}
