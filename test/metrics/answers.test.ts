import { expect, test } from "vitest";
import { answerScores, bestSpan, normalizeAnswer } from "../../src/metrics/answers.ts";

test("answers are compared without case, punctuation, articles and extra blanks", () => {
  expect(normalizeAnswer("The  Whale's, an “end”.\n a")).toBe("whales “end”");
  expect(normalizeAnswer("naïve aïe théâtre")).toBe("naïve aïe théâtre");
  const scores = answerScores(
    ["the White Whale!", "a big whale", "", "x"],
    [["white whale"], ["whale", "white whale big"], [], [""]],
  );
  // 1, 2 of 2+3 words shared twice over (4/5), 1, 0
  expect(scores.exact_match).toBe(2 / 4);
  expect(scores.f1).toBeCloseTo((1 + 4 / 5 + 1 + 0) / 4, 12);
});

test("the best answer lies in the context, does not end before it begins, and has at most 30 tokens", () => {
  const offsets = [null, [0, 1], [1, 2], [2, 3], null];
  expect(bestSpan([9, 9, 1, 5, 3, 0, 0, 4, 9, 9], offsets)).toEqual([2, 3]);
  const long = Array.from({ length: 40 }, (_, i) => [i, i + 1]);
  const logits = long.flatMap((_, i) => [i === 0 ? 5 : i === 38 ? 1 : 0, i === 39 ? 5 : 0]);
  expect(bestSpan(logits, long)).toEqual([38, 39]);
});
