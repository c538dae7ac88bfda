/** The options of an optimiser: what each is when not given, and which values it takes. */
import { FormatError } from "../core/errors.ts";
import { didYouMean } from "../core/similar.ts";

/** One option: its default and which values it takes. */
export interface Option<T> {
  readonly fallback: T;
  /** What messages say was expected, such as `true or false`. */
  readonly expected: string;
  readonly is: (value: unknown) => boolean;
}

/** Options by name, in camelCase. */
export type Options = Readonly<Record<string, Option<unknown>>>;

/** The values of options. */
export type ValuesOf<S extends Options> = { readonly [K in keyof S]: S[K] extends Option<infer T> ? T : never };

const finite = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

export function fraction(fallback: number): Option<number> {
  return { fallback, expected: "a number from 0 to below 1", is: (v) => finite(v) && v >= 0 && v < 1 };
}
export function fractionOrNull(): Option<number | null> {
  const { expected, is } = fraction(0);
  return { fallback: null, expected: `${expected}, or null`, is: (v) => v === null || is(v) };
}
export function atLeastZero(fallback: number): Option<number> {
  return { fallback, expected: "a number of at least 0", is: (v) => finite(v) && v >= 0 };
}
export function aboveZero(fallback: number): Option<number> {
  return { fallback, expected: "a number above 0", is: (v) => finite(v) && v > 0 };
}
export function atMostZero(fallback: number): Option<number> {
  return { fallback, expected: "a number of at most 0", is: (v) => finite(v) && v <= 0 };
}
export function flag(fallback: boolean): Option<boolean> {
  return { fallback, expected: "true or false", is: (v) => typeof v === "boolean" };
}

/** The given values and defaults for the rest. Throws one FormatError that lists every unknown or wrong one. */
export function completeOptions<S extends Options>(what: string, options: S, given: Partial<ValuesOf<S>>): ValuesOf<S> {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  const problems = entries.flatMap(([name, value]) => {
    if (!Object.hasOwn(options, name)) {
      return [`${what} has no option "${name}".${didYouMean(name, Object.keys(options))}`];
    }
    const { is, expected } = options[name]!;
    return is(value) ? [] : [`${what}: ${name} is ${JSON.stringify(value)}, expected ${expected}`];
  });
  if (problems.length > 0) throw new FormatError(problems.join("\n"));
  const fallbacks = Object.entries(options).map(([name, { fallback }]) => [name, fallback]);
  return { ...Object.fromEntries(fallbacks), ...Object.fromEntries(entries) } as ValuesOf<S>;
}
