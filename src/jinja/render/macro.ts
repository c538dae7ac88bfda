/** A macro, or the body of a call block: a function that gives text. */

import type { MacroParts } from "../syntax/nodes.ts";
import { typeError } from "../values/errors.ts";
import { Dict, type Kwargs, PyObject, type PyValue, Tuple, Undefined } from "../values/values.ts";

/** The arguments of one call. Parameters that are not given are left out. */
export interface Bound {
  readonly values: ReadonlyMap<string, PyValue>;
}

export class Macro extends PyObject {
  override readonly typeName = "Macro";
  override readonly callable = true;
  readonly #parts: MacroParts;
  readonly #run: (bound: Bound) => string;

  constructor(parts: MacroParts, run: (bound: Bound) => string) {
    super();
    this.#parts = parts;
    this.#run = run;
  }

  override text(): string {
    return `<Macro ${this.#parts.name === null ? "anonymous" : `'${this.#parts.name}'`}>`;
  }

  override attribute(name: string): PyValue | undefined {
    const { name: own, parameters } = this.#parts;
    if (name === "name") return own;
    if (name === "arguments") return parameters.map((parameter) => parameter.name);
    if (name === "caller") return this.#parts.reads.has("caller");
    if (name === "catch_kwargs") return this.#catches("kwargs");
    if (name === "catch_varargs") return this.#catches("varargs");
    return name === "explicit_caller" ? parameters.some((parameter) => parameter.name === "caller") : undefined;
  }

  /** Whether the body reads a special name that is no parameter. */
  #catches(name: string): boolean {
    return this.#parts.reads.has(name) && !this.#parts.parameters.some((parameter) => parameter.name === name);
  }

  override call(args: readonly PyValue[], kwargs: Kwargs): PyValue {
    const { name, parameters } = this.#parts;
    const rest = new Map(kwargs);
    const values = new Map<string, PyValue>();
    parameters.forEach((parameter, i) => {
      const given = i < args.length ? args[i] : rest.get(parameter.name);
      if (i >= args.length) rest.delete(parameter.name);
      if (given !== undefined) values.set(parameter.name, given);
    });
    if (this.#catches("caller")) {
      const caller = rest.get("caller") ?? null;
      values.set("caller", caller === null ? new Undefined("No caller defined") : caller);
      rest.delete("caller");
    }
    const label = name === null ? "None" : `'${name}'`;
    if (this.#catches("kwargs")) values.set("kwargs", Dict.of(rest));
    else if (rest.size > 0) throw typeError(`macro ${label} takes no keyword argument '${[...rest.keys()][0]}'`);
    if (this.#catches("varargs")) values.set("varargs", new Tuple(args.slice(parameters.length)));
    else if (args.length > parameters.length) {
      throw typeError(`macro ${label} takes not more than ${parameters.length} argument(s)`);
    }
    return this.#run({ values });
  }
}
