/** Attributes of Python's own types, and which of them the sandbox keeps from a template. */
import { positional } from "../values/bind.ts";
import { unsupported, valueError } from "../values/errors.ts";
import { bitLength } from "../values/numbers.ts";
import type { Run } from "../values/run.ts";
import {
  asInt,
  Callable,
  Dict,
  isEqual,
  type List,
  Namespace,
  PyObject,
  type PyValue,
  Tuple,
  toIndex,
  typeName,
  Undefined,
  View,
} from "../values/values.ts";
import { STRING_METHODS, type ValueMethod } from "./string-methods.ts";

/** Methods that would change a list or a dict: unsafe in transformers' environment. */
const MUTATING = new Map([
  ["list", ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"]],
  ["dict", ["clear", "pop", "popitem", "setdefault", "update"]],
]);
/** What Python's types have besides, named so that its absence is not taken for an undefined value. */
const UNSUPPORTED = new Map([
  ["str", ["encode", "translate", "maketrans"]],
  ["dict", ["fromkeys"]],
  ["int", ["as_integer_ratio", "to_bytes", "from_bytes", "bit_count"]],
  ["bool", ["as_integer_ratio", "to_bytes", "from_bytes", "bit_count"]],
  ["float", ["as_integer_ratio", "hex", "fromhex"]],
  ["range", ["index", "count"]],
  ["dict_keys", ["isdisjoint", "mapping"]],
  ["dict_values", ["mapping"]],
  ["dict_items", ["isdisjoint", "mapping"]],
  ["generator", ["send", "throw", "close", "gi_code", "gi_frame", "gi_running", "gi_yieldfrom", "gi_suspended"]],
]);
/** Attributes of every object, which the sandbox holds back. */
const PRIVATE = new Set(
  (
    "class delattr dir doc eq format ge getattribute getstate gt hash init init_subclass le lt ne new reduce reduce_ex " +
    "repr setattr sizeof str subclasshook"
  )
    .split(" ")
    .map((name) => `__${name}__`),
);
const PRIVATE_OF_CONTAINERS = new Set(
  ["contains", "getitem", "iter", "len", "setitem", "delitem", "reversed", "add", "mul", "rmul", "or", "ior", "ror"]
    .concat(["class_getitem", "iadd", "imul", "mod", "rmod", "getnewargs"])
    .map((name) => `__${name}__`),
);

const LIST_METHODS = new Map<string, ValueMethod<readonly PyValue[]>>([
  [
    "index",
    (run, self, args, kwargs) => {
      const [item, start = 0n, stop = BigInt(self.length)] = positional("index", args, kwargs, 1, 3);
      const place = (value: PyValue) => {
        const index = toIndex(value);
        return index < 0 ? Math.max(0, index + self.length) : index;
      };
      const end = Math.min(place(stop), self.length);
      for (let i = place(start); i < end; i++) {
        if (Object.is(self[i], item) || isEqual(run.budget, self[i]!, item!)) return BigInt(i);
      }
      throw valueError("the item is not in the list");
    },
  ],
  [
    "count",
    (run, self, args, kwargs) => {
      const [item] = positional("count", args, kwargs, 1);
      const same = (other: PyValue) => Object.is(other, item) || isEqual(run.budget, other, item!);
      return BigInt(self.filter(same).length);
    },
  ],
]);

const DICT_METHODS = new Map<string, ValueMethod<Dict>>([
  [
    "get",
    (_run, self, args, kwargs) => {
      const [key, fallback = null] = positional("get", args, kwargs, 1, 2);
      return self.get(key!) ?? (self.has(key!) ? null : fallback);
    },
  ],
  ...(["keys", "values", "items"] as const).map((what): [string, ValueMethod<Dict>] => [
    what,
    (_run, self, args, kwargs) => {
      positional(what, args, kwargs, 0);
      return new View(self, what);
    },
  ]),
  [
    "copy",
    (run, self, args, kwargs) => {
      positional("copy", args, kwargs, 0);
      run.budget.entries(self.size);
      return Dict.of(self.entries());
    },
  ],
]);

/**
 * An attribute as Python's `getattr` finds it and the sandbox passes it, an Undefined that names what is unsafe, or
 * undefined where there is none.
 */
export function attributeOf(run: Run, value: PyValue, name: string): PyValue | undefined {
  if (value instanceof Undefined) {
    if (PRIVATE.has(name)) return unsafe(name, "Undefined");
    throw value.error();
  }
  const type = typeName(value);
  if (name.startsWith("_")) return isPrivate(value, name) ? unsafe(name, type) : undefined;
  if (MUTATING.get(type)?.includes(name) === true) return unsafe(name, type);
  if (UNSUPPORTED.get(type)?.includes(name) === true) throw unsupported(`"${name}" of a ${type}`);
  const bound = <T>(methods: ReadonlyMap<string, ValueMethod<T>>, self: T): PyValue | undefined => {
    const method = methods.get(name);
    if (method === undefined) return undefined;
    return new Callable(name, (args, kwargs) => {
      if (typeof self === "string") run.budget.text(self.length);
      return method(run, self, args, kwargs);
    });
  };
  if (typeof value === "string") return bound(STRING_METHODS, value);
  if (Array.isArray(value)) return name === "copy" ? copier(run, value) : bound(LIST_METHODS, value);
  if (value instanceof Dict) return bound(DICT_METHODS, value);
  if (value instanceof Tuple)
    return value instanceof Group
      ? (value.part(name) ?? bound(LIST_METHODS, value.items))
      : bound(LIST_METHODS, value.items);
  if (value instanceof PyObject) return value.attribute(name);
  return numberAttribute(value, name);
}

function copier(run: Run, list: List): PyValue {
  return new Callable("copy", (args, kwargs) => {
    positional("copy", args, kwargs, 0);
    run.budget.entries(list.length);
    return [...list];
  });
}

function isPrivate(value: PyValue, name: string): boolean {
  if (value instanceof Namespace && value.attributes.has(name)) return true;
  const container =
    typeof value === "string" || Array.isArray(value) || value instanceof Dict || value instanceof Tuple;
  return PRIVATE.has(name) || (container && PRIVATE_OF_CONTAINERS.has(name));
}

function unsafe(name: string, type: string): Undefined {
  return new Undefined(`access to attribute '${name}' of '${type}' object is unsafe.`, "SecurityError");
}

function numberAttribute(value: PyValue, name: string): PyValue | undefined {
  const int = asInt(value);
  const method = (work: () => PyValue) =>
    new Callable(name, (args, kwargs) => {
      positional(name, args, kwargs, 0);
      return work();
    });
  if (int !== null) {
    if (name === "real" || name === "numerator") return int;
    if (name === "imag") return 0n;
    if (name === "denominator") return 1n;
    if (name === "conjugate") return method(() => int);
    return name === "bit_length" ? method(() => BigInt(bitLength(int))) : undefined;
  }
  if (typeof value !== "number") return undefined;
  if (name === "real") return value;
  if (name === "imag") return 0;
  if (name === "conjugate") return method(() => value);
  return name === "is_integer" ? method(() => Number.isInteger(value)) : undefined;
}

/** What `groupby` gives: a tuple whose parts have names. */
export class Group extends Tuple {
  part(name: string): PyValue | undefined {
    if (name === "grouper") return this.items[0]!;
    return name === "list" ? this.items[1]! : undefined;
  }
}
