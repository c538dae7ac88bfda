/** What filters, tests and methods may ask of the rendering that they run in. */
import type { Budget } from "./limits.ts";
import type { Kwargs, Value } from "./values.ts";

export interface Run {
  readonly budget: Budget;
  /** `value.name` as a sandboxed template has it. */
  attribute(value: Value, name: string): Value;
  /** Whether Python's `getattr` finds one. */
  hasAttribute(value: Value, name: string): boolean;
  /** `value[key]` as a sandboxed template has it. */
  item(value: Value, key: Value): Value;
  filter(name: string, value: Value, args: readonly Value[], kwargs: Kwargs): Value;
  test(name: string, value: Value, args: readonly Value[], kwargs: Kwargs): boolean;
  hasFilter(name: Value): boolean;
  hasTest(name: Value): boolean;
  /** The local time. */
  now(): Date;
}
