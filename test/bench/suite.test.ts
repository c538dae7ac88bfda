import { build } from "esbuild";
import { expect, test } from "vitest";
import { jsonLines, lorikeet, root, workFolder } from "../cli/bed.ts";

const load = (file: string) => import(new URL(`../../bench/${file}`, import.meta.url).href);
const { hostTable, missingLines } = await load("hosts.js");

const work = workFolder();

interface Figure {
  readonly build: string;
  readonly threads: number;
  readonly name: string;
  readonly value: number;
  readonly samples: readonly number[];
}

test("bench suite measures one build on one thread and on several, and says so in JSON", async () => {
  const args = ["--short", "--build", "baseline", "--threads", "2", "--json"];
  const { code, stdout } = await lorikeet(work, "bench", "suite", ...args); // where it takes long, progress is on stderr
  expect(code).toBe(0);
  const [found, ...others] = jsonLines(stdout);
  expect(others).toEqual([]);
  const { host, missing, figures } = found as unknown as { host: string; missing: object; figures: Figure[] };
  expect({ host, missing }).toEqual({ host: `node ${process.versions.node}`, missing: {} });
  for (const threads of [1, 2]) {
    const names = figures.filter((figure) => figure.threads === threads).map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(["SIMD peak", "reading memory", "LoRA step, tiny f32, 4 x 128 tokens"]),
    );
    expect(new Set(names).size).toBe(names.length);
  }
  for (const { build, value, samples } of figures) {
    expect(build).toBe("baseline");
    expect(value).toBeGreaterThan(0);
    expect(samples.length).toBeGreaterThan(0);
  }
}, 240_000);

test("the suite goes into a page: nothing of it is Node's", async () => {
  const { outputFiles } = await build({
    ...{ stdin: { contents: 'export { runSuite } from "./bench/suite.js";', resolveDir: root }, bundle: true },
    ...{ write: false, format: "esm", target: "es2022", logLevel: "silent" },
    ...{ platform: "browser", conditions: ["browser"] },
  });
  expect(outputFiles[0]!.text).not.toMatch(/from\s*"node:|import\("node:/);
});

test("the table of hosts has a row for each figure, with a mark where it is unstable, and says what is missing", () => {
  const figure = { build: "baseline", threads: 1, name: "SIMD peak", unit: "GFLOP/s" };
  const found = [
    { host: "one 1", missing: {}, figures: [{ ...figure, value: 12.345, spread: 0.01 }] },
    {
      host: "two 2",
      missing: { wide: "too old" },
      figures: [
        { ...figure, value: 234.5, spread: 0.06 },
        { ...figure, threads: 2, value: 300, spread: 0 },
      ],
    },
    { host: "three", failed: "not installed" },
  ];
  expect(hostTable(found).split("\n")).toEqual([
    "| | one 1 | two 2 |",
    "| --- | ---: | ---: |",
    "| baseline, one thread: SIMD peak, GFLOP/s | 12.3 | ~235 |",
    "| baseline, 2 threads: SIMD peak, GFLOP/s |  | 300 |",
  ]);
  expect(missingLines(found)).toEqual(["two 2, wide: too old", "three: not installed"]);
});
