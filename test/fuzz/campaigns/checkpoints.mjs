/**
 * Checkpoints of a run: what is damaged is refused, passed over or harmless to the bit. Half of the inputs have hashes that are
 * true of their changed files; from those only an end without a name counts.
 */
import { createHash } from "node:crypto";
import { AutoModelForCausalLM, createEngine, getPeftModel, lora, memoryRun, Trainer } from "../../../dist/index.js";
import { mutateFiles } from "../mutators/files.mjs";
import { failure } from "../outcome.mjs";
import { text } from "../seeds.mjs";

export const share = 0.02;
export const tries = 60;
const SUMS = "SHA256SUMS";
const config = {
  ...{ model_type: "llama", hidden_size: 8, intermediate_size: 12, num_hidden_layers: 1, num_attention_heads: 2 },
  ...{ num_key_value_heads: 1, vocab_size: 32, max_position_embeddings: 32, rms_norm_eps: 1e-5, rope_theta: 10000 },
  ...{ tie_word_embeddings: true, initializer_range: 0.2 },
};
const trainDataset = Array.from({ length: 6 }, (_, i) => {
  const inputIds = Int32Array.from({ length: 4 + (i % 3) }, (_, t) => (i * 7 + t * 11) % 32);
  return { inputIds, labels: inputIds.slice(), where: `row ${i + 1}` };
});
const args = {
  maxSteps: 4,
  saveSteps: 1,
  saveTotalLimit: 2,
  loggingSteps: 1,
  perDeviceTrainBatchSize: 2,
  learningRate: 0.02,
};

const engine = await createEngine({ threads: 1, build: "baseline", maxBytes: 64e6 });

async function train(outputDir, { stopAfter = 0, resume = true } = {}) {
  const base = await AutoModelForCausalLM.fromConfig(config, { engine, seed: 1 });
  const stop = new AbortController();
  try {
    const model = getPeftModel(base, lora({ r: 2, loraDropout: 0.2, targetModules: ["q_proj", "v_proj"] }), {
      seed: 3,
    });
    const onProgress = ({ step }) => step === stopAfter && stop.abort();
    const quiet = { onWarning: () => {}, onProgress, signal: stop.signal };
    await new Trainer({ model, args, trainDataset, outputDir, ...quiet }).train({ resume });
    return Buffer.from(outputDir.files.get("adapter/adapter_model.safetensors") ?? []).toString("latin1");
  } finally {
    base.dispose();
  }
}

const expected = await train(memoryRun());
const begun = memoryRun();
await train(begun, { stopAfter: 3 });
const files = Object.fromEntries([...begun.files].filter(([name]) => /^checkpoint-/.test(name)));

export const seeds = () => [files];

/** Mostly of the newest checkpoint; its record made true in half of the cases. */
export function mutate(files, random, seeds, words) {
  const changed = mutateFiles(files, random, seeds, words);
  return random.chance(0.5) ? rehashed(changed) : changed;
}

const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");

function rehashed(files) {
  const made = { ...files };
  for (const record of Object.keys(made).filter((name) => name.endsWith(`/${SUMS}`))) {
    const folder = record.slice(0, -SUMS.length);
    const below = Object.keys(made)
      .filter((name) => name.startsWith(folder) && name !== record)
      .sort();
    const lines = below.map((name) => `${hash(made[name])}  ${name.slice(folder.length)}\n`);
    made[record] = text(`# files: ${below.length}\n${lines.join("")}`);
  }
  return made;
}

export async function run(changed) {
  const run = memoryRun();
  for (const [name, bytes] of Object.entries(changed)) run.files.set(name, bytes);
  const result = await train(run);
  if (isAuthentic(changed) && result !== expected) throw failure("OtherBits", "the resumed run has another adapter");
}

/** Whether the records are those that the run wrote, so that any change of a file can be seen. */
function isAuthentic(changed) {
  const records = Object.keys(files).filter((name) => name.endsWith(`/${SUMS}`));
  return records.every((name) => changed[name] !== undefined && Buffer.compare(changed[name], files[name]) === 0);
}
