/** The `AutoPeftModel` classes, one per task: a model by its adapter. The code that loads them is loaded on first use. */
import type { LoadAdapterOptions } from "../adapt/files/load-options.ts";
import type { AdapterOptions, PeftModel } from "../adapt/peft-model.ts";
import type { SourceLike } from "../checkpoint/open.ts";
import type { Task } from "../core/task.ts";
import type { CausalLM } from "../nn/tasks/causal-lm.ts";
import type { ImageClassifier, SequenceClassifier } from "../nn/tasks/classifier.ts";
import type { FeatureExtractor } from "../nn/tasks/feature-extractor.ts";
import type { Model } from "../nn/tasks/model.ts";
import type { QuestionAnswerer } from "../nn/tasks/question-answering.ts";
import type { Seq2SeqLM } from "../nn/tasks/seq2seq-lm.ts";
import type { TokenClassifier } from "../nn/tasks/token-classifier.ts";
import type { FromPretrainedOptions } from "./auto-model.ts";

/** How a base and its adapter are loaded: options of both. */
export interface AutoPeftOptions
  extends Omit<FromPretrainedOptions, "trainable" | "seed" | "ignoreMismatchedSizes">,
    AdapterOptions,
    LoadAdapterOptions {
  /** The base, instead of the one that the adapter names: its folder or hub name. */
  base?: SourceLike;
}

/** The method of every `AutoPeftModel` class. */
export interface AutoPeftModelClass<M extends Model> {
  /**
   * Loads the base that an adapter folder names in `base_model_name_or_path` (a path from the current folder, or a hub name, as in
   * PEFT), with the adapter's task and labels, and the adapter on it. Where the adapter brings a tokenizer with more tokens than the
   * base has, the base is resized. Throws FormatError where the adapter names no base or another task.
   */
  fromPretrained(from: SourceLike, options?: AutoPeftOptions): Promise<PeftModel<M>>;
}

function classFor<M extends Model>(task: Task | null): AutoPeftModelClass<M> {
  return {
    fromPretrained: async (from, options) => {
      const { loadPeftModel } = await import("./auto-peft-model.ts");
      return (await loadPeftModel(from, task, options)) as PeftModel<M>;
    },
  };
}

/**
 * Whatever task the adapter names; where it names none, that of the class in its `auto_mapping`, or of its base.
 *
 * @example
 * const model = await AutoPeftModel.fromPretrained("runs/mails/adapter", { base: "models/base" });
 */
export const AutoPeftModel: AutoPeftModelClass<Model> = classFor(null);
/**
 * Adapters of decoder-only language models.
 *
 * @example
 * const model = await AutoPeftModelForCausalLM.fromPretrained("runs/sonnets/adapter");
 */
export const AutoPeftModelForCausalLM: AutoPeftModelClass<CausalLM> = classFor("CAUSAL_LM");
/** Adapters of encoder-decoder language models. */
export const AutoPeftModelForSeq2SeqLM: AutoPeftModelClass<Seq2SeqLM> = classFor("SEQ_2_SEQ_LM");
/** Adapters for text classification and regression, with their head and its labels. */
export const AutoPeftModelForSequenceClassification: AutoPeftModelClass<SequenceClassifier> = classFor("SEQ_CLS");
/** Adapters for token classification, with their head and its labels. */
export const AutoPeftModelForTokenClassification: AutoPeftModelClass<TokenClassifier> = classFor("TOKEN_CLS");
/** Adapters for extractive question answering, with their head. */
export const AutoPeftModelForQuestionAnswering: AutoPeftModelClass<QuestionAnswerer> = classFor("QUESTION_ANS");
/** Adapters for image classification, with their head and its labels. */
export const AutoPeftModelForImageClassification: AutoPeftModelClass<ImageClassifier> = classFor("IMAGE_CLS");
/** Adapters of bare encoders. */
export const AutoPeftModelForFeatureExtraction: AutoPeftModelClass<FeatureExtractor> = classFor("FEATURE_EXTRACTION");
