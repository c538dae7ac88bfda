/**
 * Python's values: None is null, bool is boolean, int is bigint, float is number, str is string (of code points), list is
 * an array. The other types are the classes below. Nothing here is looked up as a property of a JavaScript object.
 */
import { compareCodePoints } from "../../core/code-points.ts";
import { codePointCount, codePoints } from "./code-points.ts";
import { TemplateError, typeError, unsupported } from "./errors.ts";
import type { Budget } from "./limits.ts";

export type PyValue = null | boolean | bigint | number | string | List | Tuple | Dict | Undefined | PyObject;
export type List = PyValue[];
export type Kwargs = Map<string, PyValue>;

export class Tuple {
  readonly items: readonly PyValue[];
  constructor(items: readonly PyValue[]) {
    this.items = items;
  }
}

/** What a name, key or attribute gives that is not there. */
export class Undefined {
  readonly hint: string;
  readonly kind: "UndefinedError" | "SecurityError";
  constructor(hint: string, kind: "UndefinedError" | "SecurityError" = "UndefinedError") {
    this.hint = hint;
    this.kind = kind;
  }
  error(): TemplateError {
    return new TemplateError(this.kind, this.hint);
  }
}

/** A dict: keys in the order of their first insertion; 1, 1.0 and True are one key. */
export class Dict {
  readonly #entries = new Map<unknown, [PyValue, PyValue]>();

  static of(entries: Iterable<readonly [PyValue, PyValue]>): Dict {
    const dict = new Dict();
    for (const [key, value] of entries) dict.set(key, value);
    return dict;
  }
  get size(): number {
    return this.#entries.size;
  }
  get(key: PyValue): PyValue | undefined {
    return this.#entries.get(hashKey(key))?.[1];
  }
  has(key: PyValue): boolean {
    return this.#entries.has(hashKey(key));
  }
  set(key: PyValue, value: PyValue): void {
    const hash = hashKey(key);
    const held = this.#entries.get(hash);
    this.#entries.set(hash, [held === undefined ? key : held[0], value]);
  }
  keys(): PyValue[] {
    return [...this.#entries.values()].map(([key]) => key);
  }
  values(): PyValue[] {
    return [...this.#entries.values()].map(([, value]) => value);
  }
  entries(): IterableIterator<[PyValue, PyValue]> {
    return this.#entries.values();
  }
}

/** A type with few uses: what it can do is what it overrides. */
export abstract class PyObject {
  abstract readonly typeName: string;
  readonly callable: boolean = false;
  /** An attribute that a template may see, or undefined. */
  attribute(_name: string): PyValue | undefined {
    return undefined;
  }
  call(_args: readonly PyValue[], _kwargs: Kwargs): PyValue {
    throw typeError(`'${this.typeName}' object is not callable`);
  }
  /** Its text, where that holds no address. */
  text(_print: (value: PyValue) => string): string {
    throw unsupported(`printing a ${this.typeName}, which in Python shows an address,`);
  }
  iterate(): Iterator<PyValue> {
    throw typeError(`'${this.typeName}' object is not iterable`);
  }
  /** Its `len`, or null. */
  size(): number | null {
    return null;
  }
}

/** A function, or a method bound to what it was taken from. */
export class Callable extends PyObject {
  override readonly typeName: string;
  override readonly callable = true;
  readonly name: string;
  readonly #call: (args: readonly PyValue[], kwargs: Kwargs) => PyValue;
  constructor(
    name: string,
    call: (args: readonly PyValue[], kwargs: Kwargs) => PyValue,
    typeName = "builtin_function_or_method",
  ) {
    super();
    this.name = name;
    this.#call = call;
    this.typeName = typeName;
  }
  override call(args: readonly PyValue[], kwargs: Kwargs): PyValue {
    return this.#call(args, kwargs);
  }
}

/** A generator or an iterator: gives each value once. */
export class Iter extends PyObject {
  override readonly typeName: string;
  readonly #iterator: Iterator<PyValue>;
  constructor(iterator: Iterator<PyValue>, typeName = "generator") {
    super();
    this.#iterator = iterator;
    this.typeName = typeName;
  }
  override iterate(): Iterator<PyValue> {
    return { next: () => this.#iterator.next() };
  }
}

export class PyRange extends PyObject {
  override readonly typeName = "range";
  readonly start: bigint;
  readonly stop: bigint;
  readonly step: bigint;
  readonly length: bigint;
  constructor(start: bigint, stop: bigint, step: bigint) {
    super();
    this.start = start;
    this.stop = stop;
    this.step = step;
    const span = step > 0n ? stop - start : start - stop;
    const stride = step > 0n ? step : -step;
    this.length = span <= 0n ? 0n : (span + stride - 1n) / stride;
  }
  at(index: number): bigint {
    return this.start + BigInt(index) * this.step;
  }
  override *iterate(): Generator<PyValue> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }
  override size(): number {
    return Number(this.length);
  }
  override text(): string {
    return `range(${this.start}, ${this.stop}${this.step === 1n ? "" : `, ${this.step}`})`;
  }
  override attribute(name: string): PyValue | undefined {
    const values = new Map<string, PyValue>([
      ["start", this.start],
      ["stop", this.stop],
      ["step", this.step],
    ]);
    return values.get(name);
  }
}

/** What `keys()`, `values()` and `items()` of a dict give. */
export class View extends PyObject {
  override readonly typeName: string;
  readonly dict: Dict;
  readonly what: "keys" | "values" | "items";
  constructor(dict: Dict, what: "keys" | "values" | "items") {
    super();
    this.dict = dict;
    this.what = what;
    this.typeName = `dict_${what}`;
  }
  list(): PyValue[] {
    if (this.what === "keys") return this.dict.keys();
    if (this.what === "values") return this.dict.values();
    return [...this.dict.entries()].map((pair) => new Tuple(pair));
  }
  override iterate(): Iterator<PyValue> {
    return this.list()[Symbol.iterator]();
  }
  override size(): number {
    return this.dict.size;
  }
  override text(print: (value: PyValue) => string): string {
    return `${this.typeName}(${print(this.list())})`;
  }
}

/** What `namespace()` gives: attributes that `{% set ns.name = ... %}` may change. */
export class Namespace extends PyObject {
  override readonly typeName = "Namespace";
  readonly attributes: Map<string, PyValue>;
  constructor(attributes: Map<string, PyValue>) {
    super();
    this.attributes = attributes;
  }
  override attribute(name: string): PyValue | undefined {
    return this.attributes.get(name);
  }
  override text(print: (value: PyValue) => string): string {
    return `<Namespace ${print(Dict.of(this.attributes))}>`;
  }
}

/** What the filters `escape` and `safe` give: it can be printed and tested, and `plain` refuses it to all else. */
export class Markup extends PyObject {
  override readonly typeName = "Markup";
  readonly content: string;
  constructor(content: string) {
    super();
    this.content = content;
  }
  override text(): string {
    return this.content;
  }
  override size(): number {
    return codePointCount(this.content);
  }
  override iterate(): Iterator<PyValue> {
    throw unsupported("iterating over escaped text");
  }
}

/** Refuses escaped text: in Python what it meets is escaped too. */
export function plain<T extends PyValue | undefined>(value: T): T {
  if (value instanceof Markup) throw unsupported("working on escaped text");
  return value;
}

export function typeName(value: PyValue): string {
  if (value === null) return "NoneType";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return "int";
  if (typeof value === "number") return "float";
  if (typeof value === "string") return "str";
  if (Array.isArray(value)) return "list";
  if (value instanceof Tuple) return "tuple";
  if (value instanceof Dict) return "dict";
  return value instanceof Undefined ? "Undefined" : value.typeName;
}

/** Python's `bool(value)`. */
export function isTrue(value: PyValue): boolean {
  if (value === null || typeof value === "boolean") return value === true;
  if (typeof value === "bigint") return value !== 0n;
  if (typeof value === "number") return value !== 0; // nan is true
  if (typeof value === "string") return value !== "";
  if (value instanceof Undefined) return false;
  const size = sizeOf(value);
  return size === null || size > 0;
}

/** Python's `len(value)`, or null where there is none. */
export function sizeOf(value: PyValue): number | null {
  if (typeof value === "string") return codePointCount(value);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof Undefined) return 0;
  return value instanceof PyObject ? value.size() : null;
}

export function lengthOf(value: PyValue): bigint {
  const size = sizeOf(value);
  if (size === null) throw typeError(`object of type '${typeName(value)}' has no len()`);
  return BigInt(size);
}

/** An int, a bool as an int, or null. */
export function asInt(value: PyValue): bigint | null {
  if (typeof value === "bigint") return value;
  return typeof value === "boolean" ? BigInt(value) : null;
}

/** An int as a number for counting; numbers beyond 2^53 are cut to it. Throws TypeError for what is not an int. */
export function toIndex(value: PyValue): number {
  const int = asInt(value);
  if (int === null) throw typeError(`'${typeName(value)}' object cannot be interpreted as an integer`);
  const cut = int > BigInt(Number.MAX_SAFE_INTEGER) ? BigInt(Number.MAX_SAFE_INTEGER) : int;
  return Number(cut < -BigInt(Number.MAX_SAFE_INTEGER) ? -BigInt(Number.MAX_SAFE_INTEGER) : cut);
}

export function isNumeric(value: PyValue): value is boolean | bigint | number {
  return typeof value === "bigint" || typeof value === "number" || typeof value === "boolean";
}

/** Python's `iter(value)`. */
export function iterate(value: PyValue): Iterator<PyValue> {
  if (typeof value === "string") return codePoints(value)[Symbol.iterator]();
  if (Array.isArray(value)) return value[Symbol.iterator]();
  if (value instanceof Tuple) return value.items[Symbol.iterator]();
  if (value instanceof Dict) return value.keys()[Symbol.iterator]();
  if (value instanceof Undefined) return ([] as PyValue[])[Symbol.iterator]();
  if (value instanceof PyObject) return value.iterate();
  throw typeError(`'${typeName(value)}' object is not iterable`);
}

/** Python's `list(value)`. Each item is a step. */
export function listOf(budget: Budget, value: PyValue): PyValue[] {
  const items: PyValue[] = [];
  const iterator = iterate(value);
  for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
    budget.step();
    items.push(next.value);
    if (items.length > budget.limits.entries) budget.entries(items.length);
  }
  return items;
}

const MAX_KEY_DEPTH = 100;
const MAX_TUPLE_KEY = 1 << 16;

/** What stands for a value as a key: equal values give equal ones. Throws TypeError for what cannot be hashed. */
export function hashKey(value: PyValue, depth = 0): unknown {
  if (typeof value === "string") return `s${value}`;
  if (value === null) return "None";
  if (isNumeric(value)) {
    const number = typeof value === "boolean" ? BigInt(value) : value;
    if (typeof number === "number" && Number.isInteger(number)) return `n${BigInt(number)}`;
    return `n${number}`;
  }
  if (value instanceof Tuple) {
    if (depth > MAX_KEY_DEPTH) throw unsupported("a key of so many tuples inside one another");
    const parts = value.items.map((item) => hashKey(item, depth + 1));
    if (parts.every((part) => typeof part === "string")) {
      const hash = `t${parts.map((part) => `${part.length}:${part}`).join("")}`;
      if (hash.length < MAX_TUPLE_KEY) return hash;
      throw new TemplateError("LimitError", "a tuple of so much is no key");
    }
    throw unsupported(
      `a tuple with a ${typeName(value.items.find((item) => item instanceof PyObject) ?? null)} as a key`,
    );
  }
  const isView = value instanceof View && value.what !== "values";
  if (Array.isArray(value) || value instanceof Dict || isView) throw typeError(`unhashable type: '${typeName(value)}'`);
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof PyRange) return `r${value.text()}`;
  return value;
}

/** Python's `a == b`. */
export function isEqual(budget: Budget, a: PyValue, b: PyValue, depth = 0): boolean {
  if (isNumeric(a) && isNumeric(b)) return sameNumber(toNumber(a), toNumber(b));
  if (a === b) return true;
  budget.step();
  budget.nesting(depth);
  if (a instanceof Undefined || b instanceof Undefined) return a instanceof Undefined && b instanceof Undefined;
  if (Array.isArray(a)) return Array.isArray(b) && sameItems(budget, a, b, depth);
  if (a instanceof Tuple) return b instanceof Tuple && sameItems(budget, a.items, b.items, depth);
  if (a instanceof Dict) return b instanceof Dict && sameEntries(budget, a, b, depth);
  if (a instanceof PyRange && b instanceof PyRange)
    return isEqual(budget, [...rangeParts(a)], [...rangeParts(b)], depth + 1);
  if (a instanceof View && b instanceof View && a.what !== "values" && b.what !== "values") {
    const other = b.list();
    return a.dict.size === other.length && a.list().every((item) => contains(budget, other, item));
  }
  if (a instanceof Markup) return isEqual(budget, a.content, b);
  return b instanceof Markup && a === b.content;
}

/** JavaScript orders bigints and numbers exactly. */
function sameNumber(a: bigint | number, b: bigint | number): boolean {
  return a <= b && a >= b;
}

function rangeParts({ start, step, length }: PyRange): PyValue[] {
  if (length === 0n) return [0n];
  return length === 1n ? [1n, start] : [length, start, step];
}

function contains(budget: Budget, items: readonly PyValue[], item: PyValue): boolean {
  return items.some((other) => isEqual(budget, other, item));
}

/** Lists treat an item as equal to itself, so nan is. */
function sameItems(budget: Budget, a: readonly PyValue[], b: readonly PyValue[], depth: number): boolean {
  return (
    a.length === b.length && a.every((item, i) => Object.is(item, b[i]) || isEqual(budget, item, b[i]!, depth + 1))
  );
}

function sameEntries(budget: Budget, a: Dict, b: Dict, depth: number): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a.entries()) {
    const other = b.get(key);
    if (other === undefined || !(Object.is(value, other) || isEqual(budget, value, other, depth + 1))) return false;
  }
  return true;
}

/** A bool as an int; the others as they are. */
export function toNumber(value: boolean | bigint | number): bigint | number {
  return typeof value === "boolean" ? BigInt(value) : value;
}

export type Ordering = "<" | "<=" | ">" | ">=";

/** Python's `a < b` and its kin. Throws TypeError for types without an order. */
export function isOrdered(budget: Budget, a: PyValue, ordering: Ordering, b: PyValue, depth = 0): boolean {
  budget.step();
  budget.nesting(depth);
  if (isNumeric(a) && isNumeric(b)) return holds(ordering, toNumber(a), toNumber(b));
  if (typeof a === "string" && typeof b === "string") return holds(ordering, compareCodePoints(a, b), 0);
  for (const side of [a, b]) if (side instanceof Undefined) throw side.error();
  const left = sequenceItems(a);
  const right = sequenceItems(b);
  if (left !== null && right !== null && Array.isArray(a) === Array.isArray(b)) {
    for (let i = 0; i < Math.min(left.length, right.length); i++) {
      const same = Object.is(left[i], right[i]) || isEqual(budget, left[i]!, right[i]!, depth + 1);
      if (!same) return isOrdered(budget, left[i]!, ordering, right[i]!, depth + 1);
    }
    return holds(ordering, left.length, right.length);
  }
  if (a instanceof View && b instanceof View) throw unsupported("the order of a dict's views");
  throw typeError(`'${ordering}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

function sequenceItems(value: PyValue): readonly PyValue[] | null {
  if (Array.isArray(value)) return value;
  return value instanceof Tuple ? value.items : null;
}

function holds(ordering: Ordering, a: bigint | number, b: bigint | number): boolean {
  if (ordering === "<") return a < b;
  if (ordering === "<=") return a <= b;
  return ordering === ">" ? a > b : a >= b;
}

/** Python's `sorted`: stable, by `<` alone. */
export function sorted(
  budget: Budget,
  items: readonly PyValue[],
  key: (item: PyValue) => PyValue,
  reverse = false,
): PyValue[] {
  budget.step(items.length * 8);
  const keyed = items.map((item) => ({ item, key: key(item) }));
  if (reverse) keyed.reverse();
  keyed.sort((a, b) => (isOrdered(budget, b.key, "<", a.key) ? 1 : isOrdered(budget, a.key, "<", b.key) ? -1 : 0));
  if (reverse) keyed.reverse();
  return keyed.map(({ item }) => item);
}
