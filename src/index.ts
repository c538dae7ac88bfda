/**
 * Lorikeet: parameter-efficient fine-tuning that runs wherever JavaScript runs. Names are those of transformers and PEFT, in
 * camelCase. Importing this module runs nothing.
 */

export { openHub } from "#host";
export type { LoraSize, WeightedOptions } from "./adapt/derive/derive.ts";
export type { MethodConfig } from "./adapt/method/define-method.ts";
export { getPeftModel, PeftModel } from "./adapt/peft-model.ts";
export {
  AutoModel,
  type AutoModelClass,
  AutoModelForCausalLM,
  AutoModelForImageClassification,
  AutoModelForQuestionAnswering,
  AutoModelForSeq2SeqLM,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  autoModelFor,
} from "./auto/auto-classes.ts";
export type { FromConfigOptions, FromPretrainedOptions } from "./auto/auto-model.ts";
export type { SourceLike, TargetLike } from "./checkpoint/open.ts";
export { FormatError, ShapeError, StateError, UnsupportedError } from "./core/errors.ts";
export type { HubOptions, RunFolder, Source, Target } from "./core/host.ts";
export { type Task, tasks as taskTypes } from "./core/task.ts";
export { type Example, encodeRows } from "./data/examples.ts";
export type { Row } from "./data/known-tasks.ts";
export {
  type Dataset,
  type ExampleLimits,
  type LoadDatasetOptions,
  loadDataset,
  parseRows,
  readRows,
} from "./data/load-dataset.ts";
export type { ReadRowsOptions } from "./data/read-files.ts";
export type { RowChoice } from "./data/read-row.ts";
export { type SplitRows, splitRows } from "./data/split-rows.ts";
export type { GenerateOptions } from "./generate/generate.ts";
export { generate } from "./generate/load-generate.ts";
export { adalora } from "./methods/adalora.ts";
export { adaptionPrompt } from "./methods/adaption_prompt.ts";
export { bitfit } from "./methods/bitfit.ts";
export { bottleneck } from "./methods/bottleneck.ts";
export { ia3 } from "./methods/ia3.ts";
export { lnTuning } from "./methods/ln_tuning.ts";
export { loha } from "./methods/loha.ts";
export { lokr } from "./methods/lokr.ts";
export { lora } from "./methods/lora.ts";
export { multitaskPromptTuning } from "./methods/multitask_prompt_tuning.ts";
export { oft } from "./methods/oft.ts";
export { pTuning } from "./methods/p_tuning.ts";
export { prefixTuning } from "./methods/prefix_tuning.ts";
export { promptTuning } from "./methods/prompt_tuning.ts";
export { trainableTokens } from "./methods/trainable_tokens.ts";
export { vera } from "./methods/vera.ts";
export type { Input } from "./nn/pass/inputs.ts";
export { pixelInput } from "./nn/pass/pixels.ts";
export { concatenate, concatenateLabelled, type Sequences, stripPadding } from "./nn/pass/sequences.ts";
export type { CausalLM } from "./nn/tasks/causal-lm.ts";
export type { ImageClassifier, SequenceClassifier } from "./nn/tasks/classifier.ts";
export type { FeatureExtractor, Pooling } from "./nn/tasks/feature-extractor.ts";
export type { Model } from "./nn/tasks/model.ts";
export type { QuestionAnswerer } from "./nn/tasks/question-answering.ts";
export type { Seq2SeqLM } from "./nn/tasks/seq2seq-lm.ts";
export type { TaskModel } from "./nn/tasks/task-model.ts";
export type { TokenClassifier } from "./nn/tasks/token-classifier.ts";
export { saveModel } from "./nn/tensors/save-model.ts";
export { Adafactor, type AdafactorOptions } from "./optim/adafactor.ts";
export { AdamW, type AdamWOptions } from "./optim/adamw.ts";
export { AdamW8bit, type AdamW8bitOptions } from "./optim/adamw8bit.ts";
export type { Optimizer, ParamGroup } from "./optim/define-optimizer.ts";
export { Lion, type LionOptions } from "./optim/lion.ts";
export { type LoraPlusOptions, loraPlusGroups } from "./optim/loraplus.ts";
export { SGD, type SGDOptions } from "./optim/sgd.ts";
export { Tape } from "./tape/tape.ts";
export { labelNamesOf } from "./tasks/kit/labels.ts";
export { AutoTokenizer } from "./text/auto-tokenizer.ts";
export type { Tokenizer } from "./text/tokenizer.ts";
export { type EvaluateOptions, type Evaluation, evaluateLoss } from "./train/evaluate.ts";
export { type MemoryPlan, planMemory } from "./train/memory-plan.ts";
export { Profiler, type ProfilerOptions } from "./train/profiler.ts";
export { type MemoryRun, memoryRun } from "./train/run-in-memory.ts";
export { fullTraining, type Trainable } from "./train/trainable.ts";
export {
  type ProgressReport,
  Trainer,
  type TrainerOptions,
  type TrainingArguments,
  type TrainResult,
} from "./train/trainer.ts";
export { createEngine, type Engine, type EngineOptions } from "./wasm/engine.ts";
