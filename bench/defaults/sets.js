/** The data sets on which defaults are measured: each has a base model, rows to train on and rows to judge by. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  AutoModelForCausalLM,
  AutoModelForImageClassification,
  AutoModelForQuestionAnswering,
  AutoModelForSeq2SeqLM,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  AutoTokenizer,
  encodeRows,
  fullTraining,
  labelNamesOf,
  parseRows,
  readRows,
  saveModel,
  Trainer,
} from "../../dist/index.js";
import { quarterTurn, readDigits, toExample } from "../../examples/digits/digits.js";
import { encoderFolder } from "../../examples/spam/encoder.js";
import { readMail } from "../../examples/spam/mail.js";
import { SIX, sequenceRows, spanRows, taggedRows } from "./texts.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const pocket = join(root, "examples/pocket");
const kept = join(root, "build/defaults");

const asRows = (rows) =>
  parseRows("rows.jsonl", new TextEncoder().encode(rows.map((row) => JSON.stringify(row)).join("\n")));

/** The examples of rows, for training and for judging. */
async function examplesOf(base, folder, { train, valid, task, labelNames = null, maxLength }) {
  const tokenizer = folder === null ? null : await AutoTokenizer.fromPretrained(folder);
  const { vocabSize } = base;
  const contextLength = base.contextLength ?? null;
  const encode = (name, rows) =>
    encodeRows(name, rows, { task, tokenizer, labelNames, vocabSize, contextLength, ...(maxLength && { maxLength }) });
  return { train: await encode("train", train), valid: await encode("valid", valid) };
}

const quiet = { onWarning: () => {} };
const named = (names) => ({ config: { id2label: Object.fromEntries(names.entries()) } });

async function mail(classes, engine) {
  const { train, test } = readMail(classes);
  const [rows, questions] = [await asRows(train), await asRows(test)];
  const labelNames = labelNamesOf(rows);
  const { folder } = encoderFolder();
  const options = { engine, ...named(labelNames), ...quiet };
  const base = await AutoModelForSequenceClassification.fromPretrained(folder, options);
  const data = { train: rows, valid: questions, task: "SEQ_CLS", labelNames, maxLength: 48 };
  return { base, metric: "accuracy", ...(await examplesOf(base, folder, data)) };
}

async function sonnets(folder, engine) {
  const [train, valid] = await Promise.all(
    ["train", "valid"].map((name) => readRows(join(root, `examples/sonnets/${name}.jsonl`))),
  );
  const base = await AutoModelForCausalLM.fromPretrained(folder, { engine, ...quiet });
  return {
    base,
    metric: "loss",
    ...(await examplesOf(base, folder, { train, valid, task: "CAUSAL_LM", maxLength: 64 })),
  };
}

/** A base that is trained from scratch once and kept. */
async function pretrained(name, auto, config, engine, dataset, args) {
  const folder = join(kept, name);
  if (!existsSync(join(folder, "config.json"))) {
    const base = await auto.fromConfig(config, { engine, seed: 1 });
    const model = fullTraining(base, (target) => saveModel(base, target));
    await new Trainer({
      model,
      trainDataset: await dataset(base),
      args: { lrSchedulerType: "cosine", ...args },
    }).train();
    await saveModel(base, folder);
  }
  return auto.fromPretrained(folder, { engine, ...quiet });
}

/** By name: what `run.js` measures. */
export const sets = {
  "300 mails, three classes": (engine) => mail({ train: 300, test: 150, classes: 3 }, engine),
  "96 mails, two classes": (engine) => mail({ train: 96, test: 200 }, engine),
  "139 sonnets": (engine) => sonnets(pocket, engine),
  async "six questions"(engine) {
    const rows = await asRows(SIX);
    const base = await AutoModelForCausalLM.fromPretrained(pocket, { engine, ...quiet });
    return {
      base,
      metric: "loss",
      ...(await examplesOf(base, pocket, { train: rows, valid: rows, task: "CAUSAL_LM" })),
    };
  },
  async "150 tagged sentences"(engine) {
    const [train, valid] = [await asRows(taggedRows(150, 1)), await asRows(taggedRows(100, 2))];
    const labelNames = labelNamesOf(train);
    const { folder } = encoderFolder();
    const base = await AutoModelForTokenClassification.fromPretrained(folder, {
      engine,
      ...named(labelNames),
      ...quiet,
    });
    return {
      base,
      metric: "accuracy",
      ...(await examplesOf(base, folder, { train, valid, task: "TOKEN_CLS", labelNames })),
    };
  },
  async "200 spans"(engine) {
    const [train, valid] = [await asRows(spanRows(200, 1)), await asRows(spanRows(100, 2))];
    const { folder } = encoderFolder();
    const base = await AutoModelForQuestionAnswering.fromPretrained(folder, { engine, ...quiet });
    return { base, metric: "exact_match", ...(await examplesOf(base, folder, { train, valid, task: "QUESTION_ANS" })) };
  },
  async "400 turned digits"(engine) {
    const { train, test } = readDigits();
    const config = {
      model_type: "vit",
      ...{ image_size: 28, patch_size: 7, num_channels: 1, hidden_size: 64, num_hidden_layers: 4 },
      ...{ num_attention_heads: 4, intermediate_size: 256 },
      id2label: Object.fromEntries(Array.from({ length: 10 }, (_, digit) => [digit, String(digit)])),
    };
    const upright = async () => train.slice(0, 3000).map(toExample);
    const args = { perDeviceTrainBatchSize: 32, numTrainEpochs: 8, learningRate: 2e-3, warmupSteps: 50 };
    const base = await pretrained("digits", AutoModelForImageClassification, config, engine, upright, args);
    const turned = (digits) => digits.map(quarterTurn).map(toExample);
    const targets = ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"];
    return {
      base,
      metric: "accuracy",
      targets,
      train: turned(train.slice(3000, 3400)),
      valid: turned(test.slice(0, 300)),
    };
  },
  async "500 reversed sequences"(engine) {
    const config = {
      model_type: "t5",
      ...{ vocab_size: 24, d_model: 64, d_kv: 16, d_ff: 128, num_layers: 2, num_heads: 4, dropout_rate: 0 },
      ...{ pad_token_id: 0, eos_token_id: 1, decoder_start_token_id: 0 },
    };
    const rows = (count, seed, reversed) => asRows(sequenceRows(count, seed, { reversed }));
    const copies = async (base) =>
      (
        await examplesOf(base, null, {
          train: await rows(4000, 1, false),
          valid: await rows(2, 9, false),
          task: "SEQ_2_SEQ_LM",
        })
      ).train;
    const args = { perDeviceTrainBatchSize: 32, numTrainEpochs: 6, learningRate: 3e-3, warmupSteps: 50 };
    const base = await pretrained("copies", AutoModelForSeq2SeqLM, config, engine, copies, args);
    const data = { train: await rows(500, 2, true), valid: await rows(100, 3, true), task: "SEQ_2_SEQ_LM" };
    return { base, metric: "loss", ...(await examplesOf(base, null, data)) };
  },
};

/** `folder` has another language model: the sonnets are measured on it as well. */
export function withModel(folder) {
  const { hidden_size: width } = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
  return { ...sets, [`139 sonnets, width ${width}`]: (engine) => sonnets(folder, engine) };
}
