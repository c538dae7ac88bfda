import { expect, test } from "vitest";
import { didYouMean, editDistance, nearest } from "../../src/core/similar.ts";

test.each([
  ["", "", 0],
  ["abc", "", 3],
  ["", "ab", 2],
  ["kitten", "sitting", 3],
  ["q_porj", "q_proj", 1],
  ["ca", "abc", 3],
  ["same", "same", 0],
])("%j is %j away from %j by edits", (a, b, edits) => {
  expect(editDistance(a, b)).toBe(edits);
  expect(editDistance(b, a)).toBe(edits);
});

test("the nearest names come first, and strangers not at all", () => {
  expect(nearest("q_prj", ["v_proj", "q_proj", "gate_proj", "lm_head", "q_proj"])).toEqual(["q_proj", "v_proj"]);
  expect(nearest("attention", ["self_attention.q", "mlp"])).toEqual(["self_attention.q"]);
  expect(nearest("Q_PROJ", ["q_proj"])).toEqual(["q_proj"]);
  expect(nearest("xyz", ["q_proj", "lm_head"])).toEqual([]);
});

test("the question is asked only when there is an answer", () => {
  expect(didYouMean("--lerning-rate", ["--learning-rate", "--lora-alpha"])).toBe(' Did you mean "--learning-rate"?');
  expect(didYouMean("--zzz", ["--learning-rate"])).toBe("");
});
