import { expect, test } from "vitest";
import { marksSpans, spanScores, spansOf } from "../../src/metrics/spans.ts";
import { expectScores, golden } from "./golden.ts";

test.each(golden.spans)("F1 of spans is seqeval's", ({ labels, predicted, scores }) => {
  expectScores(spanScores(predicted, labels), scores);
});

test("spans are read leniently", () => {
  expect(spansOf(["I-A", "I-A", "O", "B-A", "B-A", "I-B"])).toEqual(["A 0 2", "A 3 4", "A 4 5", "B 5 6"]);
  expect(marksSpans(["O", "B-A", "I-A"])).toBe(true);
  for (const names of [["O"], ["NOUN", "VERB"], ["O", "B-A", "VERB"]]) expect(marksSpans(names)).toBe(false);
});
