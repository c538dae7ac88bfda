import { afterEach, expect, test } from "vitest";
import { FormatError, StateError } from "../../src/core/errors.ts";
import type { Remote } from "../../src/remote/remote.ts";
import { across } from "./channel.ts";

class Counter {
  count = 0;
  readonly nested = { depth: 1, inner: { name: "inner" } };
  add(by: number): number {
    this.count += by;
    return this.count;
  }
  another(): Counter {
    return new Counter();
  }
  same(other: Counter): boolean {
    return other === this;
  }
  async *upTo(end: number): AsyncGenerator<number> {
    try {
      for (let i = 1; i <= end; i++) yield i;
    } finally {
      this.count = -1;
    }
  }
}

const offered = {
  Counter,
  counter: new Counter(),
  fail(): never {
    throw new FormatError("bad file");
  },
  async map(over: readonly number[], change: (value: number) => number | Promise<number>): Promise<number[]> {
    return Promise.all(over.map(change));
  },
  fill(target: Map<string, Uint8Array>): void {
    target.set("a", new Uint8Array([1, 2]));
  },
  whenAborted: ({ signal }: { signal: AbortSignal }): Promise<unknown> =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason))),
};

let closing: (() => void) | null = null;
afterEach(() => closing?.());

function remote(): Remote<typeof offered> {
  const { remote: made, close } = across(offered);
  closing = close;
  return made as unknown as Remote<typeof offered>;
}

test("calls, properties and constructors act on the thing where it is", async () => {
  const there = remote();
  const counter = await new there.Counter();
  expect(await counter.add(2)).toBe(2);
  expect(await counter.add(3)).toBe(5);
  expect(await counter.count).toBe(5);
  expect(await counter.nested).toEqual({ depth: 1, inner: { name: "inner" } });
  expect(await (await counter.another()).count).toBe(0);
});

test("a stand-in that travels back is the thing itself", async () => {
  const there = remote();
  const counter = await new there.Counter();
  expect(await counter.same(counter)).toBe(true);
  expect(await counter.same(await counter.another())).toBe(false);
});

test("functions are called where they are from, in order", async () => {
  const seen: number[] = [];
  const doubled = await remote().map([1, 2, 3], (value) => {
    seen.push(value);
    return value * 2;
  });
  expect([doubled, seen]).toEqual([
    [2, 4, 6],
    [1, 2, 3],
  ]);
});

test("errors keep their class, and those of a callback come back", async () => {
  await expect(remote().fail()).rejects.toThrow(new FormatError("bad file"));
  await expect(remote().fail()).rejects.toThrow(FormatError);
  const failing = remote().map([1], () => {
    throw new StateError("here");
  });
  await expect(failing).rejects.toThrow(StateError);
  const nothing = (remote() as unknown as { none(): Promise<void> }).none();
  await expect(nothing).rejects.toThrow("none is not a function");
});

test("what is iterated arrives piece by piece, and stopping early ends it there", async () => {
  const there = remote();
  const counter = await new there.Counter();
  const found: number[] = [];
  for await (const value of await counter.upTo(10)) {
    found.push(value);
    if (value === 3) break;
  }
  expect(found).toEqual([1, 2, 3]);
  expect(await counter.count).toBe(-1);
});

test("a map that a call fills is filled here too", async () => {
  const target = new Map<string, Uint8Array>([["old", new Uint8Array()]]);
  await remote().fill(target);
  expect([...target]).toEqual([
    ["old", new Uint8Array()],
    ["a", new Uint8Array([1, 2])],
  ]);
});

test("a signal acts across the channel", async () => {
  const stop = new AbortController();
  const waiting = remote().whenAborted({ signal: stop.signal });
  stop.abort(new StateError("enough"));
  expect(await waiting).toEqual(new StateError("enough"));
});

test("what is offered may still be loading", async () => {
  const { remote: made, close } = across(Promise.resolve({ answer: () => 42 }));
  closing = close;
  expect(await (made as unknown as { answer(): Promise<number> }).answer()).toBe(42);
});

test("a stand-in is not a promise, so that it can be awaited", async () => {
  const counter = await remote().counter;
  expect(await counter).toBe(counter);
});
