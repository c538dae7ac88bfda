/** The memory that a command needs, computed before anything is loaded. */
import { totalmem } from "node:os";
import { type FromPretrainedOptions, loadPretrained } from "../auto/auto-model.ts";
import type { Task } from "../core/task.ts";
import type { Model } from "../nn/tasks/model.ts";
import { fittingSettings, type MeasuredRun, tooLittleMemory } from "../train/memory-fit.ts";
import { type MemoryPlan, planMemory } from "../train/memory-plan.ts";
import { Trainer } from "../train/trainer.ts";
import type { TrainerOptions } from "../train/trainer-options.ts";
import { type BuildChoice, createEngine, type Engine, MOST_MEMORIES, preferred } from "../wasm/engine.ts";
import { MAX_BYTES } from "../wasm/memory.ts";

/** The build and threads of an engine, or the requested ones. */
export interface EngineLike {
  readonly build?: BuildChoice | null;
  readonly threads?: number | null;
  readonly memories?: number | null;
}

/** An engine that only measures. */
export function measuringEngine({ build, threads, memories }: EngineLike): Promise<Engine> {
  const sizes = { ...(typeof threads === "number" && { threads }), memories: memories ?? 1 };
  return createEngine({ build: build ?? preferred("fastest"), ...sizes, measuring: true });
}

/** The model of a folder in a separate engine that only measures, with the build and the threads of another engine. */
export async function measuredBase(
  from: string,
  like: EngineLike,
  task: Task | null,
  options: Omit<FromPretrainedOptions, "engine">,
): Promise<Model> {
  const engine = await measuringEngine(like);
  return (await loadPretrained(from, task, { ...options, engine, onWarning: () => {} })) as Model;
}

/**
 * The fewest memories that a run fits into, given its plan over a number of them; 1 where more of them are not enough, or the plan
 * is larger than `machine`, by default what this one has.
 */
export async function memoriesOf(
  planOver: (memories: number) => Pick<MemoryPlan, "total" | "memories"> | Promise<MemoryPlan>,
  machine = totalmem(),
): Promise<number> {
  let before = Number.POSITIVE_INFINITY;
  for (let count = 1; count <= MOST_MEMORIES; count++) {
    const { total, memories } = await planOver(count);
    const most = Math.max(...memories);
    if (count > 1 && (total > machine || most >= before)) return 1;
    if (most <= MAX_BYTES) return count;
    before = most;
  }
  return 1;
}

/**
 * Throws StateError, listing settings that would fit, unless a run fits into the memory of `engine`, which is still
 * empty.
 */
export async function expectRoom(
  { memory }: Engine,
  run: MeasuredRun & Pick<TrainerOptions, "evalDataset" | "spell">,
): Promise<void> {
  const { model, trainDataset, evalDataset, args, spell } = run;
  const largest = planMemory(model, trainDataset, args);
  if (largest.total <= memory.offer(largest.total, largest.memories)) return;
  const trained = { model, trainDataset, args, ...(evalDataset && { evalDataset }), ...(spell && { spell }) };
  const plan = new Trainer(trained).memory(); // batch by batch: the longest rows may be in different batches
  const allowed = memory.offer(plan.total, plan.memories);
  if (plan.total > allowed) throw tooLittleMemory(plan, allowed, await fittingSettings(run, allowed), run.spell);
}
