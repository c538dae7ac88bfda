/** A filter: what stands after `|`. */
import { bind, type CallParameter } from "../values/bind.ts";
import type { Run } from "../values/run.ts";
import type { Kwargs, PyValue } from "../values/values.ts";

export type Filter = (run: Run, value: PyValue, args: readonly PyValue[], kwargs: Kwargs) => PyValue;

/** A filter whose arguments have names. */
export function filter(
  parameters: readonly CallParameter[],
  work: (run: Run, value: PyValue, args: readonly PyValue[]) => PyValue,
): Filter {
  return (run, value, args, kwargs) => work(run, value, bind("filter", parameters, args, kwargs));
}
