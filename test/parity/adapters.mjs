/** Our engine's half of the exchange of adapters with PEFT and AdapterHub, through the built package, as a user imports it. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSource, openTarget } from "../../dist/checkpoint/open.js";
import { openSafetensors, writeSafetensors } from "../../dist/checkpoint/safetensors.js";
import { fuse } from "../../dist/composition.js";
import { Philox } from "../../dist/core/random/philox.js";
import {
  AutoModel,
  AutoModelForCausalLM,
  AutoModelForImageClassification,
  AutoModelForQuestionAnswering,
  AutoModelForSeq2SeqLM,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  concatenateLabelled,
  getPeftModel,
  PeftModel,
  Trainer,
} from "../../dist/index.js";
import { layOut } from "../shared-goldens.mjs";
import { cases, casesOnFixedModels } from "./adapter_cases.mjs";

const ABSOLUTE = 1e-4;
const RELATIVE = 2e-4;
const LOSS = 1e-4;
const TRAVEL = 0.02;
const EFFECT = 1e-2;
const SAID_BY_PEFT_TOO = [/^oftBlockSize \d+ does not divide \d+/];

/** Rows of one token that differ between T5's stacks, which share a table here as in the checkpoint: an error, by test. */
const REFUSED = new Set(["mt5-tokens"]);

const methods = fileURLToPath(new URL("../../dist/methods", import.meta.url));
const classes = {
  CAUSAL_LM: AutoModelForCausalLM,
  SEQ_2_SEQ_LM: AutoModelForSeq2SeqLM,
  SEQ_CLS: AutoModelForSequenceClassification,
  TOKEN_CLS: AutoModelForTokenClassification,
  QUESTION_ANS: AutoModelForQuestionAnswering,
  IMAGE_CLS: AutoModelForImageClassification,
  FEATURE_EXTRACTION: AutoModel,
};

/** Four steps on the model's own batch, one on each row in turn. */
const shortTraining = { maxSteps: 4, perDeviceTrainBatchSize: 1, learningRate: 1e-2, weightDecay: 0.1, shuffle: false };

// ---- made here

/**
 * Trains a fresh adapter of every case, on models of `golden` or, where the case says so, of the committed goldens, and writes `out`/<model>-<method>-<kind>/ as the two check scripts read it. `golden` is
 * a folder that make_goldens.py wrote. Yields { name, method, folder }, or with `error` what kept it from being written.
 */
export async function* writeAdapters(golden, out) {
  const fixed = layOut();
  try {
    yield* writeAll(golden, fixed, out);
  } finally {
    rmSync(fixed, { recursive: true });
  }
}

async function* writeAll(golden, fixed, out) {
  const all = [...cases.map((each) => [golden, ...each]), ...casesOnFixedModels.map((each) => [fixed, ...each])];
  for (const [source, method, kind, models, options] of all) {
    for (const model of foldersOf(source, models)) {
      const name = `${basename(model)}-${method}-${kind}`;
      const written = { name, method, folder: join(out, name) };
      try {
        await writeAdapter(model, written, kind, options);
        yield written;
      } catch (error) {
        yield { ...written, error: error.message };
      }
    }
  }
  for (const method of methodFiles()) {
    if (!cases.some(([tried]) => tried === method))
      yield { name: method, method, error: "adapter_cases.mjs has no case" };
  }
}

function foldersOf(golden, models) {
  const fits = models instanceof RegExp ? (name) => models.test(name) : (name) => models.includes(name);
  const folders = ["models", "tasks"].flatMap((kind) =>
    readdirSync(join(golden, kind)).map((name) => join(golden, kind, name)),
  );
  const found = folders.filter((folder) => fits(basename(folder)));
  if (found.length === 0 || (Array.isArray(models) && found.length < models.length))
    throw new Error(`not all of ${models} are base models of the goldens`);
  return found;
}

function methodFiles() {
  return readdirSync(methods).flatMap((file) => /^((?!index)\w+)\.js$/.exec(file)?.[1] ?? []);
}

async function methodNamed(file) {
  const exported = Object.values(await import(join(methods, `${file}.js`)));
  return exported.find((each) => typeof each === "function" && each.peftType);
}

async function writeAdapter(modelFolder, { method, folder }, kind, options) {
  const { task = "CAUSAL_LM", batch, sequences, labels } = readJson(join(modelFolder, "case.json"));
  const given = batch ?? { sequences, labels };
  if (task === "QUESTION_ANS") delete given.token_type_ids; // PEFT takes them and does not pass them on
  if (method === "multitask_prompt_tuning") given.task_ids = given.sequences.map((_, i) => (2 * i) % options.numTasks);
  cpSync(modelFolder, join(folder, "model"), { recursive: true });
  await withModel(modelFolder, task, async (base) => {
    const examples = examplesOf(given);
    const plain = outputsOf(base, examples);
    const config = (await methodNamed(method))(typeof options === "function" ? options(given) : options);
    const model = kind === "fused" ? fused(base, config) : getPeftModel(base, config, { seed: 1, onWarning: () => {} });
    shake(model);
    if (task !== "FEATURE_EXTRACTION")
      await new Trainer({ model, args: shortTraining, trainDataset: examples }).train();
    await model.savePretrained(join(folder, "adapter"));
    const outputs = outputsOf(model, examples);
    const effect = Math.max(...plain.slice(-5).map((x, i) => Math.abs(x - outputs.at(i - Math.min(5, plain.length)))));
    if (!(effect > EFFECT)) throw new Error(`the adapter changes the last outputs by ${effect} only`);
    await writeSafetensors(openTarget(folder), "expected.safetensors", [
      { name: "outputs", dtype: "F32", shape: [outputs.length], bytes: () => new Uint8Array(outputs.buffer) },
    ]);
  });
  writeFileSync(join(folder, "case.json"), JSON.stringify({ method, task, kind, batch: given }));
}

/** Two adapters with a fusion of them, all trained. */
function fused(base, config) {
  const model = new PeftModel(base);
  for (const name of ["a", "b"]) model.addAdapter(name, config);
  const fusion = model.addAdapterFusion(["a", "b"]);
  model.setAdapter(fuse("a", "b"));
  model.setTrainable(["a", "b", fusion], true);
  return model;
}

/** Moves every trained number, so that none has the value it began with. */
function shake(model) {
  const random = new Philox(7);
  for (const param of model.namedTrainable().values())
    param.values().set(param.values().map((x) => x + 0.15 * random.normal()));
}

// ---- made by PEFT

/**
 * Loads every adapter that PEFT and AdapterHub wrote into `golden`, compares logits, and trains it on where that is possible, by
 * the steps that the reference took. Yields rows { method, case, passed, logits, travel, note }.
 */
export async function* readAdapters(golden) {
  for (const method of readdirSync(join(golden, "methods")).sort()) {
    for (const name of readdirSync(join(golden, "methods", method)).sort()) {
      const folder = join(golden, "methods", method, name);
      if (!existsSync(join(folder, "adapter_config.json")) || !existsSync(join(folder, "case.json"))) continue;
      if (REFUSED.has(name)) continue;
      try {
        yield { method, case: name, ...(await readAdapter(golden, folder)) };
      } catch (error) {
        yield { method, case: name, passed: false, note: error.message };
      }
    }
  }
}

async function readAdapter(golden, folder) {
  const given = readJson(join(folder, "case.json"));
  const expected = await readTensors(join(folder, "expected.safetensors"));
  const warnings = [];
  const model = given.model.includes("/") ? given.model : `models/${given.model}`;
  return withModel(join(golden, model), given.task ?? "CAUSAL_LM", async (base) => {
    const options = { adapterName: given.adapter ?? "default", onWarning: (warning) => warnings.push(warning) };
    const model = await PeftModel.fromPretrained(base, folder, { isTrainable: true, ...options });
    const logits = shareOf(outputsOf(model, examplesOf(given.batches[0])), expected.get("logits"));
    const trains = Array.from(model.namedTrainable().keys()).every((key) =>
      expected.has(`grad.${published(key, given)}`),
    );
    const trained = trains ? await trainOn(model, given, expected) : { losses: 0, travel: undefined };
    const silent = warnings.every((warning) => SAID_BY_PEFT_TOO.some((said) => said.test(warning)));
    const passed = logits <= 1 && trained.losses <= LOSS && (trained.travel ?? 0) <= TRAVEL && silent;
    const facts = trains ? `loss ${trained.losses.toExponential(1)}` : "not trained on: its file has only the result";
    return { passed, logits, travel: trained.travel, note: [facts, ...warnings].join("; ") };
  });
}

/** AdapterHub has the adapter's name in its keys. */
function published(key, { adapter }) {
  return adapter === undefined ? key : key.replace(".adapters.", `.adapters.${adapter}.`);
}

/** The steps that the reference took, by Trainer: worst relative error of a loss, worst error of a tensor by its travel. */
async function trainOn(model, given, expected) {
  const start = new Map(Array.from(model.namedTrainable(), ([key, param]) => [key, param.values().slice()]));
  const losses = [];
  const args = {
    maxSteps: given.steps,
    perDeviceTrainBatchSize: given.batches[0].labels.length,
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
  const afterStep = model.afterStep.bind(model);
  model.afterStep = (step, gradScale) => afterStep(step - 1, gradScale); // the reference counts from 0, which AdaLoRA notices
  await new Trainer({ model, args, trainDataset, onProgress: ({ loss }) => losses.push(loss) }).train();
  const wanted = expected.get("losses");
  let travel = 0;
  for (const [key, param] of model.namedTrainable()) {
    const name = published(key, given);
    const after = expected.get(`after.${name}`);
    if (after === undefined || given.unsettled.includes(name)) continue;
    const error = distance(param.values(), after);
    if (error > 0) travel = worst(travel, error / distance(after, start.get(key)));
  }
  return { losses: losses.map((loss, i) => Math.abs(loss / wanted[i] - 1)).reduce(worst), travel };
}

// ---- both

/** Runs `body` with the model in a folder, which is freed afterwards. */
async function withModel(folder, task, body) {
  const base = await classes[task].fromPretrained(folder);
  try {
    return await body(base);
  } finally {
    base.dispose();
  }
}

/** Labels as an example has them: classes and tokens are whole numbers, values are not. */
function numbers(labels) {
  return labels.every(Number.isInteger) ? Int32Array.from(labels) : Float32Array.from(labels);
}

function examplesOf({ sequences, pixel_values: images, token_type_ids: types, task_ids: tasks, labels }) {
  return (sequences ?? images).map((values, i) => ({
    inputIds: Int32Array.from(sequences ? values : []),
    labels: numbers(labels?.[i] ?? []),
    ...(types && { tokenTypes: types[i] }),
    ...(tasks && { taskId: tasks[i] }),
    ...(images && { inputs: [{ kind: "pixels", values: Float32Array.from(values) }] }),
  }));
}

/** What the model says of each example, one after the other. */
function outputsOf(model, examples) {
  return model.forward(concatenateLabelled(examples)).data;
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
