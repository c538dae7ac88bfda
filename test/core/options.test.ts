import { expect, test } from "vitest";
import {
  atLeastZero,
  completeOptions,
  expectedOf,
  flag,
  fraction,
  number,
  oneOf,
  text,
  whole,
  wholeOrNull,
} from "../../src/core/options.ts";

const options = {
  steps: whole(10, 1),
  rate: atLeastZero(0.5),
  share: fraction(0),
  size: wholeOrNull({ least: 2, most: 8 }),
  order: oneOf(["linear", "cosine"], "linear", "", { cos: "cosine" }),
  shuffle: flag(true),
  name: text(),
};

test("what is not given has its default, and undefined is not given", () => {
  const values = completeOptions("run", options, { steps: 3, rate: undefined });
  expect(values).toEqual({ steps: 3, rate: 0.5, share: 0, size: null, order: "linear", shuffle: true, name: null });
});

test("an alias becomes the word that it stands for", () => {
  expect(completeOptions("run", options, { order: "cos" }).order).toBe("cosine");
});

test("every wrong value and unknown name is one line of one error, with names as the caller spells them", () => {
  const given = { steps: 0, share: 1, size: 9, shufle: true };
  const spell = (name: string) => `--${name}`;
  expect(() => completeOptions("run", options, given, { spell })).toThrow(
    [
      'run: "--steps" is 0, expected a whole number of at least 1',
      'run: "--share" is 1, expected a number from 0 up to but not including 1',
      'run: "--size" is 9, expected a whole number from 2 to 8 or null',
      'run: "shufle" is not an option. Did you mean "--shuffle"?',
    ].join("\n"),
  );
});

test("values that are right alone can be wrong together", () => {
  const together = ({ steps, rate }: { steps: number; rate: number }) => (steps > 5 && rate > 0 ? "too much" : null);
  expect(() => completeOptions("run", options, {}, { together })).toThrow("run: too much");
  expect(completeOptions("run", options, { rate: 0 }, { together }).rate).toBe(0);
});

test.each([
  [whole(0, 3), 2.5],
  [whole(0, 0), 2 ** 53],
  [number(0), Number.NaN],
  [number(0), Number.POSITIVE_INFINITY],
  [number(0, "", { above: 0 }), 0],
  [flag(false), "true"],
  [text(), 3],
] as const)("%o does not take %o", (one, value) => {
  expect((one.is as (value: unknown) => boolean)(value)).toBe(false);
});

test("a range has one phrasing", () => {
  expect(expectedOf(number(1, "", { above: 0, most: 1 }))).toBe("a number above 0 and at most 1");
  expect(expectedOf(wholeOrNull(2))).toBe("a whole number of at least 2 or null");
});
