import { expect, test } from "vitest";
import { expectAdapterName, quoted } from "../../src/adapt/adapter-name.ts";

test.each(["default", "poems-2", "a_b", "Ünal", "文", "x".repeat(200)])("%j can be the name of an adapter", (name) => {
  expect(() => expectAdapterName(name)).not.toThrow();
});

test.each([
  ["", "it is empty"],
  ["a/b", 'it contains "/"'],
  ["a,b", 'it contains ","'],
  ["..", 'it contains "."'],
  ["a\u0007", "it contains"],
  ["\ud800", "it contains"],
  [" a", "a space"],
  ["NUL", "Windows reserves it"],
  ["__proto__", "every JavaScript object"],
  ["__base__", "the base without an adapter"],
])("%j cannot: %s", (name, reason) => {
  expect(() => expectAdapterName(name)).toThrow(reason);
});

test("names are quoted in messages", () => {
  expect(quoted(["a", "b"])).toBe('"a", "b"');
});
