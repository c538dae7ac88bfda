/** Losses made of public ops have the values and gradients of PyTorch: test/parity/make_loss_goldens.py wrote them. */
import { readFileSync } from "node:fs";
import { test } from "vitest";
import * as ops from "../src/ops.ts";
import { Tape, type Value } from "../src/tape/tape.ts";
import { expectClose, GOLDEN } from "./golden-files.ts";
import { builds, Gym, leaf } from "./ops/gradients.ts";

interface Losses {
  readonly weighted: {
    readonly logits: number[];
    readonly labels: number[];
    readonly classWeights: number[];
    readonly slopes: number[];
    readonly cases: {
      readonly reduction: "mean" | "sum" | "none";
      readonly loss: number[];
      readonly gradient: number[];
    }[];
  };
  readonly dpo: {
    readonly logits: number[];
    readonly labels: number[];
    readonly starts: number[];
    readonly beta: number;
    readonly reference: number[];
    readonly loss: number[];
    readonly gradient: number[];
  };
  readonly contrastive: {
    readonly left: number[];
    readonly right: number[];
    readonly temperature: number;
    readonly loss: number[];
    readonly leftGradient: number[];
    readonly rightGradient: number[];
  };
}
const { weighted, dpo, contrastive } = JSON.parse(readFileSync(`${GOLDEN}/losses.json`, "utf8")) as Losses;

/** A leaf with these numbers. */
function given(gym: Gym, name: string, numbers: readonly number[], columns: number) {
  const param = gym.param(name, [numbers.length / columns, columns]);
  param.values().set(numbers);
  return param;
}

/** The numbers of a loss, after its backward pass. */
function train(gym: Gym, loss: (tape: Tape) => Value): Float32Array {
  return Tape.once(gym.engine, { recording: true }, (tape) => {
    const value = loss(tape);
    tape.backward(value);
    return tape.download(value);
  });
}

for (const build of builds) {
  test.each(weighted.cases)(`crossEntropy with weights (${build}), $reduction, is torch's`, async (golden) => {
    using gym = await Gym.open(build);
    const { labels, classWeights, slopes } = weighted;
    const { reduction } = golden;
    const logits = given(gym, "logits", weighted.logits, 4);
    let losses: ArrayLike<number> = [];
    train(gym, (tape) => {
      const loss = ops.crossEntropy(leaf(tape, logits), labels, { classWeights, reduction });
      losses = tape.download(loss);
      return reduction === "none" ? ops.sum(ops.mul(loss, ops.constant(tape, slopes, [5, 1]))) : loss;
    });
    expectClose("loss", losses, golden.loss, 1e-6, 1e-6);
    expectClose("gradient", logits.gradient(), golden.gradient, 1e-6, 1e-6);
  });

  test(`the loss of preferences (${build}) is torch's, from logits and from losses by token`, async () => {
    using gym = await Gym.open(build);
    const { labels, starts, beta, reference } = dpo;
    const logits = given(gym, "logits", dpo.logits, 6);
    const byToken: Record<string, (x: Value) => Value> = {
      logits: (x) => ops.gather(ops.logSoftmax(x), labels),
      losses: (x) => ops.mul(ops.crossEntropy(x, labels, { reduction: "none" }), -1),
    };
    for (const [name, logProbs] of Object.entries(byToken)) {
      logits.gradient().fill(0);
      const loss = train(gym, (tape) => {
        const policy = ops.segmentSum(logProbs(leaf(tape, logits)), starts);
        const gain = ops.sub(policy, ops.constant(tape, reference, [4, 1]));
        const margin = ops.sub(ops.slice(gain, 0, 2), ops.slice(gain, 2, 4));
        return ops.mul(ops.mean(ops.logSigmoid(ops.mul(margin, beta))), -1);
      });
      expectClose(`loss from ${name}`, loss, dpo.loss, 1e-6, 1e-6);
      expectClose(`gradient from ${name}`, logits.gradient(), dpo.gradient, 1e-6, 1e-5);
    }
  });

  test(`the loss of pairs (${build}) is torch's`, async () => {
    using gym = await Gym.open(build);
    const [left, right] = [given(gym, "left", contrastive.left, 6), given(gym, "right", contrastive.right, 6)];
    const loss = train(gym, (tape) => {
      const [a, b] = [leaf(tape, left), leaf(tape, right)].map((x) => ops.div(x, ops.norm(x, 1))) as [Value, Value];
      const scores = ops.div(ops.matmul(a, b, { transposeB: true }), contrastive.temperature);
      return ops.crossEntropy(scores, [0, 1, 2, 3]);
    });
    expectClose("loss", loss, contrastive.loss, 1e-6, 1e-6);
    expectClose("left", left.gradient(), contrastive.leftGradient, 1e-6, 1e-5);
    expectClose("right", right.gradient(), contrastive.rightGradient, 1e-6, 1e-5);
  });
}
