import { expect, test } from "vitest";
import {
  readBytes,
  readChoice,
  readJson,
  readNames,
  readNumber,
  readPairs,
  readPattern,
  readWhole,
} from "../../../src/cli/flags/readers.ts";
import { namesOrPattern, oneOf, option } from "../../../src/core/options.ts";

test("numbers are read whole or not at all", () => {
  expect(["12", "-3", "1.5", "1e3", "", "0x10"].map(readWhole)).toEqual([
    12,
    -3,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(["1.5", "2e-4", " "].map(readNumber)).toEqual([1.5, 2e-4, undefined]);
});

test("a choice is found whatever its case and hyphens, and an alias is what it stands for", () => {
  const one = oneOf(["TOKEN_CLS", "SEQ_CLS"], "SEQ_CLS", "", { tokens: "TOKEN_CLS" });
  expect(["token-cls", "Seq_Cls", "tokens", "other"].map((word) => readChoice(word, one))).toEqual([
    "TOKEN_CLS",
    "SEQ_CLS",
    "TOKEN_CLS",
    undefined,
  ]);
});

test("names are separated by commas or are a JSON list; a pattern stays as it is", () => {
  expect(readNames("q_proj, v_proj")).toEqual(["q_proj", "v_proj"]);
  expect(readNames('["a,b"]')).toEqual(["a,b"]);
  expect(() => readNames("q_proj,,v_proj")).toThrow("separated by commas");
  expect(readPattern(".*_proj")).toBe(".*_proj");
  expect(readPattern("all-linear")).toBe("all-linear");
  expect(readPattern("q_proj")).toEqual(["q_proj"]);
  expect(namesOrPattern().is(readPattern("q_proj"))).toBe(true);
});

test("bytes have units of a thousand", () => {
  expect(["2GB", "1.5 mb", "500", "7 kb", "3 TB", "GB"].map(readBytes)).toEqual([
    2e9,
    1.5e6,
    500,
    7000,
    undefined,
    undefined,
  ]);
});

test("pairs have numbers, true, false or null", () => {
  expect(readPairs("beta-1=0.9, nesterov=true,decay_rate=null")).toEqual({
    beta1: 0.9,
    nesterov: true,
    decayRate: null,
  });
  expect(() => readPairs("momentum")).toThrow('"momentum" is not name=value');
});

test("JSON is the first reading that the option takes", () => {
  const numbers = option<unknown>([], "numbers", (value) => Array.isArray(value) && value.every(Number.isFinite));
  expect(readJson("1,2", numbers)).toEqual([1, 2]);
  expect(readJson("[3]", numbers)).toEqual([3]);
  expect(readJson("x", numbers)).toBeUndefined();
});
