/**
 * Lorikeet: parameter-efficient fine-tuning that runs wherever JavaScript runs. Names are those of transformers and PEFT, in
 * camelCase. Importing this module runs nothing.
 */

export { openHub, openRun } from "#host";
export { getPeftModel, PeftModel } from "./adapt/peft-model.ts";
export type { FromConfigOptions, FromPretrainedOptions } from "./auto/auto-model.ts";
export { AutoModelForCausalLM } from "./auto/auto-model.ts";
export { openSource, openTarget, type SourceLike, type TargetLike } from "./checkpoint/open.ts";
export { FormatError, ShapeError, StateError, UnsupportedError } from "./core/errors.ts";
export type { HubOptions, RunFolder, Source, Target } from "./core/host.ts";
export { type Example, encodeRows } from "./data/examples.ts";
export { type ExampleLimits, type LoadExamplesOptions, loadExamples } from "./data/load-examples.ts";
export { parseRows, type Row } from "./data/rows.ts";
export { type GenerateOptions, generate } from "./generate/generate.ts";
export { lora } from "./methods/lora.ts";
export type { CausalLM } from "./nn/causal-lm.ts";
export { saveModel } from "./nn/save-model.ts";
export { concatenate, type Sequences, stripPadding } from "./nn/sequences.ts";
export { AdamW, type AdamWOptions } from "./optim/adamw.ts";
export { AutoTokenizer, type Tokenizer } from "./text/tokenizer.ts";
export { type EvaluateOptions, type Evaluation, evaluateLoss } from "./train/evaluate.ts";
export { type MemoryRun, memoryRun } from "./train/memory-run.ts";
export { fullTraining, type Trainable } from "./train/trainable.ts";
export {
  type ProgressReport,
  Trainer,
  type TrainerOptions,
  type TrainingArguments,
  type TrainResult,
} from "./train/trainer.ts";
export { createEngine, type Engine, type EngineOptions } from "./wasm/engine.ts";
