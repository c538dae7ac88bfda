import { expect, test } from "vitest";
import { Philox } from "../../../src/core/random/philox.ts";
import { argmax } from "../../../src/core/scores.ts";
import { samplingFilters } from "../../../src/generate/processors-of.ts";
import { sample } from "../../../src/generate/search/sample.ts";

type Sampling = Parameters<typeof samplingFilters>[0];

const plain: Sampling = { temperature: 1, topK: 0, topP: 1, minP: null, typicalP: 1, epsilonCutoff: 0, etaCutoff: 0 };

const logits = Float32Array.of(Math.log(4), Math.log(1), Math.log(3), Math.log(2));

/** How often each id is drawn of 4000, as a share. */
function shares(options: Partial<Sampling>): number[] {
  const random = new Philox(1);
  const counts = [0, 0, 0, 0];
  const scores = logits.slice();
  for (const filter of samplingFilters({ ...plain, ...options })) filter([], scores);
  for (let draw = 0; draw < 4000; draw++) counts[sample(scores, random)]!++;
  return counts.map((count) => count / 4000);
}

/** Four standard deviations of a share of 4000 draws are 0.032 at most. */
function expectShares(options: Partial<Sampling>, want: readonly number[]): void {
  shares(options).forEach((share, id) => {
    if (want[id] === 0) expect(share, `id ${id}`).toBe(0);
    else expect(Math.abs(share - want[id]!), `id ${id}`).toBeLessThan(0.032);
  });
}

test("argmax takes the first of equals", () => {
  expect(argmax(Float32Array.of(1, 3, 3, 2))).toBe(1);
});

test("tokens are drawn as often as softmax says", () => {
  expectShares({}, [0.4, 0.1, 0.3, 0.2]);
});

test("temperature 0.5 squares the odds", () => {
  expectShares({ temperature: 0.5 }, [16 / 30, 1 / 30, 9 / 30, 4 / 30]);
});

test("top k keeps the k largest", () => {
  expectShares({ topK: 2 }, [4 / 7, 0, 3 / 7, 0]);
  expectShares({ topK: 9 }, [0.4, 0.1, 0.3, 0.2]);
});

test("top p keeps the fewest that reach the sum, at least one", () => {
  expectShares({ topP: 0.6 }, [4 / 7, 0, 3 / 7, 0]);
  expectShares({ topP: 0.8 }, [4 / 9, 0, 3 / 9, 2 / 9]);
  expectShares({ topP: 0.01 }, [1, 0, 0, 0]);
});

test("top p is of what top k leaves", () => {
  expectShares({ topK: 2, topP: 0.55 }, [1, 0, 0, 0]); // 4/7 reaches it, 4/10 would not
});
