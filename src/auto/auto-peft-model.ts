/** Loads an adapter folder with the base that it names. */
import { PeftModel } from "../adapt/peft-model.ts";
import { readJson } from "../checkpoint/checkpoint.ts";
import { openSource, type SourceLike } from "../checkpoint/open.ts";
import { anObject, anything, callback, callOptions } from "../core/call-options.ts";
import { FormatError } from "../core/errors.ts";
import { flag, type Options, option } from "../core/options.ts";
import type { Task } from "../core/task.ts";
import type { RawConfig } from "../nn/config.ts";
import type { Model } from "../nn/tasks/model.ts";
import { weightsOption } from "../nn/tensors/kept-dtype.ts";
import { resizeTokenEmbeddings } from "../nn/tensors/resize-token-embeddings.ts";
import { taskDefinitions } from "../tasks/index.generated.ts";
import { AutoTokenizer } from "../text/auto-tokenizer.ts";
import { type AdapterFacts, adapterFacts, headFrom } from "./adapter-facts.ts";
import { definitionFor, headsByTask, loadPretrained } from "./auto-model.ts";
import type { AutoPeftOptions } from "./auto-peft-classes.ts";

const string = (fallback: string) => option(fallback, "a string", (value) => typeof value === "string");

const options = {
  base: anything(),
  engine: anObject("an engine"),
  config: anObject("keys of a config"),
  weights: weightsOption,
  onProgress: callback(),
  signal: anObject("an AbortSignal"),
  onWarning: callback(),
  adapterName: string("default"),
  isTrainable: flag(false),
  values: anObject("options of the method"),
  subfolder: string(""),
  keyMapping: anObject("patterns and what takes their place"),
} satisfies Options;

/** See auto-peft-classes.ts. A null task is the adapter's. */
export async function loadPeftModel(
  from: SourceLike,
  task: Task | null,
  given: AutoPeftOptions = {},
): Promise<PeftModel<Model>> {
  callOptions("AutoPeftModel.fromPretrained", options, given);
  const { base: asked, engine, config, weights, onProgress, signal, onWarning, ...own } = given;
  const facts = await adapterFacts(from, own.subfolder);
  const path = asked ?? expectBase(facts, from);
  const head = headFrom(facts);
  const base = (await loadPretrained(path, (await taskFor(task, facts, path)) as Task, {
    ...head,
    config: { ...head.config, ...config },
    ...defined({ engine, weights, onProgress, signal }),
    ...(onWarning !== undefined && head.onWarning === undefined && { onWarning }),
  })) as Model;
  try {
    await resizeFor(base, from, own.subfolder);
    return await PeftModel.fromPretrained(base, from, { ...own, ...defined({ onWarning }) });
  } catch (error) {
    base.dispose();
    throw error;
  }
}

/** An object without the keys that are not given. */
function defined<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}

function expectBase({ base }: AdapterFacts, from: SourceLike): SourceLike {
  if (base !== "") return base;
  throw new FormatError(
    `adapter in ${openSource(from).name} names no base ("base_model_name_or_path"): give it as the option "base"`,
  );
}

/** The task that both the class and the adapter mean; null where neither says, which leaves it to the base's config. */
async function taskFor(
  asked: Task | null,
  { task, architecture }: AdapterFacts,
  base: SourceLike,
): Promise<Task | null> {
  const named = task ?? (architecture === null ? null : await taskOfClass(architecture, base));
  if (asked === null || named === null || asked === named) return asked ?? named;
  const peft = (each: Task) =>
    `AutoPeftModel${taskDefinitions[each].auto.slice("AutoModel".length) || "ForFeatureExtraction"}`;
  throw new FormatError(`the adapter is for ${named}, but ${peft(asked)} loads ${asked}: use ${peft(named)}`);
}

/** The task of a class of transformers, such as "BertModel", for the type of the base. */
async function taskOfClass(architecture: string, base: SourceLike): Promise<Task | null> {
  const source = openSource(base);
  try {
    const definition = await definitionFor((await readJson(source, "config.json")) as RawConfig, source.name);
    return [...headsByTask(definition)].find(([, head]) => head.architecture === architecture)?.[0] ?? null;
  } finally {
    await source.close();
  }
}

/** Gives the base room for the tokens of a tokenizer that the adapter brings, as PEFT does. */
async function resizeFor(base: Model, from: SourceLike, subfolder = ""): Promise<void> {
  const source = openSource(from);
  try {
    if (subfolder !== "" || !(await source.has("tokenizer_config.json"))) return;
    const { vocabSize } = await AutoTokenizer.fromPretrained(from);
    if (vocabSize > base.vocabSize) resizeTokenEmbeddings(base, vocabSize);
  } finally {
    await source.close();
  }
}
