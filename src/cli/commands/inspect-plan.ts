/** lorikeet inspect --plan: how much memory training a model needs, computed without loading it. */
import type { Command } from "commander";
import { exists } from "#host";
import { modelFromConfig } from "../../auto/auto-model.ts";
import { hasCheckpoint, readJson } from "../../checkpoint/checkpoint.ts";
import { openSource } from "../../checkpoint/open.ts";
import { FormatError } from "../../core/errors.ts";
import type { Task } from "../../core/task.ts";
import { taskDefinition } from "../../data/known-tasks.ts";
import type { RawConfig } from "../../nn/config.ts";
import type { Model } from "../../nn/tasks/model.ts";
import type { KeptWeights } from "../../nn/tensors/kept-dtype.ts";
import type { DenseDtype } from "../../tensor/tensor.ts";
import { completeArguments, type Settings } from "../../train/arguments.ts";
import type { TrainingExample } from "../../train/check-examples.ts";
import { fittingSettings, partsOf, tooLittleMemory, waysToFit } from "../../train/memory-fit.ts";
import { type MemoryPlan, planMemory } from "../../train/memory-plan.ts";
import { fullTraining, type Trainable } from "../../train/trainable.ts";
import { formatBytes, MAX_BYTES } from "../../wasm/memory.ts";
import { adapted, type TrainingMethod } from "../adapter-from-flags.ts";
import { spellAsFlags } from "../flags/options.ts";
import { measuredBase, measuringEngine, memoriesOf } from "../memory.ts";
import type { EngineFlags } from "../model-options.ts";
import { grouped, notice, print } from "../terminal.ts";

/** What to plan and how to show it. */
export interface PlanFlags extends Pick<Settings, (typeof planned)[number]>, EngineFlags {
  readonly task: Task | null;
  readonly weights: KeptWeights;
  readonly adapterConfig: string | null;
  readonly maxLength: number | null;
  readonly maxTargetLength: number | null;
  readonly json: boolean;
}

/** Settings of the trainer that decide how much memory a run needs. */
const planned = ["perDeviceTrainBatchSize", "gradientCheckpointing", "optim", "optimArgs"] as const;

/** Tokens per sequence without --max-length, if the model supports that many. */
const LENGTH = 512;

/** The base for which training is planned: nothing is loaded. */
interface Plannable {
  readonly base: Model;
  readonly model: Trainable;
}

/**
 * Prints the plan. `dir` is a folder, with or without weights, or a name on the hub, from which only the config is
 * downloaded.
 */
export async function showPlan(dir: string, flags: PlanFlags, command: Command, chosen: TrainingMethod): Promise<void> {
  const { weights, perDeviceTrainBatchSize: batchSize, json } = flags;
  const full = chosen.method === null && flags.adapterConfig === null;
  const open = async (
    kept: KeptWeights,
    warn: (text: string) => void,
    memories = flags.memories,
  ): Promise<Plannable> => {
    const base = await baseOf(dir, { ...flags, memories }, full ? null : kept);
    const adapter = { model: dir, adapterConfig: flags.adapterConfig };
    const adapt = () => adapted(base, adapter, command, chosen, { steps: 1000, warn });
    return { base, model: full ? fullTraining(base, async () => {}) : await adapt() };
  };
  const { base, model } = await open(weights, notice);
  const maxLength = flags.maxLength ?? Math.min(LENGTH, model.contextLength);
  const example = taskDefinition(base.task).longest(base, {
    length: maxLength,
    targetLength: flags.maxTargetLength ?? maxLength,
  });
  const problem = model.problemWith(example);
  if (problem !== null) throw new FormatError(`--max-length ${maxLength}: ${problem}`);
  const trainDataset = Array<TrainingExample>(batchSize).fill(example);
  const args = completeArguments(Object.fromEntries(planned.map((name) => [name, flags[name]])), spellAsFlags(command));
  const over = async (count: number) => {
    const spread = count === 1 ? model : (await open(weights, () => {}, count)).model;
    return planMemory(spread, trainDataset, args);
  };
  const asked = flags.memories ?? null;
  const least = planMemory(model, trainDataset, args); // over as many as the flags say, else in one
  const count = asked ?? (await memoriesOf(over, Number.POSITIVE_INFINITY));
  const plan = asked === null && count > 1 ? await over(count) : least;
  const remade = async (kept: KeptWeights) => (await open(kept, () => {})).model;
  const run = { model, trainDataset, args, ...(!full && { weights, remade }) };
  const allowed = (asked ?? 1) * MAX_BYTES;
  const fits = (each: MemoryPlan) => Math.max(...each.memories) <= MAX_BYTES;
  const fitting = fits(least) ? [] : await fittingSettings(run, allowed);
  const method = full ? "full" : (flags.adapterConfig ?? chosen.name);
  const { build, threads } = base.engine;
  if (json) {
    const ways = fitting.map(({ settings, bytes }) => ({ settings, bytes }));
    const settings = { method, weights: full ? "f32" : weights, batchSize, maxLength, build, threads };
    print(
      JSON.stringify({
        kind: "plan",
        architecture: base.architecture,
        ...settings,
        plan,
        allowed,
        fitting: ways,
      }),
    );
    return;
  }
  const size = example.inputIds.length === 0 ? "images" : `x ${grouped(maxLength)} tokens`;
  const kept = [...new Set(Array.from(base.namedWeights().values(), ({ dtype }) => dtype))].join(", ");
  const engine = `${build} build, ${threads === 1 ? "one thread" : `${threads} threads`}`;
  print(`training ${base.architecture} (${kept}) with ${method}, batches of ${batchSize} ${size}, ${engine}`);
  for (const [name, bytes] of [...partsOf(plan), ["total", plan.total] as const]) {
    print(`  ${name.padEnd(14)}${row(bytes)}`);
  }
  if (count > 1) for (const [i, bytes] of plan.memories.entries()) print(`    memory ${i + 1}`.padEnd(16) + row(bytes));
  if (!fits(plan)) print(tooLittleMemory(plan, allowed, fitting, spellAsFlags(command)).message);
  else if (count > 1) print(`fits: each of ${count} memories can have up to ${formatBytes(MAX_BYTES)}`);
  else print(`fits: an engine can have up to ${formatBytes(MAX_BYTES)}`);
  const ways = fits(plan) ? waysToFit(fitting, spellAsFlags(command)) : [];
  if (ways.length > 0) print(["one memory would be enough with", ...ways].join("\n"));
}

function row(bytes: number): string {
  return `${grouped(bytes).padStart(15)} bytes  ${formatBytes(bytes).padStart(8)}`;
}

/**
 * The model of a folder, or of its config alone if there are no weights; `weights` is null for a base whose own weights
 * are trained.
 */
async function baseOf(dir: string, flags: PlanFlags, weights: KeptWeights | null): Promise<Model> {
  const { task } = flags;
  const source = openSource(dir);
  try {
    const kept = weights === null ? { trainable: true } : { weights };
    if (exists(dir) && (await hasCheckpoint(source))) return await measuredBase(dir, flags, task, kept);
    const config = (await readJson(source, "config.json")) as RawConfig;
    const engine = await measuringEngine(flags);
    const frozen = weights !== null && { weights, stored: storedDtype(config) };
    return (await modelFromConfig(config, task, { engine, ...frozen })) as Model;
  } finally {
    await source.close();
  }
}

/** The dtype of the stored weights according to a config. */
function storedDtype({ torch_dtype, dtype = torch_dtype }: RawConfig): DenseDtype {
  return dtype === "bfloat16" ? "bf16" : dtype === "float16" ? "f16" : "f32";
}
