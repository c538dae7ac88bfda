/** What filters, tests and methods may ask of the rendering that they run in. */
import type { Budget } from "./limits.ts";
import type { Kwargs, PyValue } from "./values.ts";

export interface Run {
  readonly budget: Budget;
  /** `value.name` as a sandboxed template has it. */
  attribute(value: PyValue, name: string): PyValue;
  /** Whether Python's `getattr` finds one. */
  hasAttribute(value: PyValue, name: string): boolean;
  /** `value[key]` as a sandboxed template has it. */
  item(value: PyValue, key: PyValue): PyValue;
  filter(name: string, value: PyValue, args: readonly PyValue[], kwargs: Kwargs): PyValue;
  test(name: string, value: PyValue, args: readonly PyValue[], kwargs: Kwargs): boolean;
  hasFilter(name: PyValue): boolean;
  hasTest(name: PyValue): boolean;
  /** The local time. */
  now(): Date;
}
