/** A part of the rows held out to evaluate on. */
import { expectArgument } from "../core/call-options.ts";
import { StateError } from "../core/errors.ts";
import { Philox } from "../core/random/philox.ts";
import type { Row } from "./known-tasks.ts";

/** Rows for training, and rows held out for validation. */
export interface SplitRows {
  readonly train: Row[];
  readonly valid: Row[];
}

/** Far from the streams of other users of the run's seed. */
const STREAM = 2 ** 41;

/**
 * Divides rows at random, the same way for the same seed: `share` of them, at least one, are held out. Rows with a class are divided
 * class by class, so that both parts have about the same classes. Both keep the order of the rows. Throws StateError for fewer than
 * two rows.
 *
 * @example
 * const { train, valid } = splitRows(await readRows("reviews.csv"), 0.1, 42);
 */
export function splitRows(rows: readonly Row[], share: number, seed: number): SplitRows {
  expectArgument("splitRows", "the first argument", rows, Array.isArray(rows), "rows as readRows gives them");
  expectArgument("splitRows", "the share", share, share > 0 && share < 1, "a number between 0 and 1, such as 0.1");
  expectArgument("splitRows", "the seed", seed, Number.isSafeInteger(seed), "a whole number");
  if (rows.length < 2)
    throw new StateError(`a part of the data cannot be held out: it needs at least 2 rows, there is ${rows.length}`);
  const order = Array.from(rows, (_, i) => i);
  new Philox(seed, STREAM).shuffle(order);
  const classes = new Map<string, number[]>();
  for (const i of order) {
    const key = classOfRow(rows[i]!);
    const known = classes.get(key);
    if (known === undefined) classes.set(key, [i]);
    else known.push(i);
  }
  const count = Math.min(rows.length - 1, Math.max(1, Math.round(rows.length * share)));
  const held = new Set(heldOut([...classes.values()], count / rows.length, count));
  return { train: rows.filter((_, i) => !held.has(i)), valid: rows.filter((_, i) => held.has(i)) };
}

/** The class of a row, or "" for all rows that have none. */
function classOfRow(row: Row): string {
  const { label } = row as { readonly label?: unknown };
  return typeof label === "string" || Number.isInteger(label) ? JSON.stringify(label) : "";
}

/** So many of each class, in all `count`: each gets its share rounded down, and the largest remainders one more. */
function heldOut(classes: readonly (readonly number[])[], share: number, count: number): number[] {
  const floors = classes.map((members) => Math.floor(members.length * share + 1e-9));
  const remainder = (c: number) => classes[c]!.length * share - floors[c]!;
  const byRemainder = classes.map((_, c) => c).sort((a, b) => remainder(b) - remainder(a) || a - b);
  const missing = count - floors.reduce((sum, n) => sum + n, 0);
  for (const c of byRemainder.slice(0, missing)) floors[c]!++;
  return classes.flatMap((members, c) => members.slice(0, floors[c]));
}
