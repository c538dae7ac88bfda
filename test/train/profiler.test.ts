import { expect, test } from "vitest";
import type { TrainingArguments } from "../../src/train/arguments.ts";
import { Profiler } from "../../src/train/profiler.ts";
import { memoryRun } from "../../src/train/run/run-in-memory.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { examples, tinyDropoutModel, tinyModel, valuesOf } from "./tiny.ts";

interface TraceEvent {
  readonly name: string;
  readonly cat?: string;
  readonly ph: string;
  readonly ts: number;
  readonly dur: number;
  readonly args: Readonly<Record<string, unknown>>;
}

async function profiled(args: TrainingArguments, profiler = new Profiler({ steps: 3 })) {
  const model = await tinyModel();
  const output = memoryRun();
  const before = model.engine.kernels;
  const trainer = new Trainer({ model, args, trainDataset: examples(8), outputDir: output, profiler });
  await trainer.train();
  expect(model.engine.kernels, "kernels are called straight again").toBe(before);
  return { model, output, profiler };
}

const textOf = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const eventsOf = (json: string) => (JSON.parse(json) as { traceEvents: TraceEvent[] }).traceEvents;
const ofCategory = (events: readonly TraceEvent[], cat: string) => events.filter((event) => event.cat === cat);
const end = ({ ts, dur }: TraceEvent) => ts + dur;

test("the trainer leaves both files, of the steps after the first and no more than asked for", async () => {
  const { output, profiler } = await profiled({ maxSteps: 6 });
  expect(profiler.steps).toBe(3);
  expect(textOf(output.files.get("profile.md"))).toBe(profiler.table());
  expect(textOf(output.files.get("trace.json"))).toBe(profiler.trace());
  const steps = ofCategory(eventsOf(profiler.trace()), "step").map(({ name }) => name);
  expect(steps).toEqual(["step 2", "step 3", "step 4"]);
});

test("trace events are in order of time, each inside its step, pass and layer, and name kernels that exist", async () => {
  const { model, profiler } = await profiled({ maxSteps: 4, gradientAccumulationSteps: 2, perDeviceTrainBatchSize: 2 });
  const events = eventsOf(profiler.trace());
  const timed = events.filter(({ ph }) => ph === "X");
  expect(timed.length).toBeGreaterThan(100);
  for (const [i, event] of timed.entries()) {
    expect(Number.isInteger(event.ts) && Number.isInteger(event.dur) && event.ts > 0 && event.dur >= 0).toBe(true);
    if (i > 0) expect(event.ts).toBeGreaterThanOrEqual(timed[i - 1]!.ts);
  }
  const around = (event: TraceEvent, cat: string) =>
    ofCategory(timed, cat).filter((outer) => outer.ts <= event.ts && end(event) <= end(outer)).length;
  const kernels = ofCategory(timed, "kernel");
  for (const kernel of kernels) {
    expect(model.engine.kernels).toHaveProperty(kernel.name);
    expect(kernel.name).not.toMatch(/_(workspace|parts)$/);
    expect(around(kernel, "step")).toBeGreaterThanOrEqual(1);
    expect(around(kernel, "phase")).toBeGreaterThanOrEqual(1);
    if (kernel.args.layer !== "") expect(around(kernel, "layer")).toBeGreaterThanOrEqual(1);
  }
  const phases = ofCategory(timed, "phase").map(({ name }) => name);
  const step = ["forward", "backward", "forward", "backward", "update"];
  expect(phases).toEqual([...step, ...step, ...step]);
  const layers = new Set(ofCategory(timed, "layer").map(({ name }) => name));
  expect([...layers].sort()).toEqual(["model.layers.0", "model.layers.1"]);
  const byStep = ofCategory(timed, "step").map((outer) => {
    const inside = kernels.filter(({ ts }) => ts >= outer.ts && ts <= end(outer));
    return inside.reduce((sum, { dur }) => sum + dur, 0) / outer.dur;
  });
  for (const share of byStep) expect(share).toBeLessThanOrEqual(1.01); // microseconds are rounded
});

test("the tables count calls, time and bytes of a step; kernels and layers add up to the same", async () => {
  const { profiler } = await profiled({ maxSteps: 4 });
  const table = profiler.table();
  expect(table).toMatch(/^# Profile of steps 2 to 4\n/);
  const rows = table.split("\n").flatMap((line) => {
    const cells = line.split("|").map((cell) => cell.trim());
    return /^\| [a-z]/.test(line) ? [cells.slice(1, -1)] : [];
  });
  const layersAt = rows.findIndex(([name]) => name === "layer");
  const [kernels, layers] = [rows.slice(1, layersAt), rows.slice(layersAt + 1)];
  expect(layers.map(([name]) => name)).toEqual(["outside of layers", "model.layers.0", "model.layers.1", "update"]);
  const calls = new Map(kernels.map(([name, count]) => [name, Number(count)]));
  expect(calls.get("adamw_f32"), "one for each of the trained tensors").toBe(20);
  expect(calls.get("attention_f32")).toBe(2);
  expect(calls.get("attention_f32_d")).toBe(2);
  const total = (table: readonly string[][], column: number) =>
    table.reduce((sum, row) => sum + Number(row[column]), 0);
  const stepMs = Number(/; ([\d.]+) ms per step/.exec(table)![1]);
  const kernelMs = Number(/of which ([\d.]+) ms/.exec(table)![1]);
  expect(kernelMs).toBeLessThanOrEqual(stepMs);
  expect(Math.abs(total(kernels, 2) - kernelMs)).toBeLessThan(0.2);
  expect(Math.abs(total(layers, 1) - kernelMs)).toBeLessThan(0.2);
  for (const [name, ms, forward, backward] of layers.slice(0, -1)) {
    expect(Math.abs(Number(ms) - Number(forward) - Number(backward)), name).toBeLessThan(0.03);
  }
});

test("a profile changes no number, and a run without one calls the kernels themselves", async () => {
  const run = async (profiler: Profiler | null) => {
    const model = await tinyDropoutModel();
    const { kernels } = model.engine;
    const same: boolean[] = [];
    const onProgress = () => same.push(model.engine.kernels === kernels);
    await new Trainer({ model, args: { maxSteps: 3 }, trainDataset: examples(8), profiler, onProgress }).train();
    expect(same).toEqual([true, true, true]); // between steps nobody watches
    return valuesOf(model);
  };
  expect(await run(new Profiler())).toEqual(await run(null));
});

test("a run that is stopped, or breaks, leaves the profile of what there was", async () => {
  const stop = new AbortController();
  const run = async (extra: {
    signal?: AbortSignal;
    onProgress?: (report: { step: number }) => void;
    args?: object;
  }) => {
    const output = memoryRun();
    const profiler = new Profiler();
    const model = await tinyModel();
    const { args, ...rest } = extra;
    const trainer = new Trainer({
      model,
      args: { maxSteps: 9, ...args },
      trainDataset: examples(8),
      outputDir: output,
      profiler,
      ...rest,
    });
    const result = await trainer.train().catch((error: Error) => error.message);
    return { result, steps: profiler.steps, files: [...output.files.keys()], table: profiler.table() };
  };
  const stopped = await run({ signal: stop.signal, onProgress: ({ step }) => step === 4 && stop.abort() });
  expect(stopped.steps).toBe(3);
  expect(stopped.files).toContain("trace.json");
  const broken = await run({ args: { learningRate: 1e30 } });
  expect(broken.result).toMatch(/expected a finite number/);
  expect(broken.files).toContain("profile.md");
  const single = await run({ args: { maxSteps: 1 } });
  expect(single.files).not.toContain("profile.md");
  expect(single.table).toMatch(/No step was profiled/);
});
