/** Loads what a pipeline needs and gives it its call. */
import { PeftModel } from "../adapt/peft-model.ts";
import { adapterFacts } from "../auto/adapter-facts.ts";
import { loadPretrained } from "../auto/auto-model.ts";
import { loadPeftModel } from "../auto/auto-peft-model.ts";
import { openSource, type SourceLike } from "../checkpoint/open.ts";
import { anObject, anything, callback, callOptions } from "../core/call-options.ts";
import { FormatError, StateError } from "../core/errors.ts";
import type { Options } from "../core/options.ts";
import { didYouMean } from "../core/similar.ts";
import type { Task } from "../core/task.ts";
import { Model } from "../nn/tasks/model.ts";
import { weightsOption } from "../nn/tensors/kept-dtype.ts";
import { AutoTokenizer, type PretrainedTokenizer } from "../text/auto-tokenizer.ts";
import { featureExtraction } from "./feature-extraction.ts";
import { imageClassification } from "./image-classification.ts";
import type { PipelineModel } from "./loaded.ts";
import type { PipelineOptions, Pipelines } from "./pipeline.ts";
import { questionAnswering } from "./question-answering.ts";
import { textClassification } from "./text-classification.ts";
import { text2textGeneration, textGeneration } from "./text-generation.ts";
import { tokenClassification } from "./token-classification.ts";

/** What makes a pipeline's call. */
interface Kind {
  readonly task: Task;
  /** Whether its input is text. */
  readonly reads: "text" | "images";
  make(loaded: PipelineModel): (...given: never[]) => Promise<unknown>;
}

const textClasses: Kind = { task: "SEQ_CLS", reads: "text", make: textClassification };
const tokenClasses: Kind = { task: "TOKEN_CLS", reads: "text", make: tokenClassification };
const kinds: Readonly<Record<keyof Pipelines, Kind>> = {
  "text-classification": textClasses,
  "sentiment-analysis": textClasses,
  "token-classification": tokenClasses,
  ner: tokenClasses,
  "question-answering": { task: "QUESTION_ANS", reads: "text", make: questionAnswering },
  "feature-extraction": { task: "FEATURE_EXTRACTION", reads: "text", make: featureExtraction },
  "text-generation": { task: "CAUSAL_LM", reads: "text", make: textGeneration },
  "text2text-generation": { task: "SEQ_2_SEQ_LM", reads: "text", make: text2textGeneration },
  "image-classification": { task: "IMAGE_CLS", reads: "images", make: imageClassification },
};

const options = {
  model: anything(),
  adapter: anything(),
  tokenizer: anything(),
  engine: anObject("an engine"),
  weights: weightsOption,
  onProgress: callback(),
  signal: anObject("an AbortSignal"),
  onWarning: callback(),
} satisfies Options;

export async function makePipeline<T extends keyof Pipelines>(name: T, given: PipelineOptions): Promise<Pipelines[T]> {
  const kind = kindOf(name);
  callOptions("pipeline", options, given);
  const { model: asked, adapter } = given;
  if (asked === undefined && adapter === undefined)
    throw new FormatError('pipeline: give "model", a folder or a name on the hub, or "adapter"');
  const model = await modelFor(kind.task, given);
  const isOwn = !isModel(asked);
  const dispose = () => {
    if (!isOwn) return;
    if (model instanceof PeftModel) model.dispose();
    baseOf(model).dispose();
  };
  try {
    const place = isModel(asked) ? baseOf(asked).nameOrPath : (asked ?? (await adapterFacts(adapter!)).base);
    const tokenizer = kind.reads === "text" ? await tokenizerFor(given, place) : null;
    const call = kind.make({ model, base: baseOf(model), tokenizer: tokenizer!, place });
    return Object.assign(call, { task: name, model, tokenizer, dispose, [Symbol.dispose]: dispose }) as never;
  } catch (error) {
    dispose();
    throw error;
  }
}

function kindOf(name: keyof Pipelines): Kind {
  if (Object.hasOwn(kinds, name)) return kinds[name];
  const known = Object.keys(kinds);
  throw new FormatError(
    `pipeline: there is no task ${JSON.stringify(name)}, expected one of ${known.join(", ")}.${didYouMean(String(name), known)}`,
  );
}

function isModel(model: PipelineOptions["model"]): model is Model | PeftModel {
  return model instanceof Model || model instanceof PeftModel;
}

function baseOf(model: Model | PeftModel): Model {
  return model instanceof PeftModel ? model.base : model;
}

async function modelFor(task: Task, given: PipelineOptions): Promise<Model | PeftModel> {
  const { model, adapter, tokenizer: _, ...loading } = given;
  if (!isModel(model)) {
    if (adapter === undefined) return (await loadPretrained(model as SourceLike, task, loading)) as Model;
    return loadPeftModel(adapter, task, { ...loading, ...(model !== undefined && { base: model }) });
  }
  if (model.task !== task) throw new FormatError(`pipeline: the model is for ${model.task}, expected one for ${task}`);
  if (adapter === undefined) return model;
  if (model instanceof PeftModel)
    throw new StateError(
      "pipeline: the model has adapters already: load this one with loadAdapter, or give a bare model",
    );
  const { onWarning } = loading;
  return PeftModel.fromPretrained(model, adapter, onWarning === undefined ? {} : { onWarning });
}

/** The given tokenizer, or the adapter's where it brings one, or the model's. */
async function tokenizerFor(given: PipelineOptions, place: SourceLike): Promise<PretrainedTokenizer> {
  const { tokenizer, adapter } = given;
  if (typeof tokenizer === "function") return tokenizer as PretrainedTokenizer;
  if (tokenizer !== undefined) return AutoTokenizer.fromPretrained(tokenizer as SourceLike);
  if (adapter !== undefined && (await openSource(adapter).has("tokenizer_config.json")))
    return AutoTokenizer.fromPretrained(adapter);
  if (place !== "") return AutoTokenizer.fromPretrained(place);
  throw new StateError('pipeline: the model was made in memory, so its tokenizer is not known: give it as "tokenizer"');
}
