/**
 * Types that public signatures name, so that all of them can be imported. Written by scripts/public-types.mjs; a house test says when it
 * has to run again.
 */
export type { Warn } from "./adapt/adapter.ts";
export type { CompositionNode } from "./adapt/compose/composition.ts";
export type { FusionOptions } from "./adapt/compose/fusion.ts";
export type { Combination } from "./adapt/derive/combine.ts";
export type { Rule } from "./adapt/derive/pruned-sum.ts";
export type { LoadAdapterOptions, LoadFusionOptions } from "./adapt/files/load-options.ts";
export type { Reduction, Scaling } from "./adapt/method/bottleneck-part.ts";
export type {
  CommonValues,
  EmbeddingPart,
  Foldable,
  FromFile,
  Lifecycle,
  LinearPart,
  Method,
  MethodAbout,
  MethodDefinition,
  MethodValues,
  ModelShape,
  ResidualPart,
  Rows,
  SiteParts,
} from "./adapt/method/define-method.ts";
export type { Factored, Factors } from "./adapt/method/factors.ts";
export type { Make, MakeAt, Start } from "./adapt/method/tensor-maker.ts";
export type { TokensByEmbedding } from "./adapt/method/token-rows.ts";
export type { AdapterOptions, GetPeftModelOptions, MergeOptions, RoutedOptions } from "./adapt/peft-model.ts";
export type { Spelling } from "./adapt/trainable-line.ts";
export type { ModelFor, OpenEngine } from "./auto/auto-model.ts";
export type { FileBytes } from "./checkpoint/source.ts";
export type { RepoType } from "./core/host.ts";
export type { ProblemType } from "./core/labels.ts";
export type { Kind, Option, OptionDetails, Options, Spell, ValuesOf } from "./core/options.ts";
export type { Json } from "./core/python-json.ts";
export type { Shape } from "./core/shape.ts";
export type { WholeNumbers } from "./core/whole-numbers.ts";
export type { RunPass } from "./generate/decoding.ts";
export type { AdaptedModel, PinnedPass } from "./generate/generate-options.ts";
export type { TokenBytes } from "./generate/json/token-mask.ts";
export type { LogProbKind } from "./generate/search/search.ts";
export type { Decodes } from "./generate/stop-strings.ts";
export type { LoadImageOptions } from "./image/load-image.ts";
export type { ImageSize } from "./image/preprocess.ts";
export type { TemplateLimits } from "./jinja/values/limits.ts";
export type { Build } from "./kernels/builds.ts";
export type { ConfigReader } from "./nn/config.ts";
export type { ConfigKeys } from "./nn/config-keys.ts";
export type {
  Bodies,
  Body,
  Decoder,
  DefaultTargets,
  Encoder,
  EncoderDecoder,
  HeadDefinition,
  Headed,
  ModelDefinition,
} from "./nn/define-model.ts";
export type { Attention, AttentionDelta, AttentionParts } from "./nn/layers/attention.ts";
export type { Embedding, EmbeddingDelta } from "./nn/layers/embedding.ts";
export type { Linear, LinearDelta, LinearForward } from "./nn/layers/linear.ts";
export type { LayerNorm, RmsNorm } from "./nn/layers/norm.ts";
export type { Parameter } from "./nn/layers/parameter.ts";
export type { PatchConvolution } from "./nn/layers/patch-convolution.ts";
export type { Residual, ResidualDelta, ResidualParts, SubLayer } from "./nn/layers/residual.ts";
export type { RotaryFrequencies } from "./nn/layers/rotary-frequencies.ts";
export type { Init, LinearShape, Module, Near, Role, Site, Tensors, Weights } from "./nn/layers/weights.ts";
export type { CrossAttention, CrossCache } from "./nn/pass/cross-attention.ts";
export type { BatchInput, InputKind } from "./nn/pass/inputs.ts";
export type { KvCache, KvCacheShape } from "./nn/pass/kv-cache.ts";
export type { Block, Boundary, GivenRows, Pass, PassLimits, PassOptions, PassRows } from "./nn/pass/pass.ts";
export type { Labelled, LabelledSequences, SequenceRows } from "./nn/pass/sequences.ts";
export type { KeyValueRows, Stack, VirtualRows, VirtualTokens } from "./nn/pass/virtual-tokens.ts";
export type { CausalLM as BareCausalLM } from "./nn/tasks/causal-lm.ts";
export type { Backbone } from "./nn/tasks/decoder-heads.ts";
export type { EncoderDecoderConfig, EncoderDecoderHeads } from "./nn/tasks/encoder-decoder-heads.ts";
export type { EncoderHeadConfig, OfFirstRows } from "./nn/tasks/encoder-heads.ts";
export type { LabellingModel } from "./nn/tasks/labelling-model.ts";
export type { ActingOnModel, ModelParts } from "./nn/tasks/model.ts";
export type { ModelUse, ModelUses } from "./nn/tasks/model-uses.ts";
export type { Seq2SeqLM as BareSeq2SeqLM } from "./nn/tasks/seq2seq-lm.ts";
export type { Measured, ModelAround } from "./nn/tasks/task-model.ts";
export type { TaskTraits } from "./nn/tasks/task-traits.ts";
export type { LoadOptions } from "./nn/tensors/checkpoint-tensors.ts";
export type { RandomOptions } from "./nn/tensors/fresh-tensors.ts";
export type { KeptWeights } from "./nn/tensors/kept-dtype.ts";
export type { AttentionShape, Heads, KeptHeads } from "./ops/attention/attention.ts";
export type { RelativeBias } from "./ops/attention/relative-bias.ts";
export type { PatchGrid } from "./ops/layout/patches.ts";
export type { WeightRows } from "./ops/linear/fold.ts";
export type { LowRank, Stored } from "./ops/linear/linear.ts";
export type { Activation } from "./ops/pointwise/activation.ts";
export type { OptimizerClass, OptimizerOptions, ParamState, StateTensor } from "./optim/define-optimizer.ts";
export type { OptimizerName, PublishedOptimizerName } from "./optim/optimizers.ts";
export type { NodePort, WebPort } from "./remote/port.ts";
export type { Copied, GivenAll, IsPlain, RemoteProperty } from "./remote/remote.ts";
export type { ActivationDtype, Again, Ids, PartOfBatch, Slot, WaitingRows } from "./tape/tape.ts";
export type {
  FileReading,
  JsonRow,
  Label,
  RowContent,
  RowFiles,
  RowKind,
  RowOf,
  RowPlace,
} from "./tasks/kit/define-row.ts";
export type { AnswerSource } from "./tasks/kit/example.ts";
export type { LabelledRow } from "./tasks/kit/labels.ts";
export type { Dense, DenseDtype, Frozen, FrozenDtype, Int8, LoadedTensor, Nf4, Weight } from "./tensor/tensor.ts";
export type { CallableObject } from "./text/callable.ts";
export type { RenderOptions } from "./text/chat.ts";
export type { ChatTemplates } from "./text/chat-template-files.ts";
export type { EncodeOptions, Encoding, Truncation } from "./text/frame.ts";
export type { Message, Span } from "./text/message.ts";
export type { Offsets } from "./text/offsets.ts";
export type { StreamDecoder, StreamDecoderOptions, TokenDecoder } from "./text/stream-decoder.ts";
export type { LabelledIds, TokenizerFiles, TokenizerJson, WordEncoding } from "./text/tokenizer.ts";
export type { Direction, TokenEncoding } from "./tokenizers/encoding.ts";
export type { TruncationRule } from "./tokenizers/truncation.ts";
export type { Settings, SomeOf } from "./train/arguments.ts";
export type { Numbers } from "./train/evaluation/eval-prediction.ts";
export type { Evaluable } from "./train/evaluation/evaluate.ts";
export type { FrozenCacheReport } from "./train/frozen-cache.ts";
export type { CallbackMoment } from "./train/loop/callbacks.ts";
export type { BestEvaluation, LogEntry } from "./train/run/progress.ts";
export type { Resume } from "./train/run/resume.ts";
export type { RunIdentity } from "./train/run/run-identity.ts";
export type { LossOf } from "./train/trainer.ts";
export type { Arena } from "./wasm/arena.ts";
export type { BuildChoice, EngineSizes } from "./wasm/engine.ts";
export type { Kernels } from "./wasm/generated/kernels.ts";
export type { Memory, Ptr, ViewClass } from "./wasm/memory.ts";
export type { KernelObserver, StepUnderWay } from "./wasm/observed-kernels.ts";
export type { Several } from "./wasm/several.ts";
