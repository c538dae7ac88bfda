/**
 * Trains all parameters of the bundled base from scratch with the engine.
 *
 *   node examples/pocket/train.js --data DIR --output DIR [--steps N] [--resume]
 *
 * --data is the output folder of prepare.js. --output receives checkpoints and metrics.jsonl; when the run ends, best/
 * contains its best model as a model folder (bfloat16).
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { AutoModelForCausalLM, AutoTokenizer, encodeRows, fullTraining, parseRows, saveModel, Trainer } from "lorikeet";

const { values: flags } = parseArgs({
  options: {
    data: { type: "string" },
    output: { type: "string" },
    config: { type: "string", default: "examples/pocket/config.json" },
    steps: { type: "string", default: "3000" },
    resume: { type: "boolean", default: false },
  },
});

const tokenizer = await AutoTokenizer.fromPretrained(flags.data);
const model = await AutoModelForCausalLM.fromConfig(JSON.parse(readFileSync(flags.config, "utf8")), { seed: 1 });
const rows = async (file) =>
  encodeRows(file, await parseRows(file, readFileSync(`${flags.data}/${file}`)), {
    tokenizer,
    ...limits(model),
    maxLength: 512,
  });

const trainer = new Trainer({
  model: fullTraining(model, (target) => saveModel(model, target, { dtype: "bf16" })),
  trainDataset: await rows("train.jsonl"),
  evalDataset: await rows("valid.jsonl"),
  outputDir: flags.output,
  args: {
    maxSteps: Number(flags.steps),
    perDeviceTrainBatchSize: 12,
    learningRate: 3e-3,
    lrSchedulerType: "cosine",
    warmupSteps: 100,
    weightDecay: 0.1,
    adamBeta2: 0.98,
    maxGradNorm: 1,
    evalSteps: 200,
    saveSteps: 200,
    saveTotalLimit: 2,
    loggingSteps: 20,
    seed: 1,
  },
  onLog: (entry) => console.log(JSON.stringify(entry)),
  onProgress: ({ step, steps, loss, tokensPerSecond, secondsLeft }) => {
    if (step % 20 === 0 || step < 4) {
      console.error(
        `${step}/${steps} loss ${loss.toFixed(3)} ${tokensPerSecond.toFixed(0)} tokens/s ${(secondsLeft / 60).toFixed(0)} min left`,
      );
    }
  },
});
console.error(`${model.build ?? ""} plan`, trainer.plan());
console.error(await trainer.train({ resume: flags.resume }));

function limits({ vocabSize, contextLength }) {
  return { vocabSize, contextLength };
}
