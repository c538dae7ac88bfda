/** The optimisers by name. */
import { Adafactor } from "./adafactor.ts";
import { AdamW } from "./adamw.ts";
import { AdamW8bit } from "./adamw8bit.ts";
import { Lion } from "./lion.ts";
import { SGD } from "./sgd.ts";

export const optimizers = { adamw: AdamW, adamw8bit: AdamW8bit, adafactor: Adafactor, lion: Lion, sgd: SGD };

/** The names that `optimizers` has. */
export type OptimizerName = keyof typeof optimizers;
export const optimizerNames = Object.keys(optimizers) as readonly OptimizerName[];

/** What transformers' TrainingArguments call them, where that is something else. */
const published = {
  adamw_torch: "adamw",
  adamw_torch_fused: "adamw",
  adamw_8bit: "adamw8bit",
  adamw_bnb_8bit: "adamw8bit",
  lion_32bit: "lion",
} as const satisfies Readonly<Record<string, OptimizerName>>;

/** A name of transformers'. */
export type PublishedOptimizerName = keyof typeof published;

/** An optimiser's own name from its own or transformers', or null. */
export function optimizerNamed(name: unknown): OptimizerName | null {
  if (typeof name !== "string") return null;
  if (Object.hasOwn(optimizers, name)) return name as OptimizerName;
  return Object.hasOwn(published, name) ? published[name as PublishedOptimizerName] : null;
}
