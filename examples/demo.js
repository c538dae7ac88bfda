/**
 * npm run demo: adapts the bundled base model, trained on nineteenth-century novels, to Shakespeare's sonnets.
 *
 *   node examples/demo.js [--short] [--output DIR]
 *
 * Everything happens on this machine's CPU, without a network. --short runs only a few steps.
 */
import { readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  AutoModelForCausalLM,
  AutoTokenizer,
  createEngine,
  encodeRows,
  generate,
  getPeftModel,
  lora,
  parseRows,
  Trainer,
} from "lorikeet";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values: flags } = parseArgs({
  options: {
    short: { type: "boolean", default: false },
    output: { type: "string", default: "runs/demo" },
    model: { type: "string", default: here("pocket") },
  },
});
const started = performance.now();
const say = (text = "") => console.log(text);

const engine = await createEngine();
const tokenizer = await AutoTokenizer.fromPretrained(flags.model);
const base = await AutoModelForCausalLM.fromPretrained(flags.model, { engine });
const examples = async (file, few) => {
  const rows = await parseRows(file, readFileSync(here(`sonnets/${file}`)));
  const { vocabSize, contextLength } = base;
  return encodeRows(file, rows.slice(0, flags.short ? few : rows.length), { tokenizer, vocabSize, contextLength });
};
const train = await examples("train.jsonl", 16);
const valid = await examples("valid.jsonl", 5);

say(
  `base     ${relative(".", flags.model)}: ${base.modelType}, ${millions(parameters(base))} parameters, ${engine.build} kernels, ${engine.threads === 1 ? "one thread" : `${engine.threads} threads`}`,
);
say(`data     ${train.length} sonnets for training, ${valid.length} for validation`);

const model = getPeftModel(base, lora({ r: 8, loraAlpha: 16, targetModules: "all-linear", taskType: "CAUSAL_LM" }), {
  seed: 1,
});
const trainer = new Trainer({
  model,
  trainDataset: train,
  evalDataset: valid,
  outputDir: flags.output,
  args: {
    numTrainEpochs: flags.short ? 1 : 4,
    perDeviceTrainBatchSize: 4,
    learningRate: 3e-3,
    lrSchedulerType: "cosine",
    warmupSteps: 5,
    seed: 1,
    loadBestModelAtEnd: true,
    overwriteOutputDir: true,
  },
  onProgress: ({ step, steps, loss, tokensPerSecond, secondsLeft }) => {
    const text = `step ${step}/${steps}  loss ${loss.toFixed(3)}  ${tokensPerSecond.toFixed(0)} tokens/s  ${secondsLeft.toFixed(0)} s left`;
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[2K         ${text}${step === steps ? "\n" : ""}`);
    else if (step === 1 || step % 10 === 0 || step === steps) say(`         ${text}`);
  },
});
say(`adapter  ${model.describeTrainable()}`);

const prompt = "Shall I";
const sample = () =>
  generate(model, tokenizer.encode(prompt), {
    maxNewTokens: flags.short ? 24 : 96,
    temperature: 0.7,
    topP: 0.9,
    seed: 3,
    eosTokenId: tokenizer.eosTokenId,
  }).then((ids) => tokenizer.decode([...tokenizer.encode(prompt), ...ids], { skipSpecialTokens: true }));

const before = { perplexity: (await trainer.evaluate()).perplexity, text: await sample() };
await trainer.train();
const after = { perplexity: (await trainer.evaluate()).perplexity, text: await sample() };

const baseBytes = statSync(join(flags.model, "model.safetensors")).size;
const adapterBytes = statSync(join(flags.output, "adapter", "adapter_model.safetensors")).size;
say();
say(`perplexity on unseen sonnets: ${before.perplexity.toFixed(1)} before, ${after.perplexity.toFixed(1)} after`);
say(`base ${kilobytes(baseBytes)}, adapter ${kilobytes(adapterBytes)}`);
for (const [when, text] of [
  ["before", before.text],
  ["after", after.text],
]) {
  say();
  say(`--- ${when}: "${prompt}" and on`);
  say(text);
}
say();
say(
  `written to ${flags.output}/: adapter/ (loads in Python PEFT as it is), best/, checkpoints, metrics.jsonl, trainer_state.json`,
);
say(`${((performance.now() - started) / 1000).toFixed(0)} s in all`);

function parameters(model) {
  return [...model.namedWeights().values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}
function millions(n) {
  return `${(n / 1e6).toFixed(2)} million`;
}
function kilobytes(n) {
  return `${(n / 1000).toFixed(0)} kB`;
}
