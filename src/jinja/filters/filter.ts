/** A filter: what stands after `|`. */
import { bind, type Parameter } from "../values/bind.ts";
import type { Run } from "../values/run.ts";
import type { Kwargs, Value } from "../values/values.ts";

export type Filter = (run: Run, value: Value, args: readonly Value[], kwargs: Kwargs) => Value;

/** A filter whose arguments have names. */
export function filter(
  parameters: readonly Parameter[],
  work: (run: Run, value: Value, args: readonly Value[]) => Value,
): Filter {
  return (run, value, args, kwargs) => work(run, value, bind("filter", parameters, args, kwargs));
}
