import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/core/errors.ts";
import {
  keyOrder,
  type PyJson,
  parseJson,
  parsePythonJson,
  pyFloat,
  pythonJson,
  shownJson,
} from "../../src/core/python-json.ts";

/** What Python 3's `json.dumps(float)` prints for each number. */
const floats: readonly (readonly [number, string])[] = [
  [0, "0.0"],
  [-0, "-0.0"],
  [1, "1.0"],
  [150, "150.0"],
  [0.1, "0.1"],
  [-2.5, "-2.5"],
  [0.0001, "0.0001"],
  [0.00012345, "0.00012345"],
  [1e-5, "1e-05"],
  [6e-5, "6e-05"],
  [1.25e-7, "1.25e-07"],
  [123456789012345680, "1.2345678901234568e+17"],
  [9007199254740992, "9007199254740992.0"],
  [1e15, "1000000000000000.0"],
  [1e16, "1e+16"],
  [1.5e300, "1.5e+300"],
  [5e-324, "5e-324"],
  [1 / 3, "0.3333333333333333"],
  [123.456, "123.456"],
  [Number.NaN, "NaN"],
  [Number.POSITIVE_INFINITY, "Infinity"],
  [Number.NEGATIVE_INFINITY, "-Infinity"],
];

test.each(floats)("the float %d is written %s", (value, text) => {
  expect(pythonJson(pyFloat(value))).toBe(text);
});

test("numbers need no mark when they have a fraction, and whole ones stay ints", () => {
  expect(pythonJson([0.5, 1e-5, 15, -3, 2n ** 64n])).toBe(
    "[\n  0.5,\n  1e-05,\n  15,\n  -3,\n  18446744073709551616\n]",
  );
});

test("text is escaped to ASCII as Python does, by surrogate pairs beyond U+FFFF", () => {
  expect(pythonJson('é\u2028😀"\\/\b\f\n\r\t\u0001\u007f')).toBe(
    '"\\u00e9\\u2028\\ud83d\\ude00\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u007f"',
  );
});

const config = {
  r: 8,
  lora_dropout: pyFloat(0),
  "\u{10000}": null,
  "\uffff": true,
  alpha_pattern: {},
  target_modules: ["v", "q"],
  none: [],
  nested: { b: [[]], a: false },
};

test("layout, empty containers and order of keys are those of json.dumps(indent=2, sort_keys=True)", () => {
  expect(pythonJson(config)).toBe(
    '{\n  "alpha_pattern": {},\n  "lora_dropout": 0.0,\n  "nested": {\n    "a": false,\n    "b": [\n      []\n    ]\n  },\n' +
      '  "none": [],\n  "r": 8,\n  "target_modules": [\n    "v",\n    "q"\n  ],\n  "\\uffff": true,\n  "\\ud800\\udc00": null\n}',
  );
});

test("without indent it is one line with Python's spaces, in the order of the object", () => {
  expect(pythonJson({ b: [1, 2], a: {} }, { indent: null, sortKeys: false })).toBe('{"b": [1, 2], "a": {}}');
});

test("what Python wrote is written again byte for byte", () => {
  const text = pythonJson(config);
  expect(pythonJson(parsePythonJson(text))).toBe(text);
  const numbers = `[\n  ${[...floats.map(([, written]) => written), "0", "-7", "123456789012345678901"].join(",\n  ")}\n]`;
  expect(pythonJson(parsePythonJson(numbers))).toBe(numbers);
});

test("plain reading gives plain numbers", () => {
  expect(parseJson("[0.0, 150.0, 1e-05, 3, NaN, -Infinity]", "x")).toEqual([
    0,
    150,
    1e-5,
    3,
    Number.NaN,
    Number.NEGATIVE_INFINITY,
  ]);
});

const valid = [
  "null",
  " true ",
  '"\\u00e9\\ud83d\\ude00\\n\\\\"',
  "[]",
  "{}",
  '{"a":[1,{"b":-0.5e+3}],"":"x"}',
  '\t{ "a" :\r\n[ 1 , 2 ] } ',
  '{"a":1,"a":2}',
];

test.each(valid)("reads %j as JSON.parse does", (text) => {
  expect(parseJson(text, "x")).toEqual(JSON.parse(text));
});

test("a key called __proto__ is a key like any other", () => {
  const value = parseJson('{"__proto__": 1, "constructor": 2}', "x") as object;
  expect(Object.entries(value)).toEqual([
    ["__proto__", 1],
    ["constructor", 2],
  ]);
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
});

const faults: readonly (readonly [string, string])[] = [
  ["", "line 1, column 1: found the end, expected a value"],
  ['{"a": 1,\n "b": x}', 'line 2, column 7: found "x}", expected a value'],
  ["[1 2]", 'line 1, column 4: found "2]", expected "," or "]"'],
  ['{"a" 1}', 'line 1, column 6: found "1}", expected ":"'],
  ["{a: 1}", 'line 1, column 2: found "a: 1}", expected a key in double quotes'],
  ['{"a": 1,}', 'line 1, column 9: found "}", expected a key in double quotes'],
  ["[1,]", 'line 1, column 4: found "]", expected a value'],
  ["01", 'line 1, column 2: found "1", expected the end of the text'],
  ['"abc', "line 1, column 5: found the end, expected a closing quote"],
  ['"a\nb"', 'line 1, column 3: found "\\nb\\"", expected an escape instead of a control character'],
  ['["\\x"]', 'line 1, column 2: found "\\"\\\\x\\"]", expected a string with valid escapes'],
  ['"\\', "expected a closing quote"],
  ["[".repeat(100_000), "expected at most 500 levels of nesting"],
];

describe("faults name the text, line and column", () => {
  test.each(faults)("%j", (text, message) => {
    expect(() => parseJson(text, "config.json")).toThrow(FormatError);
    expect(() => parseJson(text, "config.json")).toThrow(`config.json: line `);
    expect(() => parseJson(text, "config.json")).toThrow(message);
  });
});

test.each([
  ['{"a": 1, "a": 2}', 'line 1, column 10: found "\\"a\\": 2}", expected a key not used before'],
  ["[1, NaN]", 'line 1, column 5: found "NaN]", expected a value'],
  ["[-Infinity]", 'line 1, column 2: found "-Infinity]", expected a value'],
  [`${"[".repeat(128)}${"]".repeat(128)}`, "line 1, column 128: found"],
])("what serde_json refuses is refused where asked: %s", (text, message) => {
  expect(() => parseJson(text, "header", { strict: true })).toThrow(`header: ${message}`);
  expect(() => parseJson(text, "header")).not.toThrow();
});

test("what serde_json reads is read: -0, words, 127 levels", () => {
  expect(parseJson("[-0, true, null]", "header", { strict: true })).toEqual([-0, true, null]);
  const deep = `${"[".repeat(127)}${"]".repeat(127)}`;
  expect(() => parseJson(deep, "header", { strict: true })).not.toThrow();
});

test("a million floats of all sizes read back as themselves", () => {
  const words = new Uint32Array(2);
  const value = new Float64Array(words.buffer);
  let wrong = 0;
  for (let i = 0; i < 1_000_000; i++) {
    words[0] = Math.imul(i, 0x9e3779b9);
    words[1] = Math.imul(i, 0x85ebca6b) ^ 0x5bd1e995;
    if (Number.isNaN(value[0])) continue;
    if (!Object.is(Number(pythonJson(pyFloat(value[0]!) as PyJson)), value[0])) wrong++;
  }
  expect(wrong).toBe(0);
});

test("the order of keys that are numbers is kept, until the object changes", () => {
  const read = parsePythonJson('{"b": 1, "10": 2, "2": {"1": 0, "a": 0}, "b": 3}') as Record<string, PyJson>;
  expect(Object.keys(read)).toEqual(["2", "10", "b"]);
  expect(keyOrder(read)).toEqual(["b", "10", "2"]);
  expect(keyOrder(read["2"] as object)).toEqual(["1", "a"]);
  expect(keyOrder({ b: 1, 2: 1 })).toEqual(["2", "b"]);
  read.c = 4;
  expect(keyOrder(read)).toEqual(["2", "10", "b", "c"]);
});

test("messages show any value on one line, integers beyond 2^53 included", () => {
  const read = parsePythonJson('{"a": 9223372036854775807, "b": [16.0, null]}');
  expect(shownJson(read)).toBe('{"a":9223372036854776000,"b":[16,null]}');
  expect(shownJson(9223372036854775807n)).toBe("9223372036854775807");
  expect(shownJson(undefined)).toBe("nothing");
});
