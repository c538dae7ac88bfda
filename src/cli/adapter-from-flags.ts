/**
 * The adapter that a command line describes, on a base: as a method and its options, a config, or an existing adapter.
 */
import type { Command } from "commander";
import { configFromText, readAdapterConfig } from "../adapt/files/load.ts";
import { configOf, type Method, type MethodConfig, optionsOf } from "../adapt/method/define-method.ts";
import { getPeftModel, PeftModel } from "../adapt/peft-model.ts";
import { readText } from "../checkpoint/checkpoint.ts";
import { openSource } from "../checkpoint/open.ts";
import type { Model } from "../nn/tasks/model.ts";
import { AutoTokenizer } from "../text/auto-tokenizer.ts";
import { givenFlags, spellAsFlags } from "./flags/options.ts";
import { givenValues, methodOptions } from "./method-options.ts";
import { splitPath } from "./paths/paths.ts";

/** What the command line asks to train with: a method, or null for every weight. */
export interface TrainingMethod {
  readonly name: string;
  readonly method: Method | null;
}

export interface AdapterFlags {
  readonly model: string;
  readonly adapterConfig: string | null;
  readonly initAdapter?: string | null;
  readonly dropout?: number | null;
  readonly seed?: number;
}

export interface AdaptedOptions {
  /** Optimizer steps of the run, for methods with a schedule. */
  readonly steps: number;
  readonly warn: (text: string) => void;
}

/** The base with the adapter that the flags describe, ready to train. */
export async function adapted(
  base: Model,
  flags: AdapterFlags,
  command: Command,
  chosen: TrainingMethod,
  { steps, warn }: AdaptedOptions,
): Promise<PeftModel> {
  const { initAdapter = null, dropout = null, seed } = flags;
  if (initAdapter === null) {
    const config = await methodConfig(flags, command, chosen, { base, steps, warn });
    const values = { ...config.values, ...withDropout(config, dropout) };
    return getPeftModel(base, { ...config, values }, { ...(seed !== undefined && { seed }), onWarning: warn });
  }
  const own = chosen.method === null ? [] : Object.keys(methodOptions(chosen.method));
  const ignored = givenFlags(command, ["adapterConfig", ...own]).map(({ long }) => long);
  if (ignored.length > 0) warn(`--init-adapter has its own options: ${ignored.join(", ")} not used`);
  const config = await readAdapterConfig(openSource(initAdapter), () => {}); // warnings appear when it is loaded
  const values = withDropout(config, dropout);
  return PeftModel.fromPretrained(base, initAdapter, { isTrainable: true, values, onWarning: warn });
}

/** The effect of --dropout on a method's dropout options: all of them become `p`. */
function withDropout({ values }: MethodConfig, p: number | null): Record<string, number> {
  if (p === null) return {};
  const names = Object.keys(values).filter((name) => /dropout$/i.test(name));
  return Object.fromEntries(names.map((name) => [name, p]));
}

async function methodConfig(
  flags: AdapterFlags,
  command: Command,
  { method }: TrainingMethod,
  { base, steps, warn }: AdaptedOptions & { base: Model },
): Promise<MethodConfig> {
  if (flags.adapterConfig !== null) {
    const [folder, file] = splitPath(flags.adapterConfig);
    const text = await readText(openSource(folder), file);
    return configFromText(text, { name: `"${flags.adapterConfig}"`, onWarning: warn });
  }
  const given = givenValues(command, method!);
  const has = (option: string) => Object.hasOwn(method!.options, option);
  // For tasks that PEFT does not have, the head, which is usually new, is left to the user.
  const { taskType, headModules } = base.traits;
  const takesHead = optionsOf(method!).modulesToSave !== undefined;
  const named = taskType !== null || headModules.length === 0 || given.modulesToSave !== undefined || !takesHead;
  const head = named ? {} : { modulesToSave: headModules };
  const values = {
    ...head,
    ...given,
    ...(has("totalStep") && given.totalStep === undefined && { totalStep: steps }),
    ...(typeof given.promptTuningInitText === "string" && (await initialIds(flags.model, given.promptTuningInitText))),
  };
  return configOf(method!, values, spellAsFlags(command));
}

/** The text that initializes a prompt, as token ids. */
async function initialIds(model: string, text: string): Promise<Record<string, unknown>> {
  const tokenizer = await AutoTokenizer.fromPretrained(model);
  return { promptTuningInitIds: tokenizer.encode(text), tokenizerNameOrPath: model };
}
