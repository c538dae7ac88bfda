import { expect, test } from "vitest";
import { type CrossEntropyOptions, crossEntropy } from "../../../src/ops/public/weighted-cross-entropy.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

const [ROWS, CLASSES] = [5, 4];
const labels = [2, 0, -100, 3, 2];
const classWeights = [0.5, 1, 3, 0.25];

/** As torch.nn.CrossEntropyLoss, in f64. */
function expected(logits: ArrayLike<number>, { classWeights, reduction = "mean" }: CrossEntropyOptions): number[] {
  const weights = labels.map((label) => (label === -100 ? 0 : (classWeights?.[label] ?? 1)));
  const losses = labels.map((label, i) => {
    if (label === -100) return 0;
    const row = Array.from(logits).slice(i * CLASSES, (i + 1) * CLASSES);
    return weights[i]! * (Math.log(row.reduce((sum, l) => sum + Math.exp(l), 0)) - row[label]!);
  });
  const total = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
  if (reduction === "none") return losses;
  return [reduction === "sum" ? total(losses) : total(losses) / total(weights)];
}

for (const build of builds) {
  for (const reduction of ["mean", "sum", "none"] as const) {
    test.each([null, classWeights])(
      `crossEntropy (${build}), ${reduction}, weights %j: torch's loss and gradient`,
      async (weights) => {
        using gym = await Gym.open(build);
        const logits = gym.param("logits", [ROWS, CLASSES]);
        const options = { reduction, classWeights: weights };
        const op = (tape: Tape) => crossEntropy(leaf(tape, logits), labels, options);
        expectClose("loss", run(gym, op), expected(logits.values(), options), 1e-6, 1e-6);
        expectGradients(gym.engine, [logits], op);
      },
    );
  }
}

test("crossEntropy refuses labels, weights and options that do not fit", async () => {
  using gym = await Gym.open("baseline");
  const logits = gym.param("logits", [2, 3]);
  const call = (wrong: ArrayLike<number>, options: object = {}) => {
    return () => Tape.plan(gym.engine, {}, (tape) => crossEntropy(leaf(tape, logits), wrong, options));
  };
  expect(call([0, 2])).not.toThrow();
  expect(call([0, 3])).toThrow("crossEntropy: labels: 3 at position 1 must be a whole number from 0 to 2");
  expect(call([0])).toThrow("crossEntropy: labels: 1 were given, expected one for each of 2 rows");
  expect(call([0, 1], { classWeights: [1, 2] })).toThrow(
    "crossEntropy: classWeights: 2 were given, expected one for each of 3 classes",
  );
  expect(call([0, 1], { classWeights: [1, 2, -1] })).toThrow("finite numbers of at least 0, one for each class");
  expect(call([0, 1], { weight: [1, 2, 3] })).toThrow('crossEntropy: "weight" is not an option');
  expect(call([0, 1], { reduction: "batchmean" })).toThrow("expected one of mean, sum, none");
  expect(call([-100, -100])).toThrow("crossEntropy: no row has a label with a weight");
  expect(call([0, 1], { classWeights: [0, 0, 1] })).toThrow("crossEntropy: no row has a label with a weight");
});
