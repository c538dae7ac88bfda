import { expect, test } from "vitest";
import { anObject, callback, callOptions, camelKeys, expectArgument, listOf } from "../../src/core/call-options.ts";
import { FormatError } from "../../src/core/errors.ts";
import { whole } from "../../src/core/options.ts";

const options = {
  count: whole(1, 0),
  done: callback(),
  about: anObject(),
  names: listOf("a list of names", (x) => typeof x === "string"),
};

test("every unknown name and wrong value is told at once", () => {
  expect(callOptions("make", options, { count: 3, names: ["a"] })).toEqual({
    count: 3,
    done: null,
    about: null,
    names: ["a"],
  });
  const given = { counts: 1, done: 4, about: "b", names: [1] };
  expect(() => callOptions("make", options, given)).toThrow(FormatError);
  expect(() => callOptions("make", options, given)).toThrow(
    [
      'make: "counts" is not an option. Did you mean "count"?',
      'make: "done" is 4, expected a function or null',
      'make: "about" is "b", expected an object or null',
      'make: "names" is [1], expected a list of names or null',
    ].join("\n"),
  );
});

test.each([
  ["text", 'the string "text"'],
  [null, "null"],
  [[], "an empty list"],
  [() => 1, "a function"],
  [7n, "the bigint 7"],
])("options that are no object are named: %s", (given, said) => {
  expect(() => callOptions("make", options, given)).toThrow(`make: the options is ${said}, expected an object`);
});

test("an argument is named with what it is", () => {
  expect(() => expectArgument("make", "the map", new Map(), false, "a list")).toThrow(
    "make: the map is a Map, expected a list",
  );
  expect(() => expectArgument("make", "the map", 1, true, "a list")).not.toThrow();
});

test("names as in Python are those here", () => {
  expect(camelKeys({ top_k: 1, maxLength: 2 })).toEqual({ topK: 1, maxLength: 2 });
  expect(camelKeys("x")).toBe("x");
});
