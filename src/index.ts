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
export { AutoConfig } from "./auto/auto-config.ts";
export type { FromConfigOptions, FromPretrainedOptions } from "./auto/auto-model.ts";
export {
  AutoPeftModel,
  type AutoPeftModelClass,
  AutoPeftModelForCausalLM,
  AutoPeftModelForFeatureExtraction,
  AutoPeftModelForImageClassification,
  AutoPeftModelForQuestionAnswering,
  AutoPeftModelForSeq2SeqLM,
  AutoPeftModelForSequenceClassification,
  AutoPeftModelForTokenClassification,
  type AutoPeftOptions,
} from "./auto/auto-peft-classes.ts";
export type { SourceLike, TargetLike } from "./checkpoint/open.ts";
export { FormatError, ShapeError, StateError, UnsupportedError } from "./core/errors.ts";
export type { HubOptions, RunFolder, Source, Target } from "./core/host.ts";
export { type Task, tasks as taskTypes } from "./core/task.ts";
export type { Example } from "./data/examples.ts";
export type { Row } from "./data/known-tasks.ts";
export {
  type Dataset,
  type EncodeRowsOptions,
  type ExampleLimits,
  encodeRows,
  type LoadDatasetOptions,
  loadDataset,
  parseRows,
  readRows,
  rowsFrom,
} from "./data/load-dataset.ts";
export type { ReadRowsOptions } from "./data/read-files.ts";
export type { RowChoice } from "./data/read-row.ts";
export { type SplitRows, splitRows } from "./data/split-rows.ts";
export type {
  GenerateOptions,
  GenerateOutput,
  GenerationModel,
  ScoredOptions,
  TokenIds,
} from "./generate/generate-options.ts";
export type {
  GenerativeCausalLM as CausalLM,
  GenerativeSeq2SeqLM as Seq2SeqLM,
} from "./generate/generative-models.ts";
export type { JsonSchema } from "./generate/json/json-schema.ts";
export { type GenerateMethod, generate, stream } from "./generate/load-generate.ts";
export { PrefixCache } from "./generate/prefix-cache.ts";
export type { LogitsProcessor } from "./generate/processors/logits-processor.ts";
export type { StreamTokenizer } from "./generate/stream-text.ts";
export * from "./methods/exports.generated.ts";
export type { RawConfig } from "./nn/config.ts";
export type { Input } from "./nn/pass/inputs.ts";
export { pixelInput } from "./nn/pass/pixels.ts";
export { concatenate, concatenateLabelled, type Sequences, stripPadding } from "./nn/pass/sequences.ts";
export type { ImageClassifier, SequenceClassifier } from "./nn/tasks/classifier.ts";
export type { FeatureExtractor, Pooling } from "./nn/tasks/feature-extractor.ts";
export type { Model, SaveModelOptions } from "./nn/tasks/model.ts";
export type { QuestionAnswerer } from "./nn/tasks/question-answering.ts";
export type { SuggestedRate } from "./nn/tasks/suggested-rate.ts";
export type { TaskModel } from "./nn/tasks/task-model.ts";
export type { TokenClassifier } from "./nn/tasks/token-classifier.ts";
export { type ResizeOptions, resizeTokenEmbeddings } from "./nn/tensors/resize-token-embeddings.ts";
export { saveModel } from "./nn/tensors/save-model.ts";
export { Adafactor, type AdafactorOptions } from "./optim/adafactor.ts";
export { AdamW, type AdamWOptions } from "./optim/adamw.ts";
export { AdamW8bit, type AdamW8bitOptions } from "./optim/adamw8bit.ts";
export { clipGradNorm } from "./optim/clip.ts";
export type { Optimizer, ParamGroup } from "./optim/define-optimizer.ts";
export { Lion, type LionOptions } from "./optim/lion.ts";
export { type LoraPlusOptions, loraPlusGroups } from "./optim/loraplus.ts";
export { type Schedule, type ScheduleLength, type SchedulerType, schedule } from "./optim/schedules.ts";
export { SGD, type SGDOptions } from "./optim/sgd.ts";
export {
  type FeatureExtractionPipeline,
  type ImageClassificationPipeline,
  type PipelineOptions,
  type PipelineParts,
  type Pipelines,
  pipeline,
  type QuestionAnsweringPipeline,
  type Text2TextGenerationPipeline,
  type TextClassificationPipeline,
  type TextGenerationPipeline,
  type TokenClassificationPipeline,
} from "./pipelines/pipeline.ts";
export type * from "./pipelines/results.ts";
export { Tape, type TapeOptions, type Tensor, type Value } from "./tape/tape.ts";
export { labelNamesOf } from "./tasks/kit/labels.ts";
export { AutoTokenizer, type PretrainedTokenizer } from "./text/auto-tokenizer.ts";
export type { BatchEncoding, TokenizerCall, TokenizerCallOptions } from "./text/call-tokenizer.ts";
export type { Tokenizer } from "./text/tokenizer.ts";
export type { Finding, FinishedRun } from "./train/advice/diagnosis.ts";
export { chooseArguments } from "./train/advice/load-chosen-settings.ts";
export { diagnoseRun } from "./train/advice/load-diagnosis.ts";
export type { TrainingArguments } from "./train/arguments.ts";
export type { TrainingExample } from "./train/check-examples.ts";
export type { ComputeMetrics, EvalPrediction, PreprocessLogits } from "./train/evaluation/eval-prediction.ts";
export { type EvaluateOptions, type Evaluation, evaluateLoss } from "./train/evaluation/evaluate.ts";
export type { CallbackContext, TrainerCallback, TrainerControl, TrainerState } from "./train/loop/callbacks.ts";
export { type MemoryPlan, planMemory } from "./train/memory-plan.ts";
export type { Batch, CollatorContext, ComputeLoss, CountedLosses, DataCollator } from "./train/objective.ts";
export { Profiler, type ProfilerOptions } from "./train/profiler.ts";
export { type MemoryRun, memoryRun } from "./train/run/run-in-memory.ts";
export type { ProgressReport, TrainResult } from "./train/train-result.ts";
export { fullTraining, type Trainable } from "./train/trainable.ts";
export { type PredictionOutput, Trainer } from "./train/trainer.ts";
export type { ExampleSource, TrainerOptions } from "./train/trainer-options.ts";
export type * from "./types.ts";
export { createEngine, type Engine, type EngineOptions } from "./wasm/engine.ts";
