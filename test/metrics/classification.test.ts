import { test } from "vitest";
import { classScores, multiLabelScores } from "../../src/metrics/classification.ts";
import { expectScores, golden } from "./golden.ts";

test.each(golden.classes)(
  "accuracy and F1 of $classes classes are scikit-learn's",
  ({ labels, predicted, classes, scores }) => {
    expectScores(classScores(predicted, labels, classes), scores);
  },
);

test.each(golden.multiLabel)("F1 over several labels at once is scikit-learn's", ({ labels, predicted, scores }) => {
  expectScores(multiLabelScores(predicted, labels), scores);
});
