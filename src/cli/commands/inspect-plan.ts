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
import { fittingSettings, partsOf, tooLittleMemory } from "../../train/memory-fit.ts";
import { planMemory } from "../../train/memory-plan.ts";
import { fullTraining, type Trainable } from "../../train/trainable.ts";
import { formatBytes, MAX_BYTES } from "../../wasm/memory.ts";
import { adapted, type TrainingMethod } from "../adapter-from-flags.ts";
import { spellAsFlags } from "../flags/options.ts";
import { measuredBase, measuringEngine } from "../memory.ts";
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
  const open = async (kept: KeptWeights, warn: (text: string) => void): Promise<Plannable> => {
    const base = await baseOf(dir, flags, full ? null : kept);
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
  const plan = planMemory(model, trainDataset, args);
  const remade = async (kept: KeptWeights) => (await open(kept, () => {})).model;
  const run = { model, trainDataset, args, ...(!full && { weights, remade }) };
  const fitting = plan.total <= MAX_BYTES ? [] : await fittingSettings(run, MAX_BYTES);
  const method = full ? "full" : (flags.adapterConfig ?? chosen.name);
  const { build, threads } = base.engine;
  if (json) {
    const ways = fitting.map(({ settings, bytes }) => ({ settings, bytes }));
    const asked = { method, weights: full ? "f32" : weights, batchSize, maxLength, build, threads };
    print(
      JSON.stringify({
        kind: "plan",
        architecture: base.architecture,
        ...asked,
        plan,
        allowed: MAX_BYTES,
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
    print(`  ${name.padEnd(14)}${grouped(bytes).padStart(15)} bytes  ${formatBytes(bytes).padStart(8)}`);
  }
  if (plan.total <= MAX_BYTES) print(`fits: an engine can have up to ${formatBytes(MAX_BYTES)}`);
  else print(tooLittleMemory(plan, MAX_BYTES, fitting, spellAsFlags(command)).message);
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
