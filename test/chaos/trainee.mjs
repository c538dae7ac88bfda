/**
 * A small run, the same each time: an adapter on a tiny model. As a program: trains in the folder that is given, and ends itself
 * at the call that CHAOS_KILL_AT numbers.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { AutoModelForCausalLM, createEngine, getPeftModel, lora, Trainer } from "../../dist/index.js";

export const STEPS = 5;

const config = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  vocab_size: 32,
  max_position_embeddings: 32,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
  initializer_range: 0.2,
};

const examples = (count, seed) =>
  Array.from({ length: count }, (_, i) => {
    const inputIds = Int32Array.from({ length: 4 + ((i * 5 + seed) % 7) }, (_, t) => (i * 7 + t * 11 + seed) % 32);
    return { inputIds, labels: inputIds.slice(), where: `row ${i + 1}` };
  });

export async function tinyBase() {
  const engine = await createEngine({ build: "baseline", threads: 1 });
  return AutoModelForCausalLM.fromConfig(config, { engine, seed: 1 });
}

/** Trains, resuming what is there. Returns the steps that were taken and the warnings. */
export async function train(
  outputDir,
  { steps = STEPS, stopAfter = 0, onStep = () => {}, resume = true, args = {} } = {},
) {
  const base = await tinyBase();
  const warnings = [];
  const taken = [];
  const stop = new AbortController();
  try {
    const model = getPeftModel(base, lora({ r: 2, loraDropout: 0.2, targetModules: ["q_proj", "v_proj"] }), {
      seed: 3,
    });
    const trainer = new Trainer({
      model,
      args: {
        ...{ maxSteps: steps, saveSteps: 1, saveTotalLimit: 2, evalSteps: 1, loggingSteps: 1, learningRate: 0.02 },
        ...{ perDeviceTrainBatchSize: 3, lrSchedulerType: "constant", loadBestModelAtEnd: true, ...args },
      },
      trainDataset: examples(10, 1),
      evalDataset: examples(4, 2),
      outputDir,
      signal: stop.signal,
      onWarning: (text) => warnings.push(text),
      onProgress: ({ step }) => {
        taken.push(step);
        onStep(step);
        if (step === stopAfter) stop.abort();
      },
    });
    await trainer.train({ resume });
  } finally {
    base.engine.dispose();
  }
  return { taken, warnings };
}

/** What must be the same in every run: by file, in Latin-1. `files` is a map of a memoryRun, or a folder. */
export function resultOf(files) {
  const all = typeof files === "string" ? filesBelow(files) : files;
  const text = (name) => Buffer.from(all.get(name) ?? []).toString("latin1");
  const compared = [...all.keys()].filter((name) => /^(adapter|best)\//.test(name)).sort();
  const last = `checkpoint-${STEPS}/state/optimizer.safetensors`;
  const names = [...new Set([...all.keys()].map((name) => name.split("/")[0]))]
    .filter((name) => !/^(checkpoint-|run-\d+\.lock$)/.test(name))
    .sort();
  return JSON.stringify([names, ...[...compared, last, "metrics.jsonl"].map((name) => [name, text(name)])]);
}

function filesBelow(folder) {
  const names = readdirSync(folder, { recursive: true }).filter((name) => statSync(join(folder, name)).isFile());
  return new Map(names.map((name) => [name, readFileSync(join(folder, name))]));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { install, plan } = await import("./faults.mjs");
  install();
  plan.killAt = Number(process.env.CHAOS_KILL_AT ?? 0);
  try {
    await train(process.argv[2], { onStep: (step) => process.stdout.write(`${step}\n`) });
  } catch (error) {
    process.stderr.write(`${error.name}: ${error.message}\n`);
    process.exitCode = ["StateError", "FormatError"].includes(error.name) ? 1 : 70;
  }
}
