/** Metrics against scikit-learn and seqeval (test/parity/make_data_goldens.py) and by hand. */
import { expect, test } from "vitest";
import type { Task } from "../../src/core/task.ts";
import { taskDefinition } from "../../src/data/known-tasks.ts";
import { type MetricsOptions, perplexity } from "../../src/metrics/metrics.ts";

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
