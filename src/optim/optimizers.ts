/** The optimizers by name. */
import { Adafactor } from "./adafactor.ts";
import { AdamW } from "./adamw.ts";
import { AdamW8bit } from "./adamw8bit.ts";
import { Lion } from "./lion.ts";
import { SGD } from "./sgd.ts";

export const optimizers = { adamw: AdamW, adamw8bit: AdamW8bit, adafactor: Adafactor, lion: Lion, sgd: SGD };

/** The names that `optimizers` has. */
export type OptimizerName = keyof typeof optimizers;
export const optimizerNames = Object.keys(optimizers) as readonly OptimizerName[];

/** Names that transformers' TrainingArguments have for them instead. */
export const publishedOptimizers = {
  adamw_torch: "adamw",
  adamw_torch_fused: "adamw",
  adamw_8bit: "adamw8bit",
  adamw_bnb_8bit: "adamw8bit",
  lion_32bit: "lion",
} as const satisfies Readonly<Record<string, OptimizerName>>;

/** A name that transformers has for an optimizer. */
export type PublishedOptimizerName = keyof typeof publishedOptimizers;
