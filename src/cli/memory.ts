/** Memory that a command will take, told before anything is loaded. */
import { type FromPretrainedOptions, loadPretrained } from "../auto/auto-model.ts";
import type { Task } from "../core/task.ts";
import type { KeptWeights } from "../nn/kept-dtype.ts";
import type { Model } from "../nn/model.ts";
import {
  type Fitting,
  type MemorySettings,
  memorySettings,
  planWith,
  tooLittleMemory,
  whatFits,
} from "../train/memory-fit.ts";
import { type MemoryPlan, planMemory } from "../train/memory-plan.ts";
import type { Trainable } from "../train/trainable.ts";
import { Trainer, type TrainerOptions } from "../train/trainer.ts";
import { createEngine, type Engine, type EngineOptions } from "../wasm/engine.ts";

/** Build and threads of an engine, or what was asked of one. */
export type EngineLike = Pick<EngineOptions, "build" | "threads">;

/** An engine that holds nothing. */
export function measuringEngine({ build = "auto", threads }: EngineLike): Promise<Engine> {
  return createEngine({ build, ...(threads !== undefined && { threads }), measuring: true });
}

/** The model of a folder in an engine of its own that holds nothing, with the build and the threads of another. */
export async function measuredBase(
  from: string,
  like: EngineLike,
  task: Task | null,
  options: Omit<FromPretrainedOptions, "engine">,
): Promise<Model> {
  const engine = await measuringEngine(like);
  return (await loadPretrained(from, task, { ...options, engine, onWarning: () => {} })) as Model;
}

/** A run on a model that is measured. */
export interface MeasuredRun extends Pick<TrainerOptions, "args" | "trainDataset" | "evalDataset"> {
  readonly model: Trainable;
  /** How the base is kept, and the model with its base kept in another way; left out where that may not change. */
  readonly weights?: KeptWeights;
  readonly remade?: (weights: KeptWeights) => Promise<Trainable>;
}

/** Throws StateError, with settings that would do, unless a run fits into the memory of `engine`, into which nothing is loaded yet. */
export async function expectRoom({ memory }: Engine, run: MeasuredRun): Promise<void> {
  const { model, trainDataset, args = {} } = run;
  const limit = (plan: MemoryPlan) => memory.offer(plan.total);
  const largest = planMemory(model, trainDataset, args);
  if (largest.total <= limit(largest)) return;
  const plan = new Trainer(run).memory(); // batch by batch: the longest rows need not come together
  const allowed = limit(plan);
  if (plan.total > allowed) throw tooLittleMemory(plan, allowed, await fittingOf(run, allowed));
}

/** Settings with which a run fits into `allowed` bytes. */
export async function fittingOf(run: MeasuredRun, allowed: number): Promise<Fitting[]> {
  const { model, trainDataset, args = {}, weights, remade } = run;
  const now = { ...memorySettings(trainDataset, args), ...(weights && { weights }) };
  const needs = async (changes: MemorySettings) => {
    const changed = changes.weights === undefined ? model : await remade!(changes.weights);
    return planWith(changed, trainDataset, args, changes).total;
  };
  return whatFits(now, needs, allowed);
}
