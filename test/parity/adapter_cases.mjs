/**
 * What is trained here and then loaded by PEFT or AdapterHub: [method, what is special, base models, options]. Base models are
 * folders of `models` or `tasks` of the goldens, or a pattern that such names fit; options may depend on the batch.
 */

const size = { r: 4, loraAlpha: 10 };
const oneOfEach = ["llama", "gpt2", "bert-seq-cls", "t5-seq-2-seq-lm"];
const decoders = ["llama", "mistral", "qwen2", "gpt2"];
const encoders = ["bert-seq-cls", "bert-token-cls", "roberta-seq-cls"];
const encoderDecoders = ["t5-seq-2-seq-lm", "mt5-seq-2-seq-lm"];
const everyArchitecture = ["llama", "gpt2", ...encoders, "distilbert-question-ans", ...encoderDecoders];

const lora = [
  ["plain", ["llama", "mistral", "qwen2", "qwen3", "gpt2"], {}],
  ["dora", ["llama", "mistral", "qwen2", "qwen3", "gpt2"], { useDora: true }],
  ["rslora", ["mistral", "qwen2"], { useRslora: true, loraAlpha: 3 }],
  [
    "all-linear",
    ["llama", "qwen2", "qwen3", "gpt2", ...encoderDecoders, "bert-seq-cls"],
    { targetModules: "all-linear" },
  ],
  ["bias-all", ["llama-bias", "qwen2", "gpt2"], { bias: "all" }],
  ["bias-lora-only", ["llama-bias", "gpt2"], { bias: "lora_only" }],
  ["save-head", ["llama", "mistral"], { modulesToSave: ["lm_head"] }],
  ["save-norm", ["llama-tied", "qwen2", "qwen3"], { modulesToSave: ["norm"] }],
  ["save-norm", ["gpt2"], { modulesToSave: ["ln_f"] }],
  ["embedding", ["llama", "mistral"], { targetModules: ["embed_tokens", "v_proj"] }],
  ["embedding-dora", ["llama"], { targetModules: ["embed_tokens", "v_proj"], useDora: true }],
  ["embedding", ["gpt2"], { targetModules: ["wte", "c_attn"] }],
  ["head", ["llama", "mistral"], { targetModules: ["lm_head", "q_proj"] }],
  [
    "patterns",
    ["llama", "qwen3"],
    {
      targetModules: ["q_proj", "v_proj", "down_proj"],
      rankPattern: { down_proj: 2, "layers.0.self_attn.q_proj": 6 },
      alphaPattern: { "^model.layers.1.self_attn.v_proj": 5 },
      excludeModules: ["layers.0.mlp.down_proj"],
    },
  ],
  ["regex", ["qwen2"], { targetModules: String.raw`model\.layers\.1\..*\.(q_proj|up_proj)` }],
  ["layers", ["gpt2"], { targetModules: ["c_fc", "c_proj"], layersToTransform: [1], layersPattern: "h" }],
  ["gaussian", ["llama"], { initLoraWeights: "gaussian" }],
  ["olora", ["mistral"], { initLoraWeights: "olora" }],
  ["plain", /^(?!vit|distilbert).*-(seq-cls|token-cls|question-ans|seq-2-seq-lm|feature-extraction|causal-lm)$/, {}],
  [
    "plain",
    /^distilbert.*-(seq-cls|token-cls|question-ans|feature-extraction)$/,
    { targetModules: ["q_lin", "v_lin"] },
  ],
  ["plain", /^vit/, { targetModules: ["query", "value"] }],
].map(([kind, models, options]) => ["lora", kind, models, { ...size, ...options }]);

const adaloraSchedule = { initR: 4, targetR: 2, loraAlpha: 6, totalStep: 4, tinit: 1, tfinal: 1, deltaT: 1 };
const lstm = { encoderReparameterizationType: "LSTM", encoderHiddenSize: 5 };
const queries = ".*\\.(q_proj|q|query|q_lin)"; // as the architecture calls them

const others = [
  ["adalora", "plain", ["llama", "gpt2", "bert-seq-cls", "mt5-seq-2-seq-lm"], adaloraSchedule],
  ["adaption_prompt", "plain", ["llama", "mistral", "gpt2"], { adapterLen: 3, adapterLayers: 2 }],
  ["bitfit", "plain", ["llama-bias", "gpt2", "bert-seq-cls"], {}],
  ["ia3", "plain", everyArchitecture.filter((name) => !name.startsWith("distilbert")), {}],
  ["ln_tuning", "plain", ["llama", "gpt2", ...encoderDecoders], {}],
  ["ln_tuning", "plain", encoders, { targetModules: ["LayerNorm"] }],
  ["loha", "plain", everyArchitecture.filter((name) => name !== "gpt2"), { r: 3, alpha: 7, targetModules: queries }],
  ["lokr", "plain", everyArchitecture.filter((name) => name !== "gpt2"), { r: 2, alpha: 5, targetModules: queries }],
  ["lokr", "both", ["llama"], { r: 1, alpha: 2, decomposeBoth: true, decomposeFactor: 8, targetModules: ["q_proj"] }],
  [
    "multitask_prompt_tuning",
    "plain",
    ["llama", "gpt2", "t5-seq-2-seq-lm"],
    { numVirtualTokens: 3, numTasks: 3, numRanks: 2 },
  ],
  ["oft", "plain", everyArchitecture.filter((name) => name !== "gpt2"), { oftBlockSize: 4, targetModules: queries }],
  ["oft", "exact", ["llama"], { oftBlockSize: 8, useCayleyNeumann: false, targetModules: ["q_proj", "down_proj"] }],
  ["oft", "shared", ["llama"], { oftBlockSize: 4, blockShare: true, targetModules: ["q_proj", "v_proj"] }],
  ["p_tuning", "mlp", [...decoders, "bert-seq-cls", "t5-seq-2-seq-lm"], { numVirtualTokens: 3, encoderHiddenSize: 6 }],
  ["p_tuning", "lstm", ["gpt2", "mt5-seq-2-seq-lm"], { numVirtualTokens: 3, ...lstm }],
  // PEFT itself fails on RoBERTa with a prefix.
  [
    "prefix_tuning",
    "plain",
    [...decoders, "bert-seq-cls", "bert-token-cls", "t5-seq-2-seq-lm"],
    { numVirtualTokens: 3 },
  ],
  [
    "prefix_tuning",
    "projected",
    ["llama", "t5-seq-2-seq-lm"],
    { numVirtualTokens: 3, prefixProjection: true, encoderHiddenSize: 6 },
  ],
  ["prompt_tuning", "plain", [...decoders, ...encoders, ...encoderDecoders], { numVirtualTokens: 3 }],
  ["trainable_tokens", "plain", ["llama", "llama-tied", "gpt2", "bert-seq-cls"], tokensOf],
  ["vera", "plain", ["llama", "gpt2"], { r: 6 }],
  ["vera", "plain", ["bert-seq-cls"], { r: 4, targetModules: ["query", "value"] }],
  ["vera", "regenerated", ["llama"], { r: 6, saveProjection: false, projectionPrngKey: 5 }],
];

// Small factors, for the models are narrow.
const bottlenecks = [
  ["pfeiffer", oneOfEach, {}],
  ["houlsby", oneOfEach, { form: "houlsby" }],
  ["parallel", oneOfEach, { form: "parallel" }],
  ["scaled-parallel", oneOfEach, { form: "scaled-parallel" }],
  ["norms-and-gate", ["bert-seq-cls"], { lnAfter: true, useGating: true, scaling: "channel" }],
  ["left-out", ["gpt2"], { form: "houlsby", leaveOut: [0], nonLinearity: "gelu" }],
  ["fused", ["gpt2", "bert-seq-cls"], {}],
].map(([kind, models, options]) => ["bottleneck", kind, models, { reductionFactor: 4, ...options }]);

/** Two tokens of the batch and one that may not be in it. */
function tokensOf({ sequences }) {
  return { tokenIndices: [...new Set([sequences[0].at(-2), sequences[2].at(-1), 40])] };
}

export const cases = [...lora, ...others, ...bottlenecks];

/**
 * The same on the committed base models. PiSSA takes singular vectors apart by the size of their values; where two that a new
 * seed draws happen to lie close, rounding decides, in torch as here.
 */
export const casesOnFixedModels = [["lora", "pissa", ["llama", "gpt2"], { ...size, initLoraWeights: "pissa" }]];
