/** The variable `loop` of a for-loop, which looks ahead by one item only where it is asked to. */
import { positional } from "../values/bind.ts";
import { typeError } from "../values/errors.ts";
import type { Budget } from "../values/limits.ts";
import {
  Callable,
  isEqual,
  iterate,
  type Kwargs,
  PyObject,
  type PyValue,
  sizeOf,
  Tuple,
  Undefined,
} from "../values/values.ts";

/** Runs a recursive loop over other items, one level deeper. */
export type Recurse = (items: PyValue, depth: number) => string;

export class Loop extends PyObject {
  override readonly typeName = "LoopContext";
  override readonly callable = true;
  readonly #budget: Budget;
  readonly #items: PyValue;
  readonly #recurse: Recurse | null;
  readonly #depth: number;
  #iterator: Iterator<PyValue>;
  #index = -1;
  #length: number | null = null;
  #before: PyValue | undefined;
  #current: PyValue | undefined;
  /** The next item, where it was looked at; null where there is none. */
  #after: { readonly item: PyValue } | null | undefined;
  #changed: PyValue | undefined;

  constructor(budget: Budget, items: PyValue, recurse: Recurse | null, depth: number) {
    super();
    this.#budget = budget;
    this.#items = items;
    this.#iterator = iterate(items);
    this.#recurse = recurse;
    this.#depth = depth;
  }

  /** The next item, or undefined at the end. */
  next(): PyValue | undefined {
    const next = this.#peek();
    this.#after = undefined;
    if (next === null) return undefined;
    this.#budget.step();
    this.#index++;
    this.#before = this.#current;
    this.#current = next.item;
    return next.item;
  }

  #peek(): { readonly item: PyValue } | null {
    if (this.#after === undefined) {
      const next = this.#iterator.next();
      this.#after = next.done === true ? null : { item: next.value };
    }
    return this.#after;
  }

  #size(): number {
    if (this.#length !== null) return this.#length;
    const size = sizeOf(this.#items);
    if (size !== null) this.#length = size;
    else {
      const rest: PyValue[] = [];
      for (let next = this.#iterator.next(); next.done !== true; next = this.#iterator.next()) {
        this.#budget.step();
        rest.push(next.value);
      }
      this.#iterator = rest[Symbol.iterator]();
      const ahead = this.#after === undefined || this.#after === null ? 0 : 1;
      this.#length = rest.length + this.#index + 1 + ahead;
    }
    return this.#length;
  }

  override size(): number {
    return this.#size();
  }

  override text(): string {
    return `<LoopContext ${this.#index + 1}/${this.#size()}>`;
  }

  override attribute(name: string): PyValue | undefined {
    switch (name) {
      case "index0":
        return BigInt(this.#index);
      case "index":
        return BigInt(this.#index + 1);
      case "revindex0":
        return BigInt(this.#size() - this.#index - 1);
      case "revindex":
        return BigInt(this.#size() - this.#index);
      case "length":
        return BigInt(this.#size());
      case "depth0":
        return BigInt(this.#depth);
      case "depth":
        return BigInt(this.#depth + 1);
      case "first":
        return this.#index === 0;
      case "last":
        return this.#peek() === null;
      case "previtem":
        return this.#index === 0 ? new Undefined("there is no previous item") : this.#before!;
      case "nextitem":
        return this.#peek()?.item ?? this.#noNext();
      case "cycle":
        return new Callable("cycle", (args, kwargs) => this.#cycle(args, kwargs));
      case "changed":
        return new Callable("changed", (args, kwargs) => this.#hasChanged(args, kwargs));
      default:
        return undefined;
    }
  }

  /** A next item may be None, which is null. */
  #noNext(): PyValue {
    return this.#peek() === null ? new Undefined("there is no next item") : null;
  }

  #cycle(args: readonly PyValue[], kwargs: Kwargs): PyValue {
    positional("cycle", args, kwargs, 0, Number.POSITIVE_INFINITY);
    if (args.length === 0) throw typeError("no items for cycling given");
    return args[this.#index % args.length]!;
  }

  #hasChanged(args: readonly PyValue[], kwargs: Kwargs): boolean {
    const value = new Tuple(positional("changed", args, kwargs, 0, Number.POSITIVE_INFINITY));
    if (this.#changed !== undefined && isEqual(this.#budget, this.#changed, value)) return false;
    this.#changed = value;
    return true;
  }

  override call(args: readonly PyValue[], kwargs: Kwargs): PyValue {
    const [items] = positional("loop", args, kwargs, 1);
    if (this.#recurse !== null) return this.#recurse(items!, this.#depth + 1);
    throw typeError("The loop must have the 'recursive' marker to be called recursively.");
  }
}
