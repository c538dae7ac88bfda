import { expect, test } from "vitest";
import { prunedSum, type Rule, type SumOptions } from "../../../src/adapt/derive/pruned-sum.ts";

const a = Float32Array.of(1, -4, 2, 0);
const b = Float32Array.of(-3, 1, 2, 8);
const never = () => expect.fail("drew a random number");
const sum = (rule: Rule, options: Partial<SumOptions> = {}, weights = [1, 2]) =>
  Array.from(prunedSum([a, b], weights, rule, { density: 0.5, random: never, ...options }));

test("linear weighs and adds, whatever the density", () => {
  expect(sum("linear")).toEqual([-5, -2, 6, 16]);
});

test("magnitude_prune keeps the larger half of each before it adds", () => {
  // a: 0, -4, 2, 0; b: -3, 0, 0, 8.
  expect(sum("magnitude_prune")).toEqual([-6, -4, 2, 16]);
  expect(sum("magnitude_prune", { density: 1 })).toEqual([-5, -2, 6, 16]);
});

test("ties takes the mean of those with the elected sign", () => {
  // Pruned sums are -3, -4, 2, 8: each place has one number of its sign.
  expect(sum("ties")).toEqual([-6, -4, 2, 16]);
  // Unpruned: -2, -3, 4, 8 elect -, -, +, +; the third place has two that agree.
  expect(sum("ties", { density: 1 })).toEqual([-6, -4, 3, 16]);
});

test("by frequency a large number has one vote, and a tie is plus", () => {
  expect(sum("ties", { density: 1, majoritySign: "frequency" })).toEqual([1, 2, 3, 16]);
});

test("dare_linear draws for each number in order, and divides what it keeps by the density", () => {
  const draws = [0.1, 0.9, 0.49, 0.5, 0.9, 0.2, 0.9, 0.3];
  const random = () => draws.shift()!;
  // a: 1/0.5, 0, 2/0.5, 0; b: 0, 1/0.5, 0, 8/0.5, counted twice.
  expect(sum("dare_linear", { random })).toEqual([2, 4, 4, 32]);
  expect(draws).toEqual([]);
});
