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
  PyRange,
  type PyValue,
  sorted,
  Tuple,
  toIndex,
  typeName,
  Undefined,
  View,
} from "../values/values.ts";
import { attributeGetter, ignoreCase } from "./attribute-getter.ts";
import { type Filter, filter } from "./filter.ts";

const BY_ATTRIBUTE = [
  ["case_sensitive", false],
  ["attribute", null],
] as const;

/** The key by which items are compared: an attribute, in lower case unless case matters. */
function keyOf(
  run: Run,
  caseSensitive: PyValue,
  attribute: PyValue,
  fallback: PyValue = null,
): (item: PyValue) => PyValue {
  const get = attributeGetter(run, attribute, fallback);
  return isTrue(caseSensitive) ? get : (item) => ignoreCase(get(item));
}

/** Several attributes with commas between them, as one key. */
function keysOf(run: Run, caseSensitive: PyValue, attribute: PyValue): (item: PyValue) => PyValue {
  const attributes = typeof attribute === "string" ? attribute.split(",") : [attribute];
  const getters = attributes.map((each) => keyOf(run, caseSensitive, each));
  return (item) => getters.map((get) => get(item));
}

/** Python's `iter(reversed(value))`. */
function reversedIterator(value: PyValue): Iterator<PyValue> {
  if (value instanceof Undefined) return iterate(value);
  const reversible =
    typeof value === "string" || Array.isArray(value) || value instanceof Tuple || value instanceof Dict;
  if (reversible || value instanceof View || value instanceof PyRange) {
    return [...wrap(iterate(value))].reverse()[Symbol.iterator]();
  }
  throw typeError(`'${typeName(value)}' object is not reversible`);
}

function wrap(iterator: Iterator<PyValue>): Iterable<PyValue> {
  return { [Symbol.iterator]: () => iterator };
}

function reversedItems(run: Run, value: PyValue): PyValue {
  try {
    return new Iter(reversedIterator(value), `${typeName(value)}_reverseiterator`);
  } catch (error) {
    if (!isKind(error, "TypeError")) throw error;
  }
  return listOf(run.budget, value).reverse();
}

function first(value: PyValue): PyValue {
  const next = iterate(value).next();
  return next.done === true ? new Undefined("No first item, sequence was empty.") : next.value;
}

function last(value: PyValue): PyValue {
  const next = reversedIterator(value).next();
  return next.done === true ? new Undefined("No last item, sequence was empty.") : next.value;
}

function extreme(ordering: "<" | ">"): Filter {
  return filter(BY_ATTRIBUTE, (run, value, [caseSensitive, attribute]) => {
    const items = listOf(run.budget, value);
    if (items.length === 0) return new Undefined("No aggregated item, sequence was empty.");
    const key = keyOf(run, caseSensitive!, attribute!);
    let best: PyValue = items[0]!;
    let bestKey: PyValue = key(best);
    for (const item of items.slice(1)) {
      const itemKey = key(item);
      if (!isOrdered(run.budget, itemKey, ordering, bestKey)) continue;
      best = item;
      bestKey = itemKey;
    }
    return best;
  });
}

function sum(run: Run, value: PyValue, [attribute, start]: readonly PyValue[]): PyValue {
  const get = attribute === null ? (item: PyValue) => item : attributeGetter(run, attribute!);
  const items = listOf(run.budget, value);
  if (typeof start === "string") throw typeError("sum() can't sum strings [use ''.join(seq) instead]");
  return items.reduce((total, item) => binary(run.budget, "+", total, get(item)), start!);
}

function* unique(run: Run, value: PyValue, key: (item: PyValue) => PyValue): Generator<PyValue> {
  const seen = new Set<unknown>();
  for (const item of wrap(iterate(value))) {
    run.budget.step(8);
    const hash = hashKey(key(item));
    if (seen.has(hash)) continue;
    seen.add(hash);
    yield item;
  }
}

function* batches(run: Run, value: PyValue, size: number, fill: PyValue): Generator<PyValue> {
  let batch: PyValue[] = [];
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

function* slices(run: Run, value: PyValue, count: number, fill: PyValue): Generator<PyValue> {
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

function* pairsOf(value: PyValue): Generator<PyValue> {
  if (value instanceof Undefined) return;
  if (!(value instanceof Dict)) throw typeError("Can only get item pairs from a mapping.");
  for (const pair of value.entries()) yield new Tuple(pair);
}

function groups(run: Run, value: PyValue, [attribute, fallback, caseSensitive]: readonly PyValue[]): PyValue {
  const key = keyOf(run, caseSensitive!, attribute!, fallback!);
  const named = attributeGetter(run, attribute!, fallback!);
  const found: { key: PyValue; items: PyValue[] }[] = [];
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

function dictSort(run: Run, value: PyValue, [caseSensitive, by, reverse]: readonly PyValue[]): PyValue {
  if (by !== "key" && by !== "value") {
    throw new TemplateError("FilterArgumentError", 'You can only sort by either "key" or "value"');
  }
  if (value instanceof Undefined) throw value.error();
  if (!(value instanceof Dict)) throw typeError(`filter dictsort takes a dict, not ${typeName(value)}`);
  const pairs = [...value.entries()].map((pair) => new Tuple(pair));
  const key = (pair: PyValue): PyValue => {
    const part = (pair as Tuple).items[by === "key" ? 0 : 1]!;
    return isTrue(caseSensitive!) ? part : ignoreCase(part);
  };
  return sorted(run.budget, pairs, key, isTrue(reverse!));
}

function* mapped(run: Run, value: PyValue, args: readonly PyValue[], kwargs: Kwargs): Generator<PyValue> {
  if (!isTrue(value)) return;
  const apply = mapper(run, args, kwargs);
  for (const item of wrap(iterate(value))) {
    run.budget.step();
    yield apply(item);
  }
}

function mapper(run: Run, args: readonly PyValue[], kwargs: Kwargs): (item: PyValue) => PyValue {
  if (args.length === 0 && kwargs.has("attribute")) {
    const odd = [...kwargs.keys()].find((name) => name !== "attribute" && name !== "default");
    if (odd !== undefined) throw new TemplateError("FilterArgumentError", `Unexpected keyword argument '${odd}'`);
    return attributeGetter(run, kwargs.get("attribute")!, kwargs.get("default") ?? null);
  }
  const [name, ...rest] = args;
  if (name === undefined) throw new TemplateError("FilterArgumentError", "map requires a filter argument");
  return (item) => run.filter(filterName(name), item, rest, kwargs);
}

function filterName(name: PyValue): string {
  if (typeof name === "string") return name;
  throw new TemplateError("TemplateRuntimeError", "No filter of that name.");
}

/** select, reject, and both by an attribute. */
function selecting(wanted: boolean, byAttribute: boolean): Filter {
  function* selected(run: Run, value: PyValue, args: readonly PyValue[], kwargs: Kwargs): Generator<PyValue> {
    if (!isTrue(value)) return;
    const holds = condition(run, byAttribute ? args.slice(1) : args, kwargs);
    if (byAttribute && args.length === 0) {
      throw new TemplateError("FilterArgumentError", "Missing parameter for attribute name");
    }
    const get = byAttribute ? attributeGetter(run, args[0]!) : (item: PyValue) => item;
    for (const item of wrap(iterate(value))) {
      run.budget.step();
      if (holds(get(item)) === wanted) yield item;
    }
  }
  return (run, value, args, kwargs) => new Iter(selected(run, value, args, kwargs));
}

function condition(run: Run, args: readonly PyValue[], kwargs: Kwargs): (value: PyValue) => boolean {
  const [name, ...rest] = args;
  if (name === undefined) return isTrue;
  return (value) => run.test(filterName(name), value, rest, kwargs);
}

/** Jinja's `attr`: an attribute alone, never a key. */
function attributeAlone(run: Run, value: PyValue, [name]: readonly PyValue[]): PyValue {
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
