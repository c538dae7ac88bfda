/** Our engine's half of the exchange of adapters with PEFT, through the built package, as a user imports it. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSafetensors, writeSafetensors } from "../../dist/checkpoint/safetensors.js";
import {
  AutoModelForCausalLM,
  concatenate,
  getPeftModel,
  lora,
  openSource,
  openTarget,
  PeftModel,
  Trainer,
} from "../../dist/index.js";

const ABSOLUTE = 1e-4;
const RELATIVE = 2e-4;
const LOSS = 1e-4;
const TRAVEL = 0.02;

/** What is trained here and checked there: names of base models, and options of `lora` for each. */
const written = [
  ["plain", ["llama", "mistral", "qwen2", "qwen3", "gpt2"], {}],
  ["dora", ["llama", "mistral", "qwen2", "qwen3", "gpt2"], { useDora: true }],
  ["rslora", ["mistral", "qwen2"], { useRslora: true, loraAlpha: 3 }],
  ["all-linear", ["llama", "qwen2", "qwen3", "gpt2"], { targetModules: "all-linear" }],
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
];

/**
 * The same on the committed base models. PiSSA takes singular vectors apart by the size of their values; where two that a new
 * seed draws happen to lie close, rounding decides, in torch as here.
 */
const writtenOnFixed = [["pissa", ["llama", "gpt2"], { initLoraWeights: "pissa" }]];
const fixed = fileURLToPath(new URL("../golden", import.meta.url));

/** Four steps on the model's own batch, one on each row in turn. */
const shortTraining = { maxSteps: 4, perDeviceTrainBatchSize: 1, learningRate: 1e-2, weightDecay: 0.1, shuffle: false };

/**
 * Trains a fresh adapter of every kind and writes `out`/<case>/ as check_adapters.py reads it. `golden` is a folder that
 * make_goldens.py wrote. Returns the folders.
 */
export async function writeAdapters(golden, out) {
  const cases = [...written.map((each) => [golden, ...each]), ...writtenOnFixed.map((each) => [fixed, ...each])];
  const folders = [];
  for (const [source, kind, models, options] of cases) {
    for (const model of models) {
      const folder = join(out, `${model}-${kind}`);
      await writeAdapter(join(source, "models", model), folder, options);
      folders.push(folder);
    }
  }
  return folders;
}

async function writeAdapter(modelFolder, folder, options) {
  const { sequences, labels } = readJson(join(modelFolder, "case.json"));
  cpSync(modelFolder, join(folder, "model"), { recursive: true });
  await withModel(modelFolder, async (base) => {
    const config = lora({ r: 4, loraAlpha: 10, taskType: "CAUSAL_LM", ...options });
    const model = getPeftModel(base, config, { seed: 1, onWarning: () => {} });
    await new Trainer({ model, args: shortTraining, trainDataset: examplesOf({ sequences, labels }) }).train();
    await model.savePretrained(join(folder, "adapter"));
    const logits = model.forward(concatenate(sequences));
    const shape = [sequences.flat().length, base.vocabSize];
    await writeSafetensors(openTarget(folder), "expected.safetensors", [
      { name: "logits", dtype: "F32", shape, bytes: () => new Uint8Array(logits.buffer) },
    ]);
  });
  writeFileSync(join(folder, "case.json"), JSON.stringify({ sequences }));
}

/** Loads every adapter that PEFT wrote into `golden`, compares logits, trains it on and compares losses and tensors. */
export async function* readAdapters(golden) {
  const folder = join(golden, "methods/lora");
  for (const name of readdirSync(folder).sort()) {
    try {
      yield { case: `from PEFT: ${name}`, ...(await readAdapter(golden, join(folder, name))) };
    } catch (error) {
      yield { case: `from PEFT: ${name}`, passed: false, note: error.message };
    }
  }
}

async function readAdapter(golden, folder) {
  const given = readJson(join(folder, "case.json"));
  const expected = await readTensors(join(folder, "expected.safetensors"));
  const warnings = [];
  return withModel(join(golden, "models", given.model), async (base) => {
    const onWarning = (warning) => warnings.push(warning);
    const model = await PeftModel.fromPretrained(base, folder, { isTrainable: true, onWarning });
    const logits = shareOf(model.forward(concatenate(given.batches[0].sequences)), expected.get("logits"));
    const { losses, travel } = await trainOn(model, given, expected);
    const passed = logits <= 1 && losses <= LOSS && travel <= TRAVEL && warnings.length === 0;
    return { passed, logits, travel, note: [`loss ${losses.toExponential(1)}`, ...warnings].join("; ") };
  });
}

/** Runs `body` with the model in a folder, which is freed afterwards. */
async function withModel(folder, body) {
  const base = await AutoModelForCausalLM.fromPretrained(folder);
  try {
    return await body(base);
  } finally {
    base.dispose();
  }
}

/** The steps that make_goldens.py took, by Trainer: worst relative error of a loss, worst error of a tensor by its travel. */
async function trainOn(model, given, expected) {
  const start = new Map(Array.from(model.namedTrainable(), ([key, param]) => [key, param.values().slice()]));
  const losses = [];
  const args = {
    maxSteps: given.steps,
    perDeviceTrainBatchSize: given.batches[0].sequences.length,
    learningRate: given.lr,
    lrSchedulerType: "constant",
    weightDecay: given.weight_decay,
    adamBeta1: given.betas[0],
    adamBeta2: given.betas[1],
    adamEpsilon: given.eps,
    maxGradNorm: given.max_grad_norm,
    shuffle: false,
  };
  const trainDataset = given.batches.flatMap(examplesOf);
  await new Trainer({ model, args, trainDataset, onProgress: ({ loss }) => losses.push(loss) }).train();
  const wanted = expected.get("losses");
  let travel = 0;
  for (const [key, param] of model.namedTrainable()) {
    const after = expected.get(`after.${key}`);
    if (after === undefined || given.unsettled.includes(key)) continue;
    travel = worst(travel, distance(param.values(), after) / distance(after, start.get(key)));
  }
  return { losses: losses.map((loss, i) => Math.abs(loss / wanted[i] - 1)).reduce(worst), travel };
}

function examplesOf({ sequences, labels }) {
  return sequences.map((ids, i) => ({ inputIds: Int32Array.from(ids), labels: Int32Array.from(labels[i]) }));
}

function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** All tensors of a float32 file. */
async function readTensors(path) {
  const source = openSource(dirname(path));
  const { tensors } = await openSafetensors(source, basename(path));
  const read = new Map();
  for (const [name, tensor] of tensors) read.set(name, new Float32Array((await tensor.read()).slice().buffer));
  await source.close();
  return read;
}

/** The larger of two errors; not a number counts as the largest. */
function worst(a, b) {
  return a > b || Number.isNaN(a) ? a : b;
}

/** The largest difference, as a share of what is allowed for a logit. */
function shareOf(got, want) {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  return got.reduce((most, x, i) => worst(most, Math.abs(x - want[i]) / (ABSOLUTE + RELATIVE * Math.abs(want[i]))), 0);
}

function distance(a, b) {
  return Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0));
}
