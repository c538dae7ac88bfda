/** All filters of transformers' environment by name. */

import { floatOf, intOf } from "../values/conversions.ts";
import { isKind, TemplateError, typeError, unsupported } from "../values/errors.ts";
import { absolute, arithmetic, roundFloat, roundInt, truncateFloat } from "../values/numbers.ts";
import type { Run } from "../values/run.ts";
import { isNumeric, isTrue, type PyValue, toIndex, toNumber, typeName, Undefined } from "../values/values.ts";
import { type Filter, filter } from "./filter.ts";
import { LIST_FILTERS } from "./list-filters.ts";
import { TEXT_FILTERS } from "./text-filters.ts";

/** What `work` gives, or `fallback` where Python would catch one of these errors. */
function otherwise<T>(kinds: Parameters<typeof isKind>[1][], work: () => T, fallback: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isKind(error, ...kinds)) return fallback();
    throw error;
  }
}

function toInt(run: Run, value: PyValue, [fallback, base]: readonly PyValue[]): PyValue {
  if (typeof value === "string") run.budget.characters(value.length);
  const whole = () => truncateFloat(floatOf(value));
  const quirk = () => otherwise<PyValue>(["TypeError", "ValueError", "OverflowError"], whole, () => fallback!);
  return otherwise<PyValue>(["TypeError", "ValueError"], () => intOf(value, toIndex(base!)), quirk);
}

function round(run: Run, value: PyValue, [precision, method]: readonly PyValue[]): PyValue {
  if (method !== "common" && method !== "ceil" && method !== "floor") {
    throw new TemplateError("FilterArgumentError", "method must be common, ceil or floor");
  }
  if (value instanceof Undefined) throw typeError("type Undefined doesn't define __round__ method");
  if (!isNumeric(value)) throw typeError(`type ${typeName(value)} doesn't define __round__ method`);
  const number = toNumber(value);
  if (method === "common") {
    if (precision === null) return typeof number === "bigint" ? number : truncateFloat(roundFloat(number, 0));
    const digits = toIndex(precision!);
    return typeof number === "bigint" ? roundInt(number, digits) : roundFloat(number, digits);
  }
  const unit = arithmetic(run.budget, "**", 10n, BigInt(toIndex(precision!)));
  const scaled = arithmetic(run.budget, "*", number, unit);
  const whole =
    typeof scaled === "bigint"
      ? scaled
      : BigInt(wholeFloat(method === "ceil" ? Math.ceil(scaled) : Math.floor(scaled)));
  return arithmetic(run.budget, "/", whole, unit);
}

function wholeFloat(value: number): number {
  truncateFloat(value); // which says what is wrong with nan and infinity
  return value;
}

function refused(name: string, why: string): [string, Filter] {
  return [
    name,
    () => {
      throw unsupported(`the filter "${name}" (${why})`);
    },
  ];
}

const OTHER_FILTERS: readonly (readonly [string, Filter])[] = [
  ["abs", filter([], (_run, value) => absolute(value))],
  [
    "int",
    filter(
      [
        ["default", 0n],
        ["base", 10n],
      ],
      toInt,
    ),
  ],
  [
    "float",
    filter([["default", 0]], (run, value, [fallback]) => {
      if (typeof value === "string") run.budget.characters(value.length);
      return otherwise<PyValue>(
        ["TypeError", "ValueError"],
        () => floatOf(value),
        () => fallback!,
      );
    }),
  ],
  [
    "round",
    filter(
      [
        ["precision", 0n],
        ["method", "common"],
      ],
      round,
    ),
  ],
  ...["default", "d"].map((name): [string, Filter] => [
    name,
    filter(
      [
        ["default_value", ""],
        ["boolean", false],
      ],
      (_run, value, [fallback, boolean]) =>
        value instanceof Undefined || (isTrue(boolean!) && !isTrue(value)) ? fallback! : value,
    ),
  ]),
  refused("random", "its result would change with every call"),
  refused("pprint", "its layout is Python's own"),
  refused("urlize", "it makes HTML"),
];

export const FILTERS: ReadonlyMap<string, Filter> = new Map([...TEXT_FILTERS, ...LIST_FILTERS, ...OTHER_FILTERS]);
