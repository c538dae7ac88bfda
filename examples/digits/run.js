/**
 * A small vision transformer is trained from scratch on upright handwritten digits. A LoRA adapter then learns rotated
 * digits, with the base frozen: with the adapter switched off, the base is unchanged, bit for bit.
 *
 *   node examples/digits/run.js [--short] [--output DIR]
 *
 * --short uses fewer digits and fewer passes. Exits with code 1 if one of the printed claims does not hold.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  AutoModelForImageClassification,
  concatenateLabelled,
  createEngine,
  fullTraining,
  getPeftModel,
  lora,
  saveModel,
  Trainer,
} from "../../dist/index.js";
import { endOnInterrupt, expect, grouped, percent, progress, secondsSince, table, training } from "../terminal.js";
import { quarterTurn, readDigits, toExample } from "./digits.js";

const { values: flags } = parseArgs({
  options: { short: { type: "boolean", default: false }, output: { type: "string", default: "runs/digits" } },
});
const began = performance.now();
const { train, test } = readDigits();
endOnInterrupt();

const lessons = flags.short ? train.slice(0, 3000) : train;
const questions = flags.short ? test.slice(0, 500) : test;
const upright = { train: lessons.map(toExample), test: questions.map(toExample) };
const sideways = {
  train: lessons.map(quarterTurn).map(toExample),
  test: questions.map(quarterTurn).map(toExample),
};
console.log(`data     ${grouped(lessons.length)} digits to train on, ${grouped(questions.length)} to test with`);

const engine = await createEngine();
const base = await AutoModelForImageClassification.fromConfig(
  {
    model_type: "vit",
    image_size: 28,
    patch_size: 7,
    num_channels: 1,
    hidden_size: 64,
    num_hidden_layers: 4,
    num_attention_heads: 4,
    intermediate_size: 256,
    id2label: Object.fromEntries(Array.from({ length: 10 }, (_, digit) => [digit, String(digit)])),
  },
  { engine, seed: 1 },
);

const settings = { perDeviceTrainBatchSize: 32, lrSchedulerType: "cosine", seed: 1 };

// ---- the base: full training on upright digits
const whole = fullTraining(base, (target) => saveModel(base, target));
const baseSeconds = await fit("base", whole, upright.train, {
  ...settings,
  numTrainEpochs: flags.short ? 6 : 20,
  learningRate: 2e-3,
  warmupSteps: 50,
  weightDecay: 0.05,
});
await saveModel(base, join(flags.output, "base"));
const before = judge(base);

// ---- the adapter: LoRA in every layer, rotated digits
const model = getPeftModel(
  base,
  lora({
    r: 8,
    loraAlpha: 16,
    targetModules: ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"],
  }),
  { seed: 1 },
);
console.log(`adapter  ${model.describeTrainable()}`);
const adapterSeconds = await fit("adapter", model, sideways.train, {
  ...settings,
  numTrainEpochs: flags.short ? 6 : 20,
  learningRate: 5e-3,
});
await model.savePretrained(join(flags.output, "adapter"));
const withAdapter = judge(model);
const off = model.disableAdapter(() => judge(model));

table(
  ["", "upright", "on their side", "seconds to train", "file"],
  [
    ["base, upright digits learned", ...shares(before), baseSeconds.toFixed(0), size("base/model.safetensors")],
    ["with the adapter", ...shares(withAdapter), adapterSeconds.toFixed(0), size("adapter/adapter_model.safetensors")],
    ["with the adapter switched off", ...shares(off), "", ""],
  ],
);
const least = flags.short ? 0.7 : 0.9;
expect(before.upright.accuracy > least, `the base recognizes more than ${percent(least)} of the upright digits`);
expect(
  withAdapter.sideways.accuracy > before.sideways.accuracy + 0.4,
  "the adapter raises the accuracy on rotated digits by more than 40 points",
);
expect(
  same(before.upright.logits, off.upright.logits) && same(before.sideways.logits, off.sideways.logits),
  `switched off, every one of ${grouped(2 * before.upright.logits.length)} logits is the base's, bit for bit`,
);
console.log(`${secondsSince(began).toFixed(0)} s in all; base/ and adapter/ are in ${flags.output}`);

/** Trains, and returns the duration in seconds. */
async function fit(what, model, trainDataset, args) {
  const start = performance.now();
  await new Trainer({ model, trainDataset, args, onProgress: training(what) }).train();
  return secondsSince(start);
}

/** Logits and accuracy, for both kinds of digits. */
function judge(model) {
  return { upright: answers(model, upright.test), sideways: answers(model, sideways.test) };
}

function answers(model, examples) {
  const logits = new Float32Array(examples.length * 10);
  for (let at = 0; at < examples.length; at += 100) {
    progress(`testing: ${at} of ${examples.length}`);
    const batch = concatenateLabelled(examples.slice(at, at + 100));
    logits.set(model.forward(batch).data, at * 10);
  }
  const right = examples.filter(({ labels }, i) => largest(logits.subarray(i * 10, i * 10 + 10)) === labels[0]);
  return { logits, accuracy: right.length / examples.length };
}

function largest(values) {
  return values.indexOf(Math.max(...values));
}
function same(a, b) {
  return Buffer.from(a.buffer).equals(Buffer.from(b.buffer));
}
function shares({ upright, sideways }) {
  return [percent(upright.accuracy), percent(sideways.accuracy)];
}
function size(file) {
  return `${(statSync(join(flags.output, file)).size / 1000).toFixed(0)} kB`;
}
