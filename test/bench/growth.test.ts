import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { workFolder } from "../cli/bed.ts";

const load = (file: string) => import(new URL(`../../bench/${file}`, import.meta.url).href);
const { bendLines, drawGrowth, measureGrowth, slopeTable } = await load("growth.js");
const { curveSvg } = await load("curve-svg.js");

const work = workFolder();

test("the memory of adapters grows with their number, and a step's with its tokens; both are drawn", async () => {
  const log: string[] = [];
  const only = ["tokens in many rows", "loaded adapters"];
  const found = await measureGrowth({ only, short: true, log: (line: string) => log.push(line) });
  expect(found.map(({ name }: { name: string }) => name)).toEqual(only);
  const [tokens, adapters] = found;
  expect(log).toHaveLength(tokens.points.length + adapters.points.length);
  expect(adapters.memory).toMatchObject({ slope: expect.closeTo(1, 1), expectedSlope: expect.closeTo(1, 10) });
  expect(adapters.time.expectedSlope).toBeCloseTo(0, 10);
  expect(tokens.memory.slope).toBeGreaterThan(0.8);
  for (const { ms, kernels } of tokens.points) {
    expect(ms).toBeGreaterThan(0);
    expect(kernels.matmul_f32).toBeGreaterThan(0);
  }
  expect(slopeTable(found)).toContain("| loaded adapters | 1 to 64 |");
  const [file] = drawGrowth(found, work);
  expect(file).toBe("tokens-in-many-rows.svg");
  expect(readFileSync(join(work, file), "utf8").match(/<polyline/g)).toHaveLength(4); // time and memory, each beside what is expected
}, 120_000);

test("a curve of another name is refused", async () => {
  await expect(measureGrowth({ only: ["width"], log: () => {} })).rejects.toThrow(
    "no curve width, there is tokens in one row",
  );
});

test("a bend says where, by how much, and in which kernels", () => {
  const bend = { from: 64, to: 128, grew: 3, should: 2, why: [{ name: "matmul_f32", excessMs: 1.25 }] };
  expect(bendLines({ name: "rank", time: { bends: [bend] }, memory: null })).toEqual([
    "rank, time from 64 to 128: grew 3.00 times, expected 2.00 (against that growth: matmul_f32 +1.25 ms)",
  ]);
});

test("a straight line in the logarithms is drawn straight, and a constant in the middle", () => {
  const panels = [
    { title: "time", note: "a < b", measured: [1, 2, 4], expected: null },
    { title: "memory", note: "", measured: [3, 3, 3], expected: [3, 3, 3] },
  ];
  const svg: string = curveSvg({ title: "t", x: { label: "n", values: [10, 100, 1000] }, panels });
  const [time, , memory] = Array.from(svg.matchAll(/points="([^"]*)"/g), ([, points]) =>
    points!.split(" ").map((point) => point.split(",").map(Number)),
  );
  expect(time!.map(([x]) => x)).toEqual([56, 191, 326]);
  expect(time!.map(([, y]) => y)).toEqual([210, 130, 50]);
  expect(memory!.map(([, y]) => y)).toEqual([130, 130, 130]);
  expect(svg).toContain("a &lt; b");
});
