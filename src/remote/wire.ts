/**
 * How values travel between threads. Data (numbers, texts, arrays, typed arrays, plain objects, maps, errors) are copied.
 * Everything else, such as a model, a function or an iterator, stays where it is and travels as a number; where it arrives,
 * it becomes a stand-in. A stand-in that travels back is the thing itself again.
 */
import { FormatError, ShapeError, StateError, UnsupportedError } from "../core/errors.ts";

/** What a thread has lent to the other one, and the stand-ins for what it has borrowed. */
export interface Exchange {
  /** The number of a thing that stays here. */
  lend(thing: object): number;
  /** A thing that was lent before. */
  lent(id: number): object;
  /** The stand-in for a thing of the other thread. */
  borrow(id: number): object;
  /** The number of the thing that a stand-in stands for; null for anything else. */
  borrowed(value: object): number | null;
}

/** A value that is not copied, in the form in which it travels. Keys of plain objects that begin with "$" get another one. */
type Traveler =
  | { readonly $: "lent" | "returned"; readonly id: number }
  | { readonly $: "error"; readonly name: string; readonly message: string; readonly stack: string }
  | { readonly $: "url"; readonly href: string }
  | { readonly $: "map"; readonly entries: readonly (readonly [unknown, unknown])[] }
  | { readonly $: "signal"; readonly id: number; readonly reason: unknown; readonly aborted: boolean };

const errors = [FormatError, ShapeError, StateError, UnsupportedError, TypeError, RangeError];
const copied = ["ArrayBuffer", "SharedArrayBuffer", "Blob", "File", "Date", "RegExp", "Set"];

/** The form in which a value travels. */
export function pack(value: unknown, exchange: Exchange): unknown {
  if (typeof value === "function") return packThing(value, exchange);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map((item) => pack(item, exchange));
  if (exchange.borrowed(value) !== null) return packThing(value, exchange);
  if (value instanceof Error) return { $: "error", ...packError(value) } satisfies Traveler;
  if (value instanceof URL) return { $: "url", href: value.href } satisfies Traveler;
  if (value instanceof Map) {
    const entries = Array.from(value, ([key, item]) => [pack(key, exchange), pack(item, exchange)] as const);
    return { $: "map", entries } satisfies Traveler;
  }
  if (value instanceof AbortSignal) return packSignal(value, exchange);
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null;
  if (prototype === null || prototype === Object.prototype) {
    const entries = Object.entries(value).map(([key, item]) => [
      key.startsWith("$") ? `$${key}` : key,
      pack(item, exchange),
    ]);
    return Object.fromEntries(entries);
  }
  return copied.includes(prototype.constructor?.name ?? "") ? value : packThing(value, exchange);
}

/** The value that arrived. */
export function unpack(form: unknown, exchange: Exchange): unknown {
  if (typeof form !== "object" || form === null || ArrayBuffer.isView(form)) return form;
  if (Array.isArray(form)) return form.map((item) => unpack(item, exchange));
  if (Object.getPrototypeOf(form) !== Object.prototype) return form;
  const traveler = form as Traveler;
  switch (traveler.$) {
    case "lent":
      return exchange.borrow(traveler.id);
    case "returned":
      return exchange.lent(traveler.id);
    case "error":
      return unpackError(traveler);
    case "url":
      return new URL(traveler.href);
    case "map":
      return new Map(traveler.entries.map(([key, item]) => [unpack(key, exchange), unpack(item, exchange)]));
    case "signal":
      return unpackSignal(traveler, exchange);
    default: {
      const entries = Object.entries(form).map(([key, item]) => [
        key.startsWith("$$") ? key.slice(1) : key,
        unpack(item, exchange),
      ]);
      return Object.fromEntries(entries);
    }
  }
}

function packThing(thing: object, exchange: Exchange): Traveler {
  const id = exchange.borrowed(thing);
  return id === null ? { $: "lent", id: exchange.lend(thing) } : { $: "returned", id };
}

function packError({ name, message, stack = "" }: Error): { name: string; message: string; stack: string } {
  return { name, message, stack };
}

/** Errors of the library keep their class. */
function unpackError({ name, message, stack }: Traveler & { $: "error" }): Error {
  const known = errors.find((each) => each.name === name);
  const error = known === undefined ? Object.assign(new Error(message), { name }) : new known(message);
  return Object.assign(error, { stack });
}

function packSignal(signal: AbortSignal, exchange: Exchange): Traveler {
  const aborted = new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });
  const id = exchange.lend({ whenAborted: () => aborted });
  return { $: "signal", id, reason: signal.aborted ? pack(signal.reason, exchange) : null, aborted: signal.aborted };
}

function unpackSignal({ id, reason, aborted }: Traveler & { $: "signal" }, exchange: Exchange): AbortSignal {
  if (aborted) return AbortSignal.abort(unpack(reason, exchange));
  const controller = new AbortController();
  const lent = exchange.borrow(id) as { whenAborted(): Promise<unknown> };
  void lent.whenAborted().then((why) => controller.abort(why));
  return controller.signal;
}
