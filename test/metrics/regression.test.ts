import { expect, test } from "vitest";
import { regressionScores } from "../../src/metrics/regression.ts";
import { expectScores, golden } from "./golden.ts";

test.each(golden.regression)(
  "squared error and correlation are scikit-learn's and SciPy's",
  ({ labels, predicted, scores }) => {
    expectScores(
      regressionScores(
        predicted.map((v) => [v]),
        labels.map((v) => [v]),
      ),
      scores,
    );
    expect(regressionScores([[1, 2]], [[2, 4]])).toEqual({ mse: 2.5 });
  },
);
