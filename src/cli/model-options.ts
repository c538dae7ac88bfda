/** What every command that runs a model shares: its options, and loading model and adapter. */
import { type Command, Option } from "commander";
import { PeftModel } from "../adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../auto/auto-model.ts";
import type { CausalLM } from "../nn/causal-lm.ts";
import type { Build } from "../wasm/builds.ts";
import { createEngine, type Engine } from "../wasm/engine.ts";
import { whole } from "./options.ts";
import { notice } from "./terminal.ts";

export interface EngineFlags {
  threads?: number;
  build: "auto" | Build;
}

/** Adds --threads and --build. */
export function withEngineOptions(command: Command): Command {
  return command
    .option("--threads <n>", "threads to compute with; results do not depend on it", whole(1))
    .addOption(
      new Option("--build <name>", "kernels: fused multiply-add or the same bits everywhere")
        .choices(["auto", "baseline", "relaxed"])
        .default("auto"),
    );
}

export async function openEngine({ threads = 1, build }: EngineFlags): Promise<Engine> {
  if (threads > 1) notice(`--threads ${threads}: this version computes on one thread; the results are the same`);
  return createEngine({ threads, build });
}

export interface Loaded {
  readonly engine: Engine;
  readonly base: CausalLM;
  /** The base with its adapter, or the base alone. */
  readonly model: CausalLM | PeftModel;
}

/** Loads the model folder and, when named, the adapter folder on top of it. */
export async function loadModel(
  modelFolder: string,
  adapterFolder: string | undefined,
  flags: EngineFlags,
): Promise<Loaded> {
  const engine = await openEngine(flags);
  const base = await AutoModelForCausalLM.fromPretrained(modelFolder, { engine });
  const model =
    adapterFolder === undefined ? base : await PeftModel.fromPretrained(base, adapterFolder, { onWarning: notice });
  return { engine, base, model };
}
