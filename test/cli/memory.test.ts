import { expect, test } from "vitest";
import { memoriesOf } from "../../src/cli/memory.ts";

const GB = 1e9;
/** The plan of a run whose base can be split anywhere, with working memory in each part. */
const planOf = (base: number, working: number) => (count: number) => {
  const memories = Array<number>(count).fill(base / count + working);
  return { total: base + count * working, memories };
};

test("a run takes as many memories as it needs, and no more", async () => {
  expect(await memoriesOf(planOf(3 * GB, GB), 100 * GB)).toBe(1);
  expect(await memoriesOf(planOf(6 * GB, GB), 100 * GB)).toBe(2);
  expect(await memoriesOf(planOf(20 * GB, GB), 100 * GB)).toBe(7);
});

test("it takes one, in which it is refused, where more are not enough or the machine is too small", async () => {
  expect(await memoriesOf(planOf(20 * GB, GB), 24 * GB)).toBe(1);
  expect(await memoriesOf(() => ({ total: 9 * GB, memories: [9 * GB] }), 100 * GB)).toBe(1);
});
