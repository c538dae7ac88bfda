/** Jinja's tests: what stands after `is`. */
import { positional } from "../values/bind.ts";
import { CHARACTER_CHECKS } from "../values/letter-case.ts";
import { binary, isIn, isIterable } from "../values/operators.ts";
import { str } from "../values/print.ts";
import type { Run } from "../values/run.ts";
import {
  Dict,
  isEqual,
  isNumeric,
  isOrdered,
  Markup,
  type Ordering,
  PyObject,
  PyRange,
  type PyValue,
  sizeOf,
  Undefined,
} from "../values/values.ts";

export type Test = (run: Run, value: PyValue, args: readonly PyValue[]) => boolean;

function check(work: (value: PyValue, run: Run) => boolean): Test {
  return (run, value, args) => {
    positional("test", args, new Map(), 0);
    return work(value, run);
  };
}

function against(work: (run: Run, value: PyValue, other: PyValue) => boolean): Test {
  return (run, value, args) => work(run, value, positional("test", args, new Map(), 1)[0]!);
}

function order(ordering: Ordering): Test {
  return against((run, value, other) => isOrdered(run.budget, value, ordering, other));
}

function remainder(run: Run, value: PyValue, by: PyValue, wanted: bigint): boolean {
  return isEqual(run.budget, binary(run.budget, "%", value, by), wanted);
}

function isSequence(value: PyValue): boolean {
  if (value instanceof Undefined) return true;
  if (value instanceof PyObject) return value instanceof PyRange || value instanceof Markup;
  return sizeOf(value) !== null;
}

const equal = against((run, value, other) => isEqual(run.budget, value, other));
const unequal = against((run, value, other) => !isEqual(run.budget, value, other));

export const TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  ["defined", check((value) => !(value instanceof Undefined))],
  ["undefined", check((value) => value instanceof Undefined)],
  ["none", check((value) => value === null)],
  ["boolean", check((value) => typeof value === "boolean")],
  ["false", check((value) => value === false)],
  ["true", check((value) => value === true)],
  ["integer", check((value) => typeof value === "bigint")],
  ["float", check((value) => typeof value === "number")],
  ["number", check(isNumeric)],
  ["string", check((value) => typeof value === "string" || value instanceof Markup)],
  ["mapping", check((value) => value instanceof Dict)],
  ["sequence", check(isSequence)],
  ["iterable", check(isIterable)],
  ["callable", check((value) => value instanceof Undefined || (value instanceof PyObject && value.callable))],
  ["escaped", check((value) => value instanceof Markup)],
  ["lower", check((value, run) => CHARACTER_CHECKS.get("islower")!(str(run.budget, value)))],
  ["upper", check((value, run) => CHARACTER_CHECKS.get("isupper")!(str(run.budget, value)))],
  ["odd", check((value, run) => remainder(run, value, 2n, 1n))],
  ["even", check((value, run) => remainder(run, value, 2n, 0n))],
  ["divisibleby", against((run, value, by) => remainder(run, value, by, 0n))],
  ["filter", check((value, run) => run.hasFilter(value))],
  ["test", check((value, run) => run.hasTest(value))],
  ["sameas", against((_run, value, other) => isSame(value, other))],
  ["in", against((run, value, other) => isIn(run.budget, value, other))],
  ...["==", "eq", "equalto"].map((name): [string, Test] => [name, equal]),
  ...["!=", "ne"].map((name): [string, Test] => [name, unequal]),
  ...[">", "gt", "greaterthan"].map((name): [string, Test] => [name, order(">")]),
  ...["<", "lt", "lessthan"].map((name): [string, Test] => [name, order("<")]),
  ...[">=", "ge"].map((name): [string, Test] => [name, order(">=")]),
  ...["<=", "le"].map((name): [string, Test] => [name, order("<=")]),
]);

/** Python's `is`: sure for singletons and objects; small ints and short strings are mostly one object. */
function isSame(value: PyValue, other: PyValue): boolean {
  return value === other;
}
