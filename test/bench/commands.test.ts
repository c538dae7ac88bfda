import { expect, test } from "vitest";
import { jsonLines, succeed, workFolder } from "../cli/bed.ts";

const { benchRows } = await import(new URL("../../bench/rows.js", import.meta.url).href);

const work = workFolder();
const smallest = ["--shape", "llama-260k", "--build", "baseline", "--threads", "1", "--rounds", "1", "--json"];

/** The one JSON object that a `bench` command prints. */
async function measured(...args: string[]): Promise<Record<string, unknown>> {
  const [found, ...others] = jsonLines(await succeed(work, "bench", ...args, ...smallest));
  expect(others).toEqual([]);
  return found!;
}

function expectPositive(found: Record<string, unknown>, keys: string): void {
  for (const key of keys.split(" ")) expect(found[key], key).toBeGreaterThan(0);
}

test("bench step measures a training step and says so in JSON", async () => {
  const found = await measured("step", "--tokens", "16", "--batch", "2", "--r", "4", "--method", "lora");
  expect(found).toMatchObject({
    ...{ shape: "llama-260k", build: "baseline", threads: 1, weights: "f32", data: "random", method: "lora", r: 4 },
    ...{ tokens: 16, batch: 2, tokensPerStep: 32, labels: 30 },
  });
  expectPositive(found, "msPerStep tokensPerSecond flopsPerStep simdPeakFlops fractionOfPeak arenaBytes peakBytes");
  expect(found.wasmBytes).toBeGreaterThanOrEqual(found.peakBytes as number);
  expect(found.processPeakBytes).toBeGreaterThan(found.wasmBytes as number);
  expect(found.loss).toBeCloseTo(Math.log(512), 0); // random weights: any of the 512 tokens is as likely
});

test("bench step --data instruction has 8 rows of 1:8, half of them prompt", async () => {
  const found = await measured("step", "--data", "instruction", "--tokens", "64");
  expect(found).toMatchObject({ data: "instruction", batch: 8, tokens: 64, tokensPerStep: 288, labels: 144 });
});

test("bench decode measures writing against reading", async () => {
  const found = await measured("decode", "--tokens", "2");
  expect(found).toMatchObject({ shape: "llama-260k", build: "baseline", threads: 1, weights: "f32" });
  expectPositive(found, "msPerToken tokensPerSecond readBytesPerSecond fractionOfRead processPeakBytes");
  // 260,032 parameters of which each token reads all, the tied table being the head
  expect(found.bytesPerToken).toBeGreaterThan(4 * 259_000);
  expect(found.bytesPerToken).toBeLessThan(4 * 275_000);
});

test("bench start measures a fresh process, in order: imported, ready, stepped", async () => {
  const found = await measured("start", "--tokens", "16", "--batch", "1");
  expect(found).toMatchObject({ shape: "llama-260k", build: "baseline", threads: 1, tokens: 16, batch: 1 });
  expectPositive(found, "importMs");
  expect(found.readyMs).toBeGreaterThan(found.importMs as number);
  expect(found.firstStepMs).toBeGreaterThan(found.readyMs as number);
});

test("rows of the bench are the same on every run, and no two rows alike", () => {
  const options = { data: "random", tokens: 8, batch: 3, vocabSize: 1000, encoderDecoder: false } as const;
  const rows = benchRows(options);
  expect(benchRows(options)).toEqual(rows);
  expect(new Set(rows.map(({ inputIds }: { inputIds: number[] }) => inputIds.join())).size).toBe(3);
  const pair = benchRows({ ...options, encoderDecoder: true });
  expect(pair[0]!.labels).toHaveLength(8);
  expect(pair[0]!.labels).not.toEqual(pair[0]!.inputIds);
});
