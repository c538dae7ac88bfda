import { expect, test } from "vitest";
import { type Exchange, pack, unpack } from "../../src/remote/wire.ts";

class Thing {}

/** An exchange in one thread: what is lent is borrowed as itself. */
function mirror(): Exchange {
  const things: object[] = [];
  return {
    lend: (thing) => things.push(thing) - 1,
    lent: (id) => things[id]!,
    borrow: (id) => things[id]!,
    borrowed: () => null,
  };
}

function there(value: unknown): unknown {
  const exchange = mirror();
  return unpack(structuredClone(pack(value, exchange)), exchange);
}

test.each([
  ["numbers", [1, -0, Number.NaN, 10n, null, undefined, true, "text"]],
  ["typed arrays", { a: new Float32Array([1.5, 2]), b: new Uint8Array(3).subarray(1) }],
  ["dates, sets and buffers", [new Date(5), new Set([1]), new ArrayBuffer(4)]],
  ["maps with objects in them", new Map<unknown, unknown>([["k", { deep: [1, new Map([[1, 2]])] }]])],
  ["objects that look like our own form", { $: "lent", id: 3, $$: { $: "error" } }],
  ["objects without a prototype", Object.assign(Object.create(null), { a: 1 })],
  ["addresses", new URL("https://example.org/a?b=c")],
])("%s arrive as they are", (_, value) => {
  expect(there(value)).toEqual(value);
});

test("a thing and a function stay the same thing", () => {
  const thing = new Thing();
  const method = () => 1;
  expect(there({ thing, method, list: [thing] })).toEqual({ thing, method, list: [thing] });
});

test("a signal that has been aborted arrives so", () => {
  const signal = there(AbortSignal.abort("why")) as AbortSignal;
  expect([signal.aborted, signal.reason]).toEqual([true, "why"]);
});
