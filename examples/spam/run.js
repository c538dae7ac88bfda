/**
 * Spam or ham: real mail, one pretrained encoder, five methods. Each method leaves the base unchanged and writes a
 * small file.
 *
 *   node examples/spam/run.js [--short] [--output DIR]
 *
 * --short uses fewer mails. Exits with code 1 if LoRA does not detect spam clearly better than guessing.
 */
import { readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import {
  AutoModelForSequenceClassification,
  AutoTokenizer,
  bottleneck,
  createEngine,
  encodeRows,
  evaluateLoss,
  getPeftModel,
  ia3,
  labelNamesOf,
  lora,
  parseRows,
  prefixTuning,
  promptTuning,
  Trainer,
} from "../../dist/index.js";
import { endOnInterrupt, expect, grouped, percent, secondsSince, table, training } from "../terminal.js";
import { encoderFolder } from "./encoder.js";
import { readMail } from "./mail.js";

const { values: flags } = parseArgs({
  options: { short: { type: "boolean", default: false }, output: { type: "string", default: "runs/spam" } },
});
const began = performance.now();
endOnInterrupt();

const mail = readMail(flags.short ? { train: 96, test: 60 } : { train: 1200, test: 400 });
const asRows = (rows) =>
  parseRows("mail.jsonl", new TextEncoder().encode(rows.map((row) => JSON.stringify(row)).join("\n")));
const rows = { train: await asRows(mail.train), test: await asRows(mail.test) };
const labelNames = labelNamesOf(rows.train);

const { folder, name } = encoderFolder();
const engine = await createEngine();
const tokenizer = await AutoTokenizer.fromPretrained(folder);
const config = {
  id2label: Object.fromEntries(labelNames.map((label, i) => [i, label])),
  label2id: Object.fromEntries(labelNames.map((label, i) => [label, i])),
};
const base = await AutoModelForSequenceClassification.fromPretrained(folder, { engine, config, onWarning: () => {} });
const encoded = (which) =>
  encodeRows(which, rows[which], {
    task: "SEQ_CLS",
    tokenizer,
    labelNames,
    vocabSize: base.vocabSize,
    contextLength: base.contextLength,
    maxLength: 64,
  });
const [train, test] = [await encoded("train"), await encoded("test")];
console.log(
  `base     ${name} (${relative(".", folder)}), ${engine.build} kernels, ${engine.threads === 1 ? "one thread" : `${engine.threads} threads`}`,
);
console.log(
  `data     ${grouped(train.length)} mails for training, ${grouped(test.length)} for testing, half of them spam`,
);

/** The methods, each with a learning rate that suits it. */
const methods = [
  ["LoRA", lora({ r: 8, loraAlpha: 16 }), 1e-3],
  ["(IA)³", ia3(), 1e-2],
  ["prefix tuning", prefixTuning({ numVirtualTokens: 10 }), 1e-2],
  ["prompt tuning", promptTuning({ numVirtualTokens: 10 }), 3e-2],
  ["bottleneck", bottleneck({ form: "pfeiffer", reductionFactor: 16 }), 1e-3],
];

const results = [];
for (const [title, method, learningRate] of methods) {
  const start = performance.now();
  const model = getPeftModel(base, method, { seed: 1, onWarning: () => {} });
  const { trainable, all } = model.getNbTrainableParameters();
  const args = { numTrainEpochs: flags.short ? 2 : 1, perDeviceTrainBatchSize: 8, learningRate, seed: 1 };
  await new Trainer({ model, trainDataset: train, args, onProgress: training(title) }).train();
  const { metrics } = await evaluateLoss(model, test, { batchSize: 16 });
  const output = join(flags.output, title.replace(/\W+/g, "-").toLowerCase());
  await model.savePretrained(output);
  results.push({
    title,
    ...metrics,
    trainable,
    share: trainable / all,
    bytes: bytesIn(output),
    seconds: secondsSince(start),
  });
  model.dispose();
}

table(
  ["method", "accuracy", "F1", "trained", "of all", "files", "seconds"],
  [
    ["guessing", "50.0 %", "", "", "", "", ""],
    ...results.map(({ title, accuracy, f1, trainable, share, bytes, seconds }) => [
      title,
      percent(accuracy),
      f1.toFixed(3),
      grouped(trainable),
      `${(100 * share).toFixed(2)} %`,
      `${(bytes / 1000).toFixed(0)} kB`,
      seconds.toFixed(0),
    ]),
  ],
);
const least = flags.short ? 0.7 : 0.9;
expect(results[0].accuracy > least, `LoRA classifies more than ${percent(least)} of the mails correctly`);
console.log(`${secondsSince(began).toFixed(0)} s in all; the adapters are in ${flags.output}`);

function bytesIn(folder) {
  return readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
}
