/** What data sets are, and what decides how they are made. */
import type { ImageConfig } from "../image/preprocess.ts";
import type { EncodeRowsOptions, Example } from "./examples.ts";
import type { ReadRowsOptions } from "./read-files.ts";

/** What a trainer takes: examples in the order of the file. */
export type Dataset = readonly Example[];

/** How rows become examples. */
export interface LoadDatasetOptions
  extends Omit<EncodeRowsOptions, "tokenizer" | "vocabSize" | "contextLength" | "inputKinds">,
    Pick<ReadRowsOptions, "columns" | "hub" | "maxPixels" | "maxUnpackedBytes"> {
  /** What is done to files that rows name: the model's preprocessor_config.json, for images read by `readImageConfig`. */
  readonly imageConfig?: ImageConfig | null;
}

/** What examples must fit: a model, for instance, with its task and its labels. */
export interface ExampleLimits extends Pick<EncodeRowsOptions, "inputKinds" | "task" | "labelNames" | "problemType"> {
  readonly vocabSize: number;
  readonly contextLength: number | null;
}
