/** Python's operators on all its types, item access and slices. */
import { codePointCount, codePointSlice, codePoints } from "./code-points.ts";
import { isKind, TemplateError, typeError, valueError } from "./errors.ts";
import { percentFormat } from "./format.ts";
import type { Budget } from "./limits.ts";
import { arithmetic, type Operator, signed } from "./numbers.ts";
import {
  asInt,
  Dict,
  isEqual,
  isNumeric,
  iterate,
  type Kwargs,
  PyObject,
  PyRange,
  type PyValue,
  Tuple,
  toIndex,
  typeName,
  Undefined,
  View,
} from "./values.ts";

export function binary(budget: Budget, operator: Operator, a: PyValue, b: PyValue): PyValue {
  if (isNumeric(a) && isNumeric(b)) return arithmetic(budget, operator, a, b);
  if (operator === "%" && typeof a === "string") return percentFormat(budget, a, b);
  for (const side of [a, b]) if (side instanceof Undefined) throw side.error();
  if (operator === "+") {
    const sum = concatenated(budget, a, b);
    if (sum !== null) return sum;
  }
  if (operator === "*") {
    const repeated = asInt(b) !== null ? repeat(budget, a, b) : asInt(a) !== null ? repeat(budget, b, a) : null;
    if (repeated !== null) return repeated;
  }
  throw typeError(`unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`);
}

function concatenated(budget: Budget, a: PyValue, b: PyValue): PyValue | null {
  if (typeof a === "string" && typeof b === "string") {
    budget.text(a.length + b.length);
    return a + b;
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    budget.entries(a.length + b.length);
    return [...a, ...b];
  }
  if (!(a instanceof Tuple && b instanceof Tuple)) return null;
  budget.entries(a.items.length + b.items.length);
  return new Tuple([...a.items, ...b.items]);
}

function repeat(budget: Budget, value: PyValue, times: PyValue): PyValue | null {
  const count = Math.max(0, toIndex(times));
  if (typeof value === "string") {
    budget.text(value.length * count);
    return value.repeat(count);
  }
  const items = Array.isArray(value) ? value : value instanceof Tuple ? value.items : null;
  if (items === null) return null;
  budget.entries(items.length * count);
  const repeated = Array.from({ length: items.length === 0 ? 0 : count }, () => items).flat(1) as PyValue[];
  return Array.isArray(value) ? repeated : new Tuple(repeated);
}

export function unary(sign: "-" | "+", value: PyValue): PyValue {
  if (isNumeric(value)) return signed(sign, value);
  if (value instanceof Undefined) throw value.error();
  throw typeError(`bad operand type for unary ${sign}: '${typeName(value)}'`);
}

/** Python's `item in container`. */
export function isIn(budget: Budget, item: PyValue, container: PyValue): boolean {
  if (typeof container === "string") {
    if (typeof item !== "string") {
      throw typeError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    }
    budget.text(container.length);
    return container.includes(item);
  }
  if (container instanceof Dict) return container.has(item);
  if (container instanceof View && container.what === "keys") return container.dict.has(item);
  if (container instanceof PyRange && asInt(item) !== null) return inRange(asInt(item)!, container);
  if (!isIterable(container)) throw typeError(`argument of type '${typeName(container)}' is not iterable`);
  const iterator = iterate(container);
  for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
    budget.step();
    if (Object.is(next.value, item) || isEqual(budget, next.value, item)) return true;
  }
  return false;
}

function inRange(value: bigint, { start, step, length }: PyRange): boolean {
  const index = (value - start) / step;
  return index >= 0n && index < length && start + index * step === value;
}

export function isIterable(value: PyValue): boolean {
  try {
    iterate(value);
    return true;
  } catch (error) {
    if (isKind(error, "TypeError")) return false;
    throw error;
  }
}

/** `value[key]`; undefined where Python raises a TypeError or LookupError. */
export function itemOf(value: PyValue, key: PyValue): PyValue | undefined {
  if (value instanceof Undefined) throw value.error();
  if (value instanceof Dict) return dictItem(value, key);
  const index = asInt(key);
  if (index === null) return undefined;
  const at = (length: number): number => {
    const place = index < 0n ? index + BigInt(length) : index;
    return place >= 0n && place < BigInt(length) ? Number(place) : -1;
  };
  if (typeof value === "string") {
    const place = at(codePointCount(value));
    return place < 0 ? undefined : codePointSlice(value, place, place + 1);
  }
  if (Array.isArray(value)) return value[at(value.length)];
  if (value instanceof Tuple) return value.items[at(value.items.length)];
  if (!(value instanceof PyRange)) return undefined;
  const place = at(Number(value.length));
  return place < 0 ? undefined : value.at(place);
}

function dictItem(dict: Dict, key: PyValue): PyValue | undefined {
  try {
    return dict.get(key);
  } catch (error) {
    if (isKind(error, "TypeError")) return undefined;
    throw error;
  }
}

/** `value[start:stop:step]`, each part an int or None. */
export function slice(budget: Budget, value: PyValue, start: PyValue, stop: PyValue, step: PyValue): PyValue {
  if (value instanceof Undefined) throw value.error();
  const items =
    typeof value === "string" ? null : Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
  if (items === undefined) return sliceOther(value, start, stop, step);
  const size = items === null ? codePointCount(value as string) : items.length;
  const range = bounds(size, start, stop, step);
  const [from, to, by] = range;
  if (items === null && by === 1) {
    budget.text((value as string).length);
    return codePointSlice(value as string, from, Math.max(from, to));
  }
  budget.characters(size);
  const source: readonly PyValue[] = items ?? codePoints(value as string);
  const taken: PyValue[] = [];
  for (let i = from; by > 0 ? i < to : i > to; i += by) taken.push(source[i]!);
  if (items === null) return taken.join("");
  return Array.isArray(value) ? taken : new Tuple(taken);
}

function sliceOther(value: PyValue, start: PyValue, stop: PyValue, step: PyValue): PyValue {
  if (value instanceof PyRange) {
    const [from, to, by] = bounds(Number(value.length), start, stop, step);
    return new PyRange(value.at(from), value.at(to), value.step * BigInt(by));
  }
  if (value instanceof Dict) throw typeError("unhashable type: 'slice'");
  throw typeError(`'${typeName(value)}' object is not subscriptable`);
}

/** Python's `slice.indices`. */
function bounds(length: number, start: PyValue, stop: PyValue, step: PyValue): [number, number, number] {
  const int = (value: PyValue): number | null => {
    if (value === null) return null;
    if (value instanceof Undefined || asInt(value) === null) {
      throw typeError("slice indices must be integers or None or have an __index__ method");
    }
    return toIndex(value);
  };
  const by = int(step) ?? 1;
  if (by === 0) throw valueError("slice step cannot be zero");
  const [lowest, highest] = by < 0 ? [-1, length - 1] : [0, length];
  const clip = (given: number | null, fallback: number): number => {
    if (given === null) return fallback;
    return given < 0 ? Math.max(given + length, lowest) : Math.min(given, highest);
  };
  return [clip(int(start), by < 0 ? highest : lowest), clip(int(stop), by < 0 ? lowest : highest), by];
}

/** Python's `value(*args, **kwargs)`. */
export function callValue(value: PyValue, args: readonly PyValue[], kwargs: Kwargs): PyValue {
  if (value instanceof Undefined) throw value.error();
  if (value instanceof PyObject) return value.call(args, kwargs);
  throw new TemplateError("TypeError", `'${typeName(value)}' object is not callable`);
}
