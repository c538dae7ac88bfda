/** The `AutoModel` classes, one per task. The code that loads and creates models is loaded on first use. */
import type { SourceLike } from "../checkpoint/open.ts";
import type { Task } from "../core/task.ts";
import type { GenerativeCausalLM, GenerativeSeq2SeqLM } from "../generate/generative-models.ts";
import type { RawConfig } from "../nn/config.ts";
import type { ImageClassifier, SequenceClassifier } from "../nn/tasks/classifier.ts";
import type { FeatureExtractor } from "../nn/tasks/feature-extractor.ts";
import type { Model } from "../nn/tasks/model.ts";
import type { QuestionAnswerer } from "../nn/tasks/question-answering.ts";
import type { TokenClassifier } from "../nn/tasks/token-classifier.ts";
import type { FromConfigOptions, FromPretrainedOptions, ModelFor } from "./auto-model.ts";

/** The methods of every `AutoModel` class. */
export interface AutoModelClass<M extends Model> {
  /**
   * Loads a model folder as published on the Hugging Face hub, or a model by its hub name: config.json with
   * model.safetensors or its shards. Weights keep their stored dtype (float32, float16 or bfloat16) unless `weights`
   * names another; computation is in float32, or in integers if `weights` is "int8".
   */
  fromPretrained(from: SourceLike, options?: FromPretrainedOptions): Promise<M>;
  /** A model with random weights that are all trainable. */
  fromConfig(config: RawConfig, options?: FromConfigOptions): Promise<M>;
}

const loader = () => import("./auto-model.ts");

/**
 * The class for a task name.
 *
 * @example
 * const model = await autoModelFor("TOKEN_CLS").fromPretrained("models/names");
 */
export function autoModelFor<T extends Task>(task: T): AutoModelClass<ModelFor[T]> {
  return {
    fromPretrained: async (from, options) => (await loader()).loadPretrained(from, task, options),
    fromConfig: async (config, options) => (await loader()).modelFromConfig(config, task, options),
  };
}

/**
 * Decoder-only language models.
 *
 * @example
 * const model = await AutoModelForCausalLM.fromPretrained("models/stories260K");
 */
export const AutoModelForCausalLM: AutoModelClass<GenerativeCausalLM> = autoModelFor("CAUSAL_LM");
/** Encoder-decoder language models: T5, mT5. */
export const AutoModelForSeq2SeqLM: AutoModelClass<GenerativeSeq2SeqLM> = autoModelFor("SEQ_2_SEQ_LM");
/** Text classification and regression. */
export const AutoModelForSequenceClassification: AutoModelClass<SequenceClassifier> = autoModelFor("SEQ_CLS");
/** Token classification. */
export const AutoModelForTokenClassification: AutoModelClass<TokenClassifier> = autoModelFor("TOKEN_CLS");
/** Extractive question answering. */
export const AutoModelForQuestionAnswering: AutoModelClass<QuestionAnswerer> = autoModelFor("QUESTION_ANS");
/** Image classification. */
export const AutoModelForImageClassification: AutoModelClass<ImageClassifier> = autoModelFor("IMAGE_CLS");
/** Bare encoders: hidden rows and pooled vectors. */
export const AutoModel: AutoModelClass<FeatureExtractor> = autoModelFor("FEATURE_EXTRACTION");
