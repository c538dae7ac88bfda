import { expect, test } from "vitest";

const load = (file: string) => import(new URL(`../../bench/${file}`, import.meta.url).href);
const { contest, timesFaster, middle } = await load("contest.js");
const { instability, row, section, verdict } = await load("report.js");
const { logLogSlope, median, spreadOf } = await load("statistics.js");
const { fillAgreed } = await load("agreed.js");

const quiet = () => {};

/** A contestant that needs `ms` a turn and has these losses. */
function fake(name: string, ms: number, losses = [2, 1], facts = {}) {
  const script = `
    console.log(JSON.stringify({ losses: ${JSON.stringify(losses)}, ...${JSON.stringify(facts)} }));
    process.stdin.on("data", () => console.log(JSON.stringify({ ms: ${ms} })));`;
  return { name, command: [process.execPath, "--eval", script], task: {} };
}

test("contestants take turns, and a ratio is the median over their pairs", async () => {
  const log: string[] = [];
  const results = await contest([fake("a", 2), fake("b", 6)], 3, (line: string) => log.push(line));
  expect(log.filter((line) => line.startsWith("round")).map((line) => line.split(" ")[4])).toEqual([..."ababab"]);
  expect(timesFaster(results, "a", "b")).toEqual({ value: 3, spread: 0 });
  expect(middle(results, "b", (turn: { ms: number }) => turn.ms)).toEqual({ value: 6, spread: 0 });
});

test("on one thread the processor's time decides, on more the elapsed time", async () => {
  const busy = (name: string, cpuMs: number, threads: number) => ({
    ...fake(name, 100, [2, 1], { threads }),
    command: fake(name, 100, [2, 1], { threads }).command.map((part) =>
      part.replace("{ ms: 100 }", `{ ms: 100, cpuMs: ${cpuMs} }`),
    ),
  });
  const ratio = async (threads: number) => {
    const results = await contest([busy("a", 2, threads), busy("b", 8, threads)], 1, quiet);
    return timesFaster(results, "a", "b").value;
  };
  expect(await ratio(1)).toBe(4);
  expect(await ratio(2)).toBe(1);
});

test("contestants that arrive at other losses are not compared", async () => {
  const run = contest([fake("a", 2), fake("b", 2, [2, 1.01])], 1, quiet);
  await expect(run).rejects.toThrow("b has losses 2, 1.01 and a 2, 1: not the same work");
});

test("one that may differ is compared all the same", async () => {
  const other = { ...fake("b", 4, [2, 1.01]), agrees: false };
  expect(timesFaster(await contest([fake("a", 2), other], 1, quiet), "a", "b")).toEqual({ value: 2, spread: 0 });
});

test("a contestant that fails, or computes on fewer threads than asked, is missing with its reason", async () => {
  const broken = {
    name: "broken",
    command: [process.execPath, "--eval", "throw new Error('no such thing')"],
    task: {},
  };
  const single = { ...fake("single", 1, [2, 1], { threads: 1 }), task: { threads: 2 } };
  const results = await contest([fake("a", 2), broken, single], 1, quiet);
  expect(timesFaster(results, "a", "broken")).toEqual({ missing: "broken: Error: no such thing" });
  expect(timesFaster(results, "single", "a").missing).toMatch(/2 threads were requested, but it computes on 1/);
});

test("a row says whether its bar is met, by how much it is missed, or why it was not measured", () => {
  expect(verdict(row("speed", { value: 2 }, ">=", 2))).toBe("met");
  expect(verdict(row("speed", { value: 1.5 }, ">=", 2))).toBe("missed by 25 %");
  expect(verdict(row("memory", { value: 3 }, "<=", 2))).toBe("missed by 50 %");
  expect(verdict(row("memory", { missing: "no Python" }, "<=", 2))).toBe("not measured: no Python");
  expect(section({ title: "T", rows: [row("memory", { value: 3 }, "<=", 2, { unit: "GB", digits: 1 })] })).toContain(
    "| memory | 3.0 GB | ≤ 2.0 GB | missed by 50 % |",
  );
});

test("a figure whose middle half is spread by more than 5 % of its median is called unstable", () => {
  const samples = [0.9, 0.96, 1, 1.04, 1.1];
  expect(median(samples)).toBe(1);
  expect(spreadOf(samples)).toBeCloseTo(0.08, 12);
  expect(verdict(row("speed", { value: 1, spread: 0.08 }, ">=", 1))).toBe("met; unstable: spread 8 %");
  expect(instability(row("speed", { value: 1, spread: 0.05 }))).toBe("");
  expect(spreadOf([3])).toBe(0);
  expect(() => median([])).toThrow("nothing was measured");
});

test("the slope of a power law is its exponent", () => {
  const points = [1, 2, 4, 8].map((x) => [x, 3 * x ** 1.5]);
  expect(logLogSlope(points)).toBeCloseTo(1.5, 12);
});

test("agreed weights are those that bench/peers/pytorch.py makes", () => {
  const values = fillAgreed(new Float32Array(4), "w", [2, 2]);
  expect(Array.from(values as Float32Array, (value) => value.toFixed(7))).toEqual([
    "-0.0121472",
    "-0.0190260",
    "-0.0074346",
    "-0.0201819",
  ]);
});

test.each([
  [5, 0],
  [7, 0],
  [8, 0],
  [9, 1],
  [15, 3],
  [25, 7],
])("of %i ratios the interval of the median leaves out %i on each side", async (count, outside) => {
  const { ratioOf } = await load("ratio.js");
  const pairs = Array.from({ length: count }, (_, i) => [2, 2 * (1 + i / 100)]);
  const { ratio, low, high, old } = ratioOf(pairs.reverse());
  expect([ratio, low, high, old]).toEqual([
    expect.closeTo(1 + (count - 1) / 200),
    expect.closeTo(1 + outside / 100),
    expect.closeTo(1 + (count - 1 - outside) / 100),
    2,
  ]);
});
