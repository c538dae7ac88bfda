/** Metrics against scikit-learn and seqeval (test/parity/make_data_goldens.py) and by hand. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Task } from "../../src/core/task.ts";
import { taskDefinition } from "../../src/data/known-tasks.ts";
import { answerScores, bestSpan, normalizeAnswer } from "../../src/metrics/answers.ts";
import { classScores, multiLabelScores } from "../../src/metrics/classification.ts";
import { type MetricsOptions, perplexity } from "../../src/metrics/metrics.ts";
import { regressionScores } from "../../src/metrics/regression.ts";
import { marksSpans, spanScores, spansOf } from "../../src/metrics/spans.ts";

interface Case<T> {
  readonly labels: T[];
  readonly predicted: T[];
  readonly scores: Record<string, number>;
}
const golden: {
  classes: (Case<number> & { classes: number })[];
  multiLabel: Case<number[]>[];
  regression: Case<number>[];
  spans: Case<string[]>[];
} = JSON.parse(readFileSync(new URL("../golden/metrics/scores.json", import.meta.url), "utf8"));

function expectScores(found: Record<string, number>, wanted: Record<string, number>) {
  expect(Object.keys(found).sort()).toEqual(Object.keys(wanted).sort());
  for (const [name, value] of Object.entries(wanted)) expect(found[name], name).toBeCloseTo(value, 12);
}

test.each(golden.classes)(
  "accuracy and F1 of $classes classes are scikit-learn's",
  ({ labels, predicted, classes, scores }) => {
    expectScores(classScores(predicted, labels, classes), scores);
  },
);

test.each(golden.multiLabel)("F1 over several labels at once is scikit-learn's", ({ labels, predicted, scores }) => {
  expectScores(multiLabelScores(predicted, labels), scores);
});

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

test.each(golden.spans)("F1 of spans is seqeval's", ({ labels, predicted, scores }) => {
  expectScores(spanScores(predicted, labels), scores);
});

test("spans are read leniently", () => {
  expect(spansOf(["I-A", "I-A", "O", "B-A", "B-A", "I-B"])).toEqual(["A 0 2", "A 3 4", "A 4 5", "B 5 6"]);
  expect(marksSpans(["O", "B-A", "I-A"])).toBe(true);
  for (const names of [["O"], ["NOUN", "VERB"], ["O", "B-A", "VERB"]]) expect(marksSpans(names)).toBe(false);
});

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

const metricsFor = async (task: Task, options: MetricsOptions) =>
  (await taskDefinition(task).metrics?.(options)) ?? null;

test("metrics are chosen by task and problem", async () => {
  const labelNames = ["O", "B-A", "I-A"];
  const classes = (await metricsFor("SEQ_CLS", { labelNames: ["no", "yes"] }))!;
  const found = [Float32Array.of(1, 3), Float32Array.of(1, 0)].map((logits) =>
    classes.predict(logits, { labels: [1] }),
  );
  expect(found).toEqual([1, 0]);
  expect(classes.score(found, [{ labels: [1] }, { labels: [1] }])).toEqual({
    accuracy: 0.5,
    f1_macro: 1 / 3,
    f1: 2 / 3,
  });

  const several = (await metricsFor("SEQ_CLS", { labelNames, problemType: "multi_label_classification" }))!;
  expect(several.predict(Float32Array.of(-1, 0, 0.1), { labels: [] })).toEqual(Int32Array.of(0, 0, 1));
  expect((await metricsFor("SEQ_CLS", { labelNames: ["v"], problemType: "regression" }))!.main).toBe("mse");

  const example = { labels: [-100, 1, -100, 2, 0, -100] };
  const tokens = (await metricsFor("TOKEN_CLS", { labelNames }))!;
  const told = tokens.predict(Float32Array.of(9, 0, 0, 0, 9, 0, 9, 0, 0, 0, 0, 9, 0, 9, 0, 9, 0, 0), example);
  expect(tokens.score([told], [example])).toEqual({ accuracy: 2 / 3, precision: 0.5, recall: 1, f1: 2 / 3 });

  const answer = { context: "the white whale", offsets: [null, [4, 9], [10, 15]] as const, texts: ["white"] };
  const answers = (await metricsFor("QUESTION_ANS", { labelNames: [] }))!;
  const words = answers.predict(Float32Array.of(9, 9, 3, 3, 0, 2), { labels: [1, 1], answer });
  expect(words).toBe("white");
  expect(answers.score([words], [{ labels: [1, 1], answer }])).toEqual({ exact_match: 1, f1: 1 });

  for (const task of ["CAUSAL_LM", "SEQ_2_SEQ_LM", "FEATURE_EXTRACTION"] as const)
    expect(await metricsFor(task, { labelNames: [] })).toBeNull();
  expect(perplexity(Math.log(7))).toBeCloseTo(7, 12);
});
