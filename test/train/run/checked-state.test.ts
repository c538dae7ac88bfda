import { expect, test } from "vitest";
import type { Json } from "../../../src/core/python-json.ts";
import { checkedTrainerFile, unreached } from "../../../src/train/run/checked-state.ts";
import { atStart, type Progress } from "../../../src/train/run/progress.ts";

const progress: Progress = {
  ...atStart,
  ...{ step: 3, epoch: 1, position: 1, microStep: 6, tokens: 50, lossSum: 4.5, evaluationsSinceBest: 1 },
  unreported: { lossSum: 1.5, steps: 1 },
  best: { loss: 1.2, step: 2, metric: 1.2 },
  lastLoss: 1.4,
  curve: [[4.5, 3]],
  log: [{ loss: 1, step: 2, epoch: 0.5 }],
};
const file = { version: 1, identity: { seed: 42, trainingData: "ab", dropout: null, shuffle: true }, progress };

/** The problems with a file of which one field is replaced. */
function problemsWith(path: string, value: unknown): string[] {
  const changed = structuredClone(file) as Record<string, unknown>;
  const names = path.split(".");
  let owner = changed;
  for (const name of names.slice(0, -1)) owner = owner[name] as Record<string, unknown>;
  owner[names.at(-1)!] = value;
  const checked = checkedTrainerFile(changed as Json);
  return Array.isArray(checked) ? checked : [];
}

test("a state that makes sense is taken, an infinite best loss included", () => {
  expect(checkedTrainerFile(file as unknown as Json)).toEqual({ identity: file.identity, progress });
  const infinite = JSON.parse(JSON.stringify({ ...file, progress: { ...progress, best: { loss: 1 / 0, step: 1 } } }));
  const checked = checkedTrainerFile(infinite) as { progress: Progress };
  expect(checked.progress.best).toEqual({ loss: Number.POSITIVE_INFINITY, step: 1, metric: Number.POSITIVE_INFINITY });
  expect(problemsWith("progress.log", [{ perplexity: null, step: 1 }])).toEqual([]);
});

const wrong: Record<string, readonly unknown[]> = {
  version: [2, "1", null],
  identity: [null, [], "x", { a: {} }],
  progress: [null, [], 3],
  "progress.step": ["3", 2.5, -1, 2 ** 60, null, undefined, true, []],
  "progress.epoch": ["1", -1, 0.5],
  "progress.position": [null, "0", -1],
  "progress.microStep": ["6", 1.5],
  "progress.tokens": [-1, {}],
  "progress.lossSum": ["4", null, undefined],
  "progress.evaluationsSinceBest": [4, -1, "1"],
  "progress.unreported": [null, []],
  "progress.unreported.lossSum": [null, "1"],
  "progress.unreported.steps": [4, 1.5],
  "progress.best": [undefined, 3, []],
  "progress.best.loss": ["1", undefined],
  "progress.best.step": [0, 4, "2"],
  "progress.log": [null, {}, [3], [{ step: "1" }], [{ step: 4 }], [{ loss: 1 }], [{ step: 1, loss: "1" }]],
};

for (const [path, values] of Object.entries(wrong)) {
  test.each(values.map((value) => [JSON.stringify(value) ?? "nothing", value]))(`${path} is not %s`, (_, value) => {
    expect(problemsWith(path, value).join("\n")).toMatch(new RegExp(path.replace(/^progress\./, "").split(".")[0]!));
  });
}

test("what does not follow from the number of steps is named with what does", () => {
  const reached = { epoch: 1, position: 1, microStep: 6, tokens: 50 };
  expect(unreached(progress, reached)).toEqual([]);
  expect(unreached({ ...progress, position: 99, tokens: 51 }, reached)).toEqual([
    "position: found 99, expected 1 after 3 steps",
    "tokens: found 51, expected 50 after 3 steps",
  ]);
});
