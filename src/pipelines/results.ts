/** What pipelines are given and give, with the names that transformers and transformers.js have for it. */
import type { GenerateOptions } from "../generate/generate-options.ts";
import type { Message } from "../text/chat.ts";

/** A class with its probability, or its score where the outputs are none. */
export interface Classification {
  readonly label: string;
  readonly score: number;
}

/** A text with the second one that belongs to it. */
export interface TextPair {
  readonly text: string;
  readonly textPair?: string;
}

/** How a text is cut before it is read. */
export interface CutOptions {
  readonly truncation?: boolean;
  readonly maxLength?: number | null;
}

/** How classes are scored, and how many are given. */
export interface ClassificationOptions {
  /** The best so many classes; null gives all. */
  readonly topK?: number | null;
  /** What makes scores of the outputs, instead of what the model's problem type says. */
  readonly functionToApply?: "sigmoid" | "softmax" | "none" | null;
}

/** How texts are classified. */
export interface TextClassificationOptions extends ClassificationOptions, CutOptions {}

/** How tokens that belong together become one entity. */
export type AggregationStrategy = "none" | "simple" | "first" | "average" | "max";

/** How tokens become entities. */
export interface TokenClassificationOptions {
  readonly aggregationStrategy?: AggregationStrategy;
  /** Labels that are left out: "O" by default. */
  readonly ignoreLabels?: readonly string[];
}

/** A token, or with an aggregation strategy a group of them, and its label. */
export interface Entity {
  /** The label of a token. */
  readonly entity?: string;
  /** The label of a group, without its B- or I-. */
  readonly entity_group?: string;
  readonly score: number;
  /** The place of a token among all, special ones included. */
  readonly index?: number;
  readonly word: string;
  /** Where it stands in the text: `text.slice(start, end)`. */
  readonly start: number;
  readonly end: number;
}

/** A question and the text that answers it. */
export interface Question {
  readonly question: string;
  readonly context: string;
}

/** How answers are looked for. */
export interface QuestionAnsweringOptions {
  /** The best so many answers. */
  readonly topK?: number;
  /** Whether "" may be the answer. */
  readonly handleImpossibleAnswer?: boolean;
  /** The most tokens of an answer. */
  readonly maxAnswerLen?: number;
  /** The most tokens of question and context together; a longer context is read in pieces. */
  readonly maxSeqLen?: number | null;
  /** Tokens that two pieces share. */
  readonly docStride?: number | null;
  /** Whether answers begin and end with whole words. */
  readonly alignToWords?: boolean;
}

/** A part of a context: `context.slice(start, end)`. */
export interface SpanAnswer {
  readonly answer: string;
  readonly score: number;
  readonly start: number;
  readonly end: number;
}

/** How a text becomes vectors. */
export interface FeatureExtractionOptions extends CutOptions {
  /** One vector per text: the mean of its rows, or the first one; a row per token by default. */
  readonly pooling?: "none" | "mean" | "cls";
  /** Give vectors the length 1. */
  readonly normalize?: boolean;
}

/** Numbers with their shape, row by row. */
export interface FeatureTensor {
  /** [texts, tokens, D] without pooling, where shorter texts end in rows of zeros, or [texts, D]. */
  readonly dims: readonly number[];
  readonly data: Float32Array;
  /** The same as nested lists. */
  tolist(): unknown[];
}

/** What to continue, and how. Everything that `generate` takes is an option. */
export interface TextGenerationOptions extends Omit<GenerateOptions, "tokenizer"> {
  /** Begin the result with the prompt; on by default. */
  readonly returnFullText?: boolean;
  /** Put what the tokenizer puts around a text in front of a prompt; on by default. */
  readonly addSpecialTokens?: boolean;
  /** Go on with the last message; by default where the assistant has it. */
  readonly continueFinalMessage?: boolean | null;
  /** JSON schemas of functions that the assistant may call. */
  readonly tools?: readonly unknown[] | null;
}

/** A text that a model wrote, with its prompt unless that is left out. */
export interface GeneratedText {
  readonly generated_text: string;
}

/** A chat that a model continued. */
export interface GeneratedChat {
  /** The messages with the assistant's at the end; only the new text without `returnFullText`. */
  readonly generated_text: readonly Message[] | string;
}

/** How a text is written: everything that `generate` takes. */
export type Text2TextGenerationOptions = Omit<GenerateOptions, "tokenizer">;

/** A PNG or JPEG image: its bytes, or its path or URL. */
export type ImageInput = string | URL | Uint8Array | ArrayBuffer | Blob;
