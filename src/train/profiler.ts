/** Measures where training steps spend time: by kernel, by layer, and call by call as browsers show it. */
import { callOptions } from "../core/call-options.ts";
import type { Target } from "../core/host.ts";
import { whole } from "../core/options.ts";
import type { Engine } from "../wasm/engine.ts";
import type { KernelObserver, StepUnderWay } from "../wasm/observed-kernels.ts";
import type { ProfiledStep } from "./profile-report.ts";

/** Which steps are profiled. */
export interface ProfilerOptions {
  /** The number of steps, 10 by default: a longer trace is large and adds nothing. */
  readonly steps?: number;
  /** The number of warm-up steps before them, 1 by default: the JavaScript engine compiles the kernels then. */
  readonly warmup?: number;
}

const profilerOptions = { steps: whole(10, 1), warmup: whole(1, 0) };

/**
 * Times the kernels of some steps. A trainer with a profiler writes `profile.md` and `trace.json` to its `outputDir`;
 * both are also available here.
 *
 * @example
 * const profiler = new Profiler({ steps: 5 });
 * await new Trainer({ model, trainDataset, profiler }).train();
 * console.log(profiler.table());
 */
export class Profiler implements KernelObserver {
  readonly #wanted: number;
  readonly #warmup: number;
  readonly #steps: ProfiledStep[] = [];
  #begun = 0;
  #engine: Engine | null = null;
  /** The code that writes reports is loaded on first use. */
  #report: typeof import("./profile-report.ts") | null = null;
  #machine = "";
  /** The pass of the last call, and its progress. */
  #last: { pass: StepUnderWay | null; takenBytes: number; flops: number } = { pass: null, takenBytes: 0, flops: 0 };

  constructor(options: ProfilerOptions = {}) {
    const { steps, warmup } = callOptions("Profiler", profilerOptions, options);
    this.#wanted = steps;
    this.#warmup = warmup;
  }

  /** How many steps were profiled. */
  get steps(): number {
    return this.#steps.length;
  }

  /** Runs `step`, one optimizer step in `engine`, and profiles it if it is one of the selected ones. */
  async during<T>(engine: Engine, step: () => Promise<T>): Promise<T> {
    const number = this.#begun++;
    this.#report ??= await import("./profile-report.ts");
    if (number < this.#warmup || this.#steps.length === this.#wanted) return step();
    const profiled: ProfiledStep = { number: number + 1, began: performance.now(), ended: Number.NaN, calls: [] };
    this.#machine = `${engine.build} build, ${engine.threads === 1 ? "one thread" : `${engine.threads} threads`}`;
    this.#engine = engine;
    this.#steps.push(profiled);
    engine.observe(this);
    try {
      return await step();
    } finally {
      engine.observe(null);
      this.#engine = null;
      profiled.ended = performance.now();
    }
  }

  /** Called by the engine. */
  ran(kernel: string, began: number, ended: number): void {
    const pass = this.#engine?.step ?? null;
    const { calls } = this.#steps.at(-1)!;
    if (pass === null) {
      calls.push({ kernel, phase: "update", layer: "", began, ended, takenBytes: 0, usedBytes: 0, flops: 0 });
      return;
    }
    const { place: layer, unwinding, takenBytes, usedBytes, flops } = pass;
    const before = this.#last.pass === pass ? this.#last : { takenBytes: 0, flops: 0 };
    calls.push({
      ...{ kernel, phase: unwinding ? "backward" : "forward", layer, began, ended, usedBytes },
      takenBytes: takenBytes - before.takenBytes,
      flops: flops - before.flops,
    });
    this.#last = { pass, takenBytes, flops };
  }

  /** Time, calls and bytes by kernel and by layer, as a Markdown page; empty before the first step. */
  table(): string {
    return this.#report?.profileTable(this.#steps, this.#machine) ?? "";
  }

  /** Every call as trace events in JSON, for the performance panel of browsers and for Perfetto; empty before the first step. */
  trace(): string {
    return this.#report?.profileTrace(this.#steps) ?? "";
  }

  /** Writes both, as `profile.md` and `trace.json`. */
  async write(target: Target): Promise<void> {
    const encoder = new TextEncoder();
    await target.write("profile.md", [encoder.encode(this.table())]);
    await target.write("trace.json", [encoder.encode(this.trace())]);
  }
}
