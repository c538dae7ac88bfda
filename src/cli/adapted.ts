/** The adapter that a command line describes, on a base: by a method and its options, by a config, or by an adapter that exists. */
import type { Command } from "commander";
import { configFromText, readAdapterConfig } from "../adapt/files/load.ts";
import type { Method, MethodConfig } from "../adapt/method/define-method.ts";
import { getPeftModel, PeftModel } from "../adapt/peft-model.ts";
import { readText } from "../checkpoint/checkpoint.ts";
import { openSource } from "../checkpoint/open.ts";
import type { Model } from "../nn/tasks/model.ts";
import { AutoTokenizer } from "../text/auto-tokenizer.ts";
import { splitPath } from "./data.ts";
import { givenValues, optionNames } from "./method-options.ts";
import { givenOptions } from "./options.ts";

/** What the command line asks to train with: a method, or null for every weight. */
export interface TrainingMethod {
  readonly name: string;
  readonly method: Method | null;
}

export interface AdapterFlags {
  readonly model: string;
  readonly adapterConfig?: string;
  readonly initAdapter?: string;
  readonly dropout?: number;
  readonly seed?: number;
}

export interface AdaptedOptions {
  /** Optimiser steps of the run, for methods with a schedule. */
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
  const { initAdapter, dropout, seed } = flags;
  if (initAdapter === undefined) {
    const config = await methodConfig(flags, command, chosen, { base, steps, warn });
    const values = { ...config.values, ...withDropout(config, dropout) };
    return getPeftModel(base, { ...config, values }, { ...(seed !== undefined && { seed }), onWarning: warn });
  }
  const own = chosen.method === null ? [] : optionNames(chosen.method);
  const ignored = givenOptions(command, ["adapterConfig", ...own]).map(({ long }) => long);
  if (ignored.length > 0) warn(`--init-adapter brings its own options: ${ignored.join(", ")} not used`);
  const config = await readAdapterConfig(openSource(initAdapter), () => {}); // warnings come when it is loaded
  const values = withDropout(config, dropout);
  return PeftModel.fromPretrained(base, initAdapter, { isTrainable: true, values, onWarning: warn });
}

/** What --dropout makes of a method's own dropouts: all of them `p`. */
function withDropout({ values }: MethodConfig, p: number | undefined): Record<string, number> {
  if (p === undefined) return {};
  const names = Object.keys(values).filter((name) => /dropout$/i.test(name));
  return Object.fromEntries(names.map((name) => [name, p]));
}

async function methodConfig(
  flags: AdapterFlags,
  command: Command,
  { name, method }: TrainingMethod,
  { base, steps, warn }: AdaptedOptions & { base: Model },
): Promise<MethodConfig> {
  if (flags.adapterConfig !== undefined) {
    const [folder, file] = splitPath(flags.adapterConfig);
    const text = await readText(openSource(folder), file);
    return configFromText(text, { name: `"${flags.adapterConfig}"`, onWarning: warn });
  }
  const given = givenValues(command, method!, name);
  const has = (option: string) => Object.hasOwn(method!.options, option);
  // For tasks that PEFT does not have, it leaves the head, which is new as a rule, to the user.
  const { taskType, headModules } = base.traits;
  const named = taskType !== null || headModules.length === 0 || given.modulesToSave !== undefined;
  const head = named ? {} : { modulesToSave: headModules };
  return method!({
    ...head,
    ...given,
    ...(has("totalStep") && given.totalStep === undefined && { totalStep: steps }),
    ...(typeof given.promptTuningInitText === "string" && (await initialIds(flags.model, given.promptTuningInitText))),
  } as Parameters<Method>[0]);
}

/** The text that a prompt starts from, as ids. */
async function initialIds(model: string, text: string): Promise<Record<string, unknown>> {
  const tokenizer = await AutoTokenizer.fromPretrained(model);
  return { promptTuningInitIds: tokenizer.encode(text), tokenizerNameOrPath: model };
}
