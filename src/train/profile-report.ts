/** The output of a profile: tables, and a trace in the format of Chrome's trace events. */
import { formatBytes } from "../wasm/memory.ts";

/** Part of an optimizer step; "update" follows all passes. */
export type Phase = "forward" | "backward" | "update";

/** One kernel that ran. Times in milliseconds. */
export interface Call {
  readonly kernel: string;
  readonly phase: Phase;
  /** The name of the layer, "" outside all layers. */
  readonly layer: string;
  readonly began: number;
  readonly ended: number;
  /** Working memory allocated since the previous call: results, gradients, workspace. */
  readonly takenBytes: number;
  /** Working memory in use. */
  readonly usedBytes: number;
  /** Operations of matrix products since the previous call, as the model needs them. */
  readonly flops: number;
}

/** One optimizer step. */
export interface ProfiledStep {
  /** Counted from 1. */
  readonly number: number;
  readonly began: number;
  ended: number;
  readonly calls: Call[];
}

/** The totals of a group of calls. */
class Sum {
  calls = 0;
  flops = 0;
  takenBytes = 0;
  mostUsedBytes = 0;
  readonly ms: Record<Phase, number> = { forward: 0, backward: 0, update: 0 };

  get totalMs(): number {
    return this.ms.forward + this.ms.backward + this.ms.update;
  }
  add({ phase, began, ended, takenBytes, usedBytes, flops }: Call): void {
    this.calls++;
    this.flops += flops;
    this.takenBytes += takenBytes;
    this.mostUsedBytes = Math.max(this.mostUsedBytes, usedBytes);
    this.ms[phase] += ended - began;
  }
}

/** Totals by the name of each call, in order of first occurrence. */
function sums(calls: readonly Call[], nameOf: (call: Call) => string): [string, Sum][] {
  const found = new Map<string, Sum>();
  for (const call of calls) {
    const name = nameOf(call);
    if (!found.has(name)) found.set(name, new Sum());
    found.get(name)!.add(call);
  }
  return [...found];
}

/** The tables of a profile in Markdown. */
export function profileTable(steps: readonly ProfiledStep[], machine: string): string {
  const count = steps.length;
  if (count === 0)
    return "# Profile\n\nNo step was profiled: the run ended with its first step, which is a warm-up step.\n";
  const calls = steps.flatMap((step) => step.calls);
  const whole = steps.reduce((sum, { began, ended }) => sum + ended - began, 0);
  const all = new Sum();
  for (const call of calls) all.add(call);
  const ms = (value: number) => (value / count).toFixed(2);
  const share = (value: number) => `${((100 * value) / whole).toFixed(1)} %`;
  const bytes = (value: number) => formatBytes(Math.round(value / count));
  const speed = (flops: number, milliseconds: number) => (flops > 0 ? (flops / milliseconds / 1e6).toFixed(1) : "");
  const numbers = steps.map(({ number }) => number);
  const title = count === 1 ? `step ${numbers[0]}` : `steps ${numbers[0]} to ${numbers.at(-1)}`;
  const byKernel = sums(calls, ({ kernel }) => kernel).sort(([, one], [, other]) => other.totalMs - one.totalMs);
  const kernels = byKernel.map(([name, sum]) => [
    ...[name, (sum.calls / count).toFixed(0), ms(sum.totalMs), share(sum.totalMs), bytes(sum.takenBytes)],
  ]);
  const byLayer = sums(calls, ({ layer, phase }) => (phase === "update" ? "update" : layer || "outside of layers"));
  const layers = byLayer.map(([name, sum]) => [
    ...[name, ms(sum.totalMs), ms(sum.ms.forward), ms(sum.ms.backward), share(sum.totalMs)],
    ...[bytes(sum.takenBytes), formatBytes(sum.mostUsedBytes), speed(sum.flops, sum.totalMs)],
  ]);
  return [
    `# Profile of ${title}`,
    "",
    `${machine}; ${ms(whole)} ms per step, of which ${ms(all.totalMs)} ms (${share(all.totalMs)}) in kernels; ` +
      `${speed(all.flops, whole)} GFLOP/s. All numbers are means per step. "Taken" is working memory allocated for results, ` +
      'gradients and workspaces, including freed memory; "in use" is the maximum at one time. The update consists of ' +
      "the gradient norm and the optimizer.",
    "",
    "## Kernels",
    "",
    ...markdown(["kernel", "calls", "ms", "of step", "taken"], kernels),
    "",
    "## Layers",
    "",
    ...markdown(["layer", "ms", "forward", "backward", "of step", "taken", "in use", "GFLOP/s"], layers),
    "",
  ].join("\n");
}

/** Rows of a table whose first column is text and whose others are numbers. */
function markdown(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(" | ")} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`;
  return [line(header), rule, ...rows.map(line)];
}

/** A complete event: it lasts `dur` microseconds from `ts` on. Nested events are shown below the outer ones. */
interface TraceEvent {
  readonly name: string;
  readonly cat: "step" | "phase" | "layer" | "kernel";
  readonly ph: "X";
  readonly ts: number;
  readonly dur: number;
  readonly pid: 1;
  readonly tid: 1;
  readonly args: Readonly<Record<string, number | string>>;
}

/** Steps contain passes, passes contain layers, and layers contain kernels, in order of their start. */
export function profileTrace(steps: readonly ProfiledStep[]): string {
  const start = (steps[0]?.began ?? 0) - 1; // panels omit events that start at 0
  const at = (ms: number) => Math.round(1000 * (ms - start));
  const event = (
    cat: TraceEvent["cat"],
    name: string,
    { began, ended }: { began: number; ended: number },
    args: TraceEvent["args"] = {},
  ): TraceEvent => ({ name, cat, ph: "X", ts: at(began), dur: at(ended) - at(began), pid: 1, tid: 1, args });
  const events = steps.flatMap((step) => [
    event("step", `step ${step.number}`, step),
    ...runsOf(step.calls, ({ phase }) => phase).flatMap((pass) => [
      event("phase", pass[0]!.phase, spanOf(pass)),
      ...runsOf(pass, ({ layer }) => layer).flatMap((run) => [
        ...(run[0]!.layer === "" ? [] : [event("layer", run[0]!.layer, spanOf(run))]),
        ...run.map((call) => {
          const { kernel, layer, takenBytes, usedBytes } = call;
          return event("kernel", kernel, call, { layer, takenBytes, usedBytes });
        }),
      ]),
    ]),
  ]);
  const named = (name: string, value: string) => ({ name, ph: "M", ts: 0, pid: 1, tid: 1, args: { name: value } });
  const about = [named("process_name", "lorikeet"), named("thread_name", "training")];
  return JSON.stringify({ traceEvents: [...about, ...events], displayTimeUnit: "ms" });
}

/** Consecutive calls with the same name. */
function runsOf(calls: readonly Call[], nameOf: (call: Call) => string): Call[][] {
  const runs: Call[][] = [];
  for (const call of calls) {
    const run = runs.at(-1);
    if (run && nameOf(run[0]!) === nameOf(call)) run.push(call);
    else runs.push([call]);
  }
  return runs;
}

function spanOf(calls: readonly Call[]): { began: number; ended: number } {
  return { began: calls[0]!.began, ended: calls.at(-1)!.ended };
}
