/**
 * Calls between two threads, in both directions over one channel. Each call names a thing, a path of properties from it, and
 * what to do there.
 */
import { StateError } from "../core/errors.ts";
import type { Port } from "./port.ts";
import { type Exchange, pack, unpack } from "./wire.ts";

type Path = readonly string[];

/** What is done at the end of a path. */
type Action = "get" | "call" | "construct" | "iterate";

interface Call {
  readonly kind: "call";
  readonly number: number;
  readonly on: number;
  readonly path: Path;
  readonly action: Action;
  readonly given: readonly unknown[];
}

interface Answer {
  readonly kind: "answer";
  readonly number: number;
  readonly failed: boolean;
  readonly value: unknown;
  /** The maps among the arguments, as the call left them. */
  readonly maps: readonly unknown[];
}

interface Release {
  readonly kind: "release";
  readonly id: number;
  /** How often it arrived: it may be on its way once more. */
  readonly times: number;
}

interface Pending {
  readonly maps: readonly Map<unknown, unknown>[];
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** The number of what each side offers first. */
const ROOT = 0;

/** One end of a channel. */
export class Peer implements Exchange {
  readonly #port: Port;
  readonly #offered: object | Promise<object>;
  readonly #lent = new Map<number, { readonly thing: object; times: number }>();
  readonly #numbers = new WeakMap<object, number>();
  readonly #standIns = new Map<number, { readonly made: WeakRef<object>; times: number }>();
  readonly #borrowed = new WeakMap<object, number>();
  readonly #pending = new Map<number, Pending>();
  readonly #collected = new FinalizationRegistry<number>((id) => this.#release(id));
  #calls = 0;
  #things = ROOT;
  #lost: StateError | null = null;

  /** `offered` is what the other side finds at first. */
  constructor(port: Port, offered: object | Promise<object>) {
    this.#port = port;
    this.#offered = offered;
    port.listen(
      (message) => void this.#receive(message as Call | Answer | Release),
      (why) => this.#lose(why),
    );
  }

  /** What the other side offers. */
  get root(): object {
    return this.borrow(ROOT);
  }

  lend(thing: object): number {
    const known = this.#numbers.get(thing);
    const id = known !== undefined && this.#lent.has(known) ? known : ++this.#things;
    this.#numbers.set(thing, id);
    this.#lent.set(id, { thing, times: (this.#lent.get(id)?.times ?? 0) + 1 });
    return id;
  }

  lent(id: number): object {
    const lent = this.#lent.get(id);
    if (lent !== undefined) return lent.thing;
    throw new StateError(`thing ${id} of this thread was released: keep its stand-in as long as it is used`);
  }

  borrow(id: number): object {
    const known = this.#standIns.get(id);
    const before = known?.made.deref();
    if (known !== undefined) known.times++;
    if (before !== undefined) return before;
    const made = this.#standIn(id, []);
    this.#standIns.set(id, { made: new WeakRef(made), times: known?.times ?? 1 });
    this.#borrowed.set(made, id);
    this.#collected.register(made, id);
    return made;
  }

  borrowed(value: object): number | null {
    return this.#borrowed.get(value) ?? null;
  }

  /** A function whose properties are further stand-ins. Only one at the end of a path is a promise, of the property's value. */
  #standIn(id: number, path: Path): object {
    const call = (action: Action, given: readonly unknown[] = []) => this.#call(id, path, action, given);
    // The stand-in of a thing must live as long as those of its properties.
    const owner = path.length === 0 ? null : this.#standIns.get(id)?.made.deref();
    return new Proxy(function standIn() {} as object, {
      get: (_, name) => {
        void owner;
        if (name === Symbol.asyncIterator) return () => this.#iterate(call("iterate"));
        if (name === Symbol.dispose || name === Symbol.asyncDispose)
          return () => this.#call(id, [...path, "dispose"], "call", []);
        if (typeof name === "symbol") return undefined;
        if (name !== "then") return this.#standIn(id, [...path, name]);
        if (path.length === 0) return undefined;
        const value = call("get");
        return value.then.bind(value);
      },
      apply: (_, __, given) => call("call", given),
      construct: (_, given) => call("construct", given),
    });
  }

  async *#iterate(iterator: Promise<unknown>): AsyncGenerator<unknown, void, undefined> {
    const remote = (await iterator) as AsyncIterator<unknown>;
    try {
      for (let next = await remote.next(); !next.done; next = await remote.next()) yield next.value;
    } finally {
      await remote.return?.();
    }
  }

  #call(on: number, path: Path, action: Action, given: readonly unknown[]): Promise<unknown> {
    if (this.#lost !== null) return Promise.reject(this.#lost);
    const number = ++this.#calls;
    return new Promise((resolve, reject) => {
      const maps = given.filter((value) => value instanceof Map);
      this.#pending.set(number, { maps, resolve, reject });
      this.#port.hold?.(true);
      try {
        const packed = given.map((value) => pack(value, this));
        this.#port.post({ kind: "call", number, on, path, action, given: packed } satisfies Call);
      } catch (error) {
        this.#forgetCall(number);
        reject(error);
      }
    });
  }

  #forgetCall(number: number): void {
    this.#pending.delete(number);
    if (this.#pending.size === 0) this.#port.hold?.(false);
  }

  async #receive(message: Call | Answer | Release): Promise<void> {
    if (message.kind === "answer") this.#settle(message);
    else if (message.kind === "call") await this.#answer(message);
    else this.#forget(message);
  }

  #settle({ number, failed, value, maps }: Answer): void {
    const pending = this.#pending.get(number);
    this.#forgetCall(number);
    for (const [i, packed] of maps.entries()) {
      const map = pending?.maps[i];
      map?.clear();
      for (const [key, item] of unpack(packed, this) as Map<unknown, unknown>) map?.set(key, item);
    }
    if (failed) pending?.reject(unpack(value, this));
    else pending?.resolve(unpack(value, this));
  }

  async #answer({ number, on, path, action, given }: Call): Promise<void> {
    const maps: unknown[] = [];
    const answer = (failed: boolean, value: unknown) => {
      const packed = maps.map((map) => pack(map, this));
      this.#port.post({ kind: "answer", number, failed, value: pack(value, this), maps: packed } satisfies Answer);
    };
    try {
      const values = given.map((value) => unpack(value, this));
      maps.push(...values.filter((value) => value instanceof Map));
      answer(false, await this.#act(on === ROOT ? await this.#offered : this.lent(on), path, action, values));
    } catch (error) {
      answer(true, error);
    }
  }

  #act(thing: object, path: Path, action: Action, given: readonly unknown[]): unknown {
    const owner = path.slice(0, -1).reduce(property, thing);
    const [last] = path.slice(-1);
    const target = last === undefined ? thing : property(owner, last);
    if (action === "get") return target;
    if (action === "construct") return Reflect.construct(target as new () => object, given as unknown[]);
    if (action === "iterate") return (target as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    if (typeof target !== "function") throw new TypeError(`${path.join(".") || "the thing"} is not a function`);
    return Reflect.apply(target, owner, given);
  }

  #release(id: number): void {
    const { made, times } = this.#standIns.get(id)!;
    if (made.deref() !== undefined || this.#lost !== null) return; // it was borrowed again
    this.#standIns.delete(id);
    this.#port.post({ kind: "release", id, times } satisfies Release);
  }

  #forget({ id, times }: Release): void {
    const lent = this.#lent.get(id);
    if (lent === undefined) return;
    lent.times -= times;
    if (lent.times <= 0) this.#lent.delete(id);
  }

  #lose(why: string): void {
    this.#lost = new StateError(`the worker is gone: ${why}`);
    for (const { reject } of this.#pending.values()) reject(this.#lost);
    this.#pending.clear();
  }
}

function property(thing: unknown, name: string): unknown {
  return (thing as Record<string, unknown>)[name];
}
