/** The optimizers by name. */
import { Adafactor } from "./adafactor.ts";
import { AdamW } from "./adamw.ts";
import { AdamW8bit } from "./adamw8bit.ts";
import { Lion } from "./lion.ts";
import { SGD } from "./sgd.ts";

export const optimizers = { adamw: AdamW, adamw8bit: AdamW8bit, adafactor: Adafactor, lion: Lion, sgd: SGD };

/** The keys of `optimizers`. */
export type OptimizerName = keyof typeof optimizers;
export const optimizerNames = Object.keys(optimizers) as readonly OptimizerName[];

/** Alternative names in transformers' TrainingArguments. */
export const publishedOptimizers = {
  adamw_torch: "adamw",
  adamw_torch_fused: "adamw",
  adamw_8bit: "adamw8bit",
  adamw_bnb_8bit: "adamw8bit",
  lion_32bit: "lion",
} as const satisfies Readonly<Record<string, OptimizerName>>;

/** An optimizer name from transformers. */
export type PublishedOptimizerName = keyof typeof publishedOptimizers;
