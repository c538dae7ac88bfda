/** One line from a model to its answers, by the names of transformers. The code is loaded on first use. */
import type { PeftModel } from "../adapt/peft-model.ts";
import type { FromPretrainedOptions } from "../auto/auto-model.ts";
import type { SourceLike } from "../checkpoint/open.ts";
import type { Model } from "../nn/tasks/model.ts";
import type { PretrainedTokenizer } from "../text/auto-tokenizer.ts";
import type { Message } from "../text/chat.ts";
import type {
  Classification,
  ClassificationOptions,
  Entity,
  FeatureExtractionOptions,
  FeatureTensor,
  GeneratedChat,
  GeneratedText,
  ImageInput,
  Question,
  QuestionAnsweringOptions,
  SpanAnswer,
  Text2TextGenerationOptions,
  TextClassificationOptions,
  TextGenerationOptions,
  TextPair,
  TokenClassificationOptions,
} from "./results.ts";

/** What a pipeline is made of. */
export interface PipelineOptions
  extends Pick<FromPretrainedOptions, "engine" | "weights" | "onProgress" | "signal" | "onWarning"> {
  /** The model: its folder, hub name or files, or a model that is loaded already. May be left out with an adapter that names its base. */
  readonly model?: SourceLike | Model | PeftModel;
  /** The folder of an adapter, which brings its head and its labels. */
  readonly adapter?: SourceLike;
  /** The tokenizer, where it is not that of the adapter or the model. */
  readonly tokenizer?: SourceLike | PretrainedTokenizer;
}

/** What every pipeline has besides its call. */
export interface PipelineParts {
  readonly task: string;
  readonly model: Model | PeftModel;
  /** Null for images. */
  readonly tokenizer: PretrainedTokenizer | null;
  /** Frees the model, unless it was given loaded. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** Classes of texts. */
export interface TextClassificationPipeline extends PipelineParts {
  (text: string | TextPair, options?: TextClassificationOptions): Promise<Classification[]>;
  (
    texts: readonly (string | TextPair)[],
    options: TextClassificationOptions & { readonly topK: number | null },
  ): Promise<Classification[][]>;
  (texts: readonly (string | TextPair)[], options?: TextClassificationOptions): Promise<Classification[]>;
}

/** Labels of tokens, or entities. */
export interface TokenClassificationPipeline extends PipelineParts {
  (text: string, options?: TokenClassificationOptions): Promise<Entity[]>;
  (texts: readonly string[], options?: TokenClassificationOptions): Promise<Entity[][]>;
}

/** Answers that are parts of a context. */
export interface QuestionAnsweringPipeline extends PipelineParts {
  (
    question: Question,
    options: QuestionAnsweringOptions & { readonly topK: number },
  ): Promise<SpanAnswer | SpanAnswer[]>;
  (question: Question, options?: QuestionAnsweringOptions): Promise<SpanAnswer>;
  (questions: readonly Question[], options?: QuestionAnsweringOptions): Promise<(SpanAnswer | SpanAnswer[])[]>;
  (question: string, context: string, options?: QuestionAnsweringOptions): Promise<SpanAnswer>;
}

/** Vectors of texts. */
export interface FeatureExtractionPipeline extends PipelineParts {
  (texts: string | readonly string[], options?: FeatureExtractionOptions): Promise<FeatureTensor>;
}

/** What follows a text or a chat. */
export interface TextGenerationPipeline extends PipelineParts {
  (text: string, options?: TextGenerationOptions): Promise<GeneratedText[]>;
  (messages: readonly Message[], options?: TextGenerationOptions): Promise<GeneratedChat[]>;
  (texts: readonly string[], options?: TextGenerationOptions): Promise<GeneratedText[][]>;
  (chats: readonly (readonly Message[])[], options?: TextGenerationOptions): Promise<GeneratedChat[][]>;
}

/** What an encoder-decoder writes for a text. */
export interface Text2TextGenerationPipeline extends PipelineParts {
  (texts: string | readonly string[], options?: Text2TextGenerationOptions): Promise<GeneratedText[]>;
}

/** Classes of images. */
export interface ImageClassificationPipeline extends PipelineParts {
  (image: ImageInput, options?: ClassificationOptions): Promise<Classification[]>;
  (images: readonly ImageInput[], options?: ClassificationOptions): Promise<Classification[][]>;
}

/** The pipelines by their names. */
export interface Pipelines {
  "text-classification": TextClassificationPipeline;
  "sentiment-analysis": TextClassificationPipeline;
  "token-classification": TokenClassificationPipeline;
  ner: TokenClassificationPipeline;
  "question-answering": QuestionAnsweringPipeline;
  "feature-extraction": FeatureExtractionPipeline;
  "text-generation": TextGenerationPipeline;
  "text2text-generation": Text2TextGenerationPipeline;
  "image-classification": ImageClassificationPipeline;
}

/**
 * A model, its tokenizer and its adapter as one function, by the names that transformers and transformers.js have for it; results have
 * their shapes and their numbers. Options may be spelled in camelCase or as in Python. Places in texts count as JavaScript does. Throws
 * FormatError for an unknown task or option.
 *
 * @example
 * const classify = await pipeline("text-classification", { model: "models/base", adapter: "runs/mails/adapter" });
 * const [best] = await classify("You have won a prize!"); // { label, score }
 */
export async function pipeline<T extends keyof Pipelines>(task: T, options: PipelineOptions): Promise<Pipelines[T]> {
  const { makePipeline } = await import("./make-pipeline.ts");
  return makePipeline(task, options);
}
