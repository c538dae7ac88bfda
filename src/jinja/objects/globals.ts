/** The functions that a template finds by name. */
import { bind, positional } from "../values/bind.ts";
import { TemplateError, typeError, unsupported, valueError } from "../values/errors.ts";
import { str } from "../values/print.ts";
import type { Run } from "../values/run.ts";
import {
  asInt,
  Callable,
  Dict,
  type Kwargs,
  listOf,
  Namespace,
  PyObject,
  PyRange,
  type PyValue,
  Tuple,
  typeName,
  Undefined,
} from "../values/values.ts";
import { strftime } from "./strftime.ts";

type Function = (run: Run, args: readonly PyValue[], kwargs: Kwargs) => PyValue;

function range(run: Run, args: readonly PyValue[], kwargs: Kwargs): PyValue {
  const numbers = positional("range", args, kwargs, 1, 3).map((value) => {
    if (value instanceof Undefined) throw typeError("'Undefined' object cannot be interpreted as an integer");
    const int = asInt(value);
    if (int === null) throw typeError(`'${typeName(value)}' object cannot be interpreted as an integer`);
    return int;
  });
  const [start, stop, step = 1n] = numbers.length === 1 ? [0n, numbers[0]!] : numbers;
  if (step === 0n) throw valueError("range() arg 3 must not be zero");
  const made = new PyRange(start!, stop!, step);
  run.budget.range(made.length);
  return made;
}

/** Python's `dict(mapping or pairs, **kwargs)`. */
function dict(run: Run, args: readonly PyValue[], kwargs: Kwargs): Dict {
  if (args.length > 1) throw typeError(`dict expected at most 1 argument, got ${args.length}`);
  const [given] = args;
  const made = new Dict();
  if (given instanceof Dict) for (const [key, value] of given.entries()) made.set(key, value);
  else if (given !== undefined) {
    for (const item of listOf(run.budget, given)) {
      const pair = listOf(run.budget, item);
      if (pair.length !== 2) throw valueError("dictionary update sequence element should have length 2");
      made.set(pair[0]!, pair[1]!);
    }
  }
  for (const [key, value] of kwargs) made.set(key, value);
  run.budget.entries(made.size);
  return made;
}

function namespace(run: Run, args: readonly PyValue[], kwargs: Kwargs): Namespace {
  const attributes = new Map<string, PyValue>();
  for (const [key, value] of dict(run, args, kwargs).entries()) if (typeof key === "string") attributes.set(key, value);
  return new Namespace(attributes);
}

class Cycler extends PyObject {
  override readonly typeName = "Cycler";
  readonly #items: readonly PyValue[];
  #at = 0;
  constructor(items: readonly PyValue[]) {
    super();
    this.#items = items;
  }
  override attribute(name: string): PyValue | undefined {
    if (name === "items") return new Tuple(this.#items);
    if (name === "pos") return BigInt(this.#at);
    if (name === "current") return this.#items[this.#at]!;
    if (name === "reset") {
      return this.#method(name, () => {
        this.#at = 0;
        return null;
      });
    }
    if (name !== "next" && name !== "__next__") return undefined;
    return this.#method(name, () => {
      const current = this.#items[this.#at]!;
      this.#at = (this.#at + 1) % this.#items.length;
      return current;
    });
  }
  #method(name: string, work: () => PyValue): Callable {
    return new Callable(name, (args, kwargs) => {
      positional(name, args, kwargs, 0);
      return work();
    });
  }
}

function cycler(_run: Run, args: readonly PyValue[], kwargs: Kwargs): PyValue {
  if (kwargs.size > 0) throw typeError("Cycler.__init__() got an unexpected keyword argument");
  if (args.length === 0) throw new TemplateError("TemplateRuntimeError", "at least one item has to be provided");
  return new Cycler(args);
}

/** Gives nothing at first, and then the separator. */
function joiner(_run: Run, args: readonly PyValue[], kwargs: Kwargs): PyValue {
  const [separator] = bind("Joiner", [["sep", ", "]], args, kwargs);
  let used = false;
  const next = (given: readonly PyValue[], named: Kwargs): PyValue => {
    positional("Joiner", given, named, 0);
    const text = used ? separator! : "";
    used = true;
    return text;
  };
  return new Callable("Joiner", next, "Joiner");
}

function raiseException(run: Run, args: readonly PyValue[], kwargs: Kwargs): never {
  const [message] = bind("raise_exception", [["message"]], args, kwargs);
  throw new TemplateError("TemplateError", str(run.budget, message!));
}

function strftimeNow(run: Run, args: readonly PyValue[], kwargs: Kwargs): string {
  const [format] = bind("strftime_now", [["format"]], args, kwargs);
  if (typeof format !== "string") throw typeError(`strftime() argument 1 must be str, not ${typeName(format!)}`);
  return strftime(run.now(), format);
}

function lipsum(): never {
  throw unsupported('the function "lipsum" (its text is random)');
}

const FUNCTIONS: readonly (readonly [string, Function, typeName?: string])[] = [
  ["range", range, "function"],
  ["dict", dict, "type"],
  ["namespace", namespace, "type"],
  ["cycler", cycler, "type"],
  ["joiner", joiner, "type"],
  ["raise_exception", raiseException, "function"],
  ["strftime_now", strftimeNow, "function"],
  ["lipsum", lipsum, "function"],
];

export function globalsOf(run: Run): ReadonlyMap<string, PyValue> {
  return new Map(
    FUNCTIONS.map(([name, work, type]) => [name, new Callable(name, (args, kwargs) => work(run, args, kwargs), type)]),
  );
}
