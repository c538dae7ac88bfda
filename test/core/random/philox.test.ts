import { expect, test } from "vitest";
import { Philox, philox4x32, type Words2, type Words4 } from "../../../src/core/random/philox.ts";

/** Known answers published with the paper's Random123 library: counter, key, output. */
const published: readonly (readonly [Words4, Words2, Words4])[] = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
];

test.each(published)("counter %j under key %j gives the published words", (counter, key, words) => {
  expect(philox4x32(counter, key)).toEqual(words);
});

test("a sequence is blocks 0, 1, 2 of the counter, word by word", () => {
  const random = new Philox(7 + 3 * 2 ** 32, 5 + 2 ** 33);
  const drawn = Array.from({ length: 12 }, () => random.nextU32());
  expect(drawn).toEqual([0, 1, 2].flatMap((block) => philox4x32([block, 0, 5, 2], [7, 3])));
});

test("the counter carries into its second word", () => {
  const random = Philox.from({ seed: 1, stream: 0, drawn: 4 * 2 ** 32 + 1 });
  expect(random.nextU32()).toBe(philox4x32([0, 1, 0, 0], [1, 0])[1]);
});

test("state, through JSON, continues every kind of number at every place in a block", () => {
  const random = new Philox(42, 3);
  for (let drawn = 0; drawn < 9; drawn++) {
    const again = Philox.from(JSON.parse(JSON.stringify(random.state())));
    const both = [random, again].map((r) => [
      r.state(),
      r.normal(),
      r.below(1000),
      r.uniform(),
      r.shuffle([1, 2, 3, 4]),
    ]);
    expect(both[0]).toEqual(both[1]);
    random.nextU32();
  }
});

test("words of both halves reach every round, however large seed, stream and place are", () => {
  const most = 2 ** 53 - 1;
  const words: Words2 = [0xffffffff, 0x1fffff];
  const random = Philox.from({ seed: most, stream: most, drawn: most });
  const block = Math.floor(most / 4);
  const counter: Words4 = [block % 2 ** 32, Math.floor(block / 2 ** 32), ...words];
  expect(random.nextU32()).toBe(philox4x32(counter, words)[3]);
});

test("seeds and streams give different sequences", () => {
  const first = [new Philox(1, 0), new Philox(2, 0), new Philox(1, 1), new Philox(1 + 2 ** 32, 0)].map((r) =>
    r.nextU32(),
  );
  expect(new Set(first).size).toBe(4);
});

test("uniform is exact in float32, below 1, and has the mean and variance of [0, 1)", () => {
  const random = new Philox(0);
  const values = Array.from({ length: 100_000 }, () => random.uniform());
  expect(values.every((u) => u >= 0 && u < 1 && Math.fround(u) === u)).toBe(true);
  const mean = values.reduce((sum, u) => sum + u) / values.length;
  const variance = values.reduce((sum, u) => sum + (u - mean) ** 2, 0) / values.length;
  // Five standard errors: sqrt(1 / 12 n) for the mean, sqrt(1 / 180 n) for the variance.
  expect(Math.abs(mean - 1 / 2)).toBeLessThan(5 * Math.sqrt(1 / 12 / values.length));
  expect(Math.abs(variance - 1 / 12)).toBeLessThan(5 * Math.sqrt(1 / 180 / values.length));
});

test("normal has mean 0, variance 1 and fourth moment 3", () => {
  const random = new Philox(1);
  const n = 100_000;
  const moments = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const z = random.normal();
    for (const [at, power] of [1, 2, 4].entries()) moments[at]! += z ** power / n;
  }
  // Five standard errors; the variances of z, z^2 and z^4 are 1, 2 and 96.
  expect(Math.abs(moments[0]!)).toBeLessThan(5 * Math.sqrt(1 / n));
  expect(Math.abs(moments[1]! - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
  expect(Math.abs(moments[2]! - 3)).toBeLessThan(5 * Math.sqrt(96 / n));
});

test("below draws the ragged end of the words again", () => {
  const n = 0xc0000000; // one word in four is too large
  const random = new Philox(9);
  const words = new Philox(9);
  const expected = Array.from({ length: 100 }, () => words.nextU32()).filter((word) => word < n);
  expect(expected.length).toBeLessThan(100);
  expect(expected.map(() => random.below(n))).toEqual(expected);
});

test("below reaches both ends and no further", () => {
  const random = new Philox(2);
  expect(new Set(Array.from({ length: 200 }, () => random.below(7)))).toEqual(new Set([0, 1, 2, 3, 4, 5, 6]));
  expect(random.below(1)).toBe(0);
  expect(random.below(2 ** 32)).toBeLessThan(2 ** 32);
});

test("shuffle keeps the items and reaches every order of three", () => {
  const random = new Philox(3);
  const orders = new Set(Array.from({ length: 200 }, () => random.shuffle([0, 1, 2]).join("")));
  expect([...orders].sort()).toEqual(["012", "021", "102", "120", "201", "210"]);
});

test("a seed, a state and a count that cannot be are named", () => {
  expect(() => new Philox(-1)).toThrow("Philox seed is -1, expected an integer from 0 to 2^53 - 1");
  expect(() => new Philox(0, 0.5)).toThrow("Philox stream is 0.5");
  expect(() => Philox.from({ seed: 0, stream: 0, drawn: Number.NaN })).toThrow("Philox drawn is NaN");
  expect(() => new Philox(0).below(0)).toThrow("Philox.below(0): the count must be an integer from 1 to 2^32");
});
