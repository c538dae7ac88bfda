/** Jinja's filters of lists and other collections. */

import { Group } from "../objects/attributes.ts";
import { isKind, TemplateError, typeError } from "../values/errors.ts";
import { binary } from "../values/operators.ts";
import type { Run } from "../values/run.ts";
import {
  Dict,
  hashKey,
  Iter,
  isEqual,
  isOrdered,
  isTrue,
  iterate,
  type Kwargs,
  lengthOf,
  listOf,
  Range,
  sorted,
  Tuple,
  toIndex,
  typeName,
  Undefined,
  type Value,
  View,
} from "../values/values.ts";
import { attributeGetter, ignoreCase } from "./attribute-getter.ts";
import { type Filter, filter } from "./filter.ts";

const BY_ATTRIBUTE = [
  ["case_sensitive", false],
  ["attribute", null],
] as const;

/** The key by which items are compared: an attribute, in lower case unless case matters. */
function keyOf(run: Run, caseSensitive: Value, attribute: Value, fallback: Value = null): (item: Value) => Value {
  const get = attributeGetter(run, attribute, fallback);
  return isTrue(caseSensitive) ? get : (item) => ignoreCase(get(item));
}

/** Several attributes with commas between them, as one key. */
function keysOf(run: Run, caseSensitive: Value, attribute: Value): (item: Value) => Value {
  const attributes = typeof attribute === "string" ? attribute.split(",") : [attribute];
  const getters = attributes.map((each) => keyOf(run, caseSensitive, each));
  return (item) => getters.map((get) => get(item));
}

/** Python's `iter(reversed(value))`. */
function reversedIterator(value: Value): Iterator<Value> {
  if (value instanceof Undefined) return iterate(value);
  const reversible =
    typeof value === "string" || Array.isArray(value) || value instanceof Tuple || value instanceof Dict;
  if (reversible || value instanceof View || value instanceof Range) {
    return [...wrap(iterate(value))].reverse()[Symbol.iterator]();
  }
  throw typeError(`'${typeName(value)}' object is not reversible`);
}

function wrap(iterator: Iterator<Value>): Iterable<Value> {
  return { [Symbol.iterator]: () => iterator };
}

function reversedItems(run: Run, value: Value): Value {
  try {
    return new Iter(reversedIterator(value), `${typeName(value)}_reverseiterator`);
  } catch (error) {
    if (!isKind(error, "TypeError")) throw error;
  }
  return listOf(run.budget, value).reverse();
}

function first(value: Value): Value {
  const next = iterate(value).next();
  return next.done === true ? new Undefined("No first item, sequence was empty.") : next.value;
}

function last(value: Value): Value {
  const next = reversedIterator(value).next();
  return next.done === true ? new Undefined("No last item, sequence was empty.") : next.value;
}

function extreme(ordering: "<" | ">"): Filter {
  return filter(BY_ATTRIBUTE, (run, value, [caseSensitive, attribute]) => {
    const items = listOf(run.budget, value);
    if (items.length === 0) return new Undefined("No aggregated item, sequence was empty.");
    const key = keyOf(run, caseSensitive!, attribute!);
    let best: Value = items[0]!;
    let bestKey: Value = key(best);
    for (const item of items.slice(1)) {
      const itemKey = key(item);
      if (!isOrdered(run.budget, itemKey, ordering, bestKey)) continue;
      best = item;
      bestKey = itemKey;
    }
    return best;
  });
}

function sum(run: Run, value: Value, [attribute, start]: readonly Value[]): Value {
  const get = attribute === null ? (item: Value) => item : attributeGetter(run, attribute!);
  const items = listOf(run.budget, value);
  if (typeof start === "string") throw typeError("sum() can't sum strings [use ''.join(seq) instead]");
  return items.reduce((total, item) => binary(run.budget, "+", total, get(item)), start!);
}

function* unique(run: Run, value: Value, key: (item: Value) => Value): Generator<Value> {
  const seen = new Set<unknown>();
  for (const item of wrap(iterate(value))) {
    run.budget.step(8);
    const hash = hashKey(key(item));
    if (seen.has(hash)) continue;
    seen.add(hash);
    yield item;
  }
}

function* batches(run: Run, value: Value, size: number, fill: Value): Generator<Value> {
  let batch: Value[] = [];
  for (const item of wrap(iterate(value))) {
    run.budget.step();
    if (batch.length === size) {
      yield batch;
      batch = [];
    }
    batch.push(item);
  }
  if (batch.length === 0) return;
  if (fill !== null && batch.length < size) {
    run.budget.entries(size);
    while (batch.length < size) batch.push(fill);
  }
  yield batch;
}

function* slices(run: Run, value: Value, count: number, fill: Value): Generator<Value> {
  const items = listOf(run.budget, value);
  if (count === 0) throw new TemplateError("ZeroDivisionError", "integer division or modulo by zero");
  const size = Math.floor(items.length / count);
  const extra = items.length - size * count;
  let start = 0;
  for (let i = 0; i < count; i++) {
    run.budget.step();
    const end = start + size + (i < extra ? 1 : 0);
    const slice = items.slice(start, end);
    if (fill !== null && i >= extra) slice.push(fill);
    yield slice;
    start = end;
  }
}

function* pairsOf(value: Value): Generator<Value> {
  if (value instanceof Undefined) return;
  if (!(value instanceof Dict)) throw typeError("Can only get item pairs from a mapping.");
  for (const pair of value.entries()) yield new Tuple(pair);
}

function groups(run: Run, value: Value, [attribute, fallback, caseSensitive]: readonly Value[]): Value {
  const key = keyOf(run, caseSensitive!, attribute!, fallback!);
  const named = attributeGetter(run, attribute!, fallback!);
  const found: { key: Value; items: Value[] }[] = [];
  for (const item of sorted(run.budget, listOf(run.budget, value), key)) {
    const itemKey = key(item);
    const group = found.at(-1);
    if (group !== undefined && isEqual(run.budget, group.key, itemKey)) group.items.push(item);
    else found.push({ key: itemKey, items: [item] });
  }
  return found.map(
    ({ key: grouper, items }) => new Group([isTrue(caseSensitive!) ? grouper : named(items[0]!), items]),
  );
}

function dictSort(run: Run, value: Value, [caseSensitive, by, reverse]: readonly Value[]): Value {
  if (by !== "key" && by !== "value") {
    throw new TemplateError("FilterArgumentError", 'You can only sort by either "key" or "value"');
  }
  if (value instanceof Undefined) throw value.error();
  if (!(value instanceof Dict)) throw typeError(`filter dictsort takes a dict, not ${typeName(value)}`);
  const pairs = [...value.entries()].map((pair) => new Tuple(pair));
  const key = (pair: Value): Value => {
    const part = (pair as Tuple).items[by === "key" ? 0 : 1]!;
    return isTrue(caseSensitive!) ? part : ignoreCase(part);
  };
  return sorted(run.budget, pairs, key, isTrue(reverse!));
}

function* mapped(run: Run, value: Value, args: readonly Value[], kwargs: Kwargs): Generator<Value> {
  if (!isTrue(value)) return;
  const apply = mapper(run, args, kwargs);
  for (const item of wrap(iterate(value))) {
    run.budget.step();
    yield apply(item);
  }
}

function mapper(run: Run, args: readonly Value[], kwargs: Kwargs): (item: Value) => Value {
  if (args.length === 0 && kwargs.has("attribute")) {
    const odd = [...kwargs.keys()].find((name) => name !== "attribute" && name !== "default");
    if (odd !== undefined) throw new TemplateError("FilterArgumentError", `Unexpected keyword argument '${odd}'`);
    return attributeGetter(run, kwargs.get("attribute")!, kwargs.get("default") ?? null);
  }
  const [name, ...rest] = args;
  if (name === undefined) throw new TemplateError("FilterArgumentError", "map requires a filter argument");
  return (item) => run.filter(filterName(name), item, rest, kwargs);
}

function filterName(name: Value): string {
  if (typeof name === "string") return name;
  throw new TemplateError("TemplateRuntimeError", "No filter of that name.");
}

/** select, reject, and both by an attribute. */
function selecting(wanted: boolean, byAttribute: boolean): Filter {
  function* selected(run: Run, value: Value, args: readonly Value[], kwargs: Kwargs): Generator<Value> {
    if (!isTrue(value)) return;
    const holds = condition(run, byAttribute ? args.slice(1) : args, kwargs);
    if (byAttribute && args.length === 0) {
      throw new TemplateError("FilterArgumentError", "Missing parameter for attribute name");
    }
    const get = byAttribute ? attributeGetter(run, args[0]!) : (item: Value) => item;
    for (const item of wrap(iterate(value))) {
      run.budget.step();
      if (holds(get(item)) === wanted) yield item;
    }
  }
  return (run, value, args, kwargs) => new Iter(selected(run, value, args, kwargs));
}

function condition(run: Run, args: readonly Value[], kwargs: Kwargs): (value: Value) => boolean {
  const [name, ...rest] = args;
  if (name === undefined) return isTrue;
  return (value) => run.test(filterName(name), value, rest, kwargs);
}

/** Jinja's `attr`: an attribute alone, never a key. */
function attributeAlone(run: Run, value: Value, [name]: readonly Value[]): Value {
  if (typeof name !== "string") throw typeError(`attribute name must be string, not '${typeName(name!)}'`);
  if (value instanceof Dict && !run.hasAttribute(value, name)) {
    return new Undefined(`'dict object' has no attribute '${name}'`);
  }
  return run.attribute(value, name);
}

export const LIST_FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ["length", filter([], (_run, value) => lengthOf(value))],
  ["count", filter([], (_run, value) => lengthOf(value))],
  ["list", filter([], (run, value) => listOf(run.budget, value))],
  ["first", filter([], (_run, value) => first(value))],
  ["last", filter([], (_run, value) => last(value))],
  ["min", extreme("<")],
  ["max", extreme(">")],
  [
    "sum",
    filter(
      [
        ["attribute", null],
        ["start", 0n],
      ],
      sum,
    ),
  ],
  [
    "sort",
    filter([["reverse", false], ...BY_ATTRIBUTE], (run, value, [reverse, caseSensitive, attribute]) =>
      sorted(run.budget, listOf(run.budget, value), keysOf(run, caseSensitive!, attribute!), isTrue(reverse!)),
    ),
  ],
  [
    "unique",
    filter(
      BY_ATTRIBUTE,
      (run, value, [caseSensitive, attribute]) => new Iter(unique(run, value, keyOf(run, caseSensitive!, attribute!))),
    ),
  ],
  [
    "batch",
    filter(
      [["linecount"], ["fill_with", null]],
      (run, value, [size, fill]) => new Iter(batches(run, value, toIndex(size!), fill!)),
    ),
  ],
  [
    "slice",
    filter(
      [["slices"], ["fill_with", null]],
      (run, value, [count, fill]) => new Iter(slices(run, value, toIndex(count!), fill!)),
    ),
  ],
  ["items", filter([], (_run, value) => new Iter(pairsOf(value)))],
  ["groupby", filter([["attribute"], ["default", null], ["case_sensitive", false]], groups)],
  [
    "dictsort",
    filter(
      [
        ["case_sensitive", false],
        ["by", "key"],
        ["reverse", false],
      ],
      dictSort,
    ),
  ],
  ["map", (run, value, args, kwargs) => new Iter(mapped(run, value, args, kwargs))],
  ["select", selecting(true, false)],
  ["reject", selecting(false, false)],
  ["selectattr", selecting(true, true)],
  ["rejectattr", selecting(false, true)],
  ["attr", filter([["name"]], attributeAlone)],
  [
    "reverse",
    filter([], (run, value) => {
      if (typeof value !== "string") return reversedItems(run, value);
      run.budget.text(value.length);
      return Array.from(value).reverse().join("");
    }),
  ],
]);
