/** Trains the same small models in the relaxed and in the wide build: losses and adapters must have the same bits. Run by run.mjs. */
import {
  AutoModelForCausalLM,
  createEngine,
  generate,
  getPeftModel,
  lora,
  memoryRun,
  Trainer,
} from "../../dist/index.js";

const common = { vocab_size: 301, num_hidden_layers: 2, num_attention_heads: 4, tie_word_embeddings: true };
const llama = {
  model_type: "llama",
  hidden_size: 96,
  intermediate_size: 200,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-5,
};
const configs = {
  llama: { ...common, ...llama, max_position_embeddings: 128, rope_theta: 10000, initializer_range: 0.2 },
  gpt2: { ...common, model_type: "gpt2", n_embd: 72, n_layer: 2, n_head: 3, n_positions: 128, n_inner: 150 },
};
const trainDataset = Array.from({ length: 8 }, (_, i) => {
  const inputIds = Int32Array.from({ length: 20 + 11 * i }, (_, t) => (i * 7 + t * 11) % 300);
  return { inputIds, labels: inputIds.slice(), where: `row ${i + 1}` };
});

async function trained(build, config, weights, threads) {
  const engine = await createEngine({ build, threads, onWarning: console.log });
  if (engine.build !== build) throw new Error(`the engine's build is ${engine.build}, asked for was ${build}`);
  const model = await AutoModelForCausalLM.fromConfig(config, { engine, seed: 1, weights });
  const peft = getPeftModel(model, lora({ r: 5, targetModules: "all-linear" }), { seed: 2, onWarning: () => {} });
  const outputDir = memoryRun();
  const losses = [];
  const args = { maxSteps: 4, loggingSteps: 1, perDeviceTrainBatchSize: 3, learningRate: 0.01, weightDecay: 0.1 };
  await new Trainer({
    ...{ model: peft, args, trainDataset, outputDir, onWarning: () => {} },
    callbacks: [{ onLog: (_args, _state, _control, { logs }) => logs.loss !== undefined && losses.push(logs.loss) }],
  }).train();
  const [first] = await generate(peft, [[1, 2, 3], [4, 5], [6], [7, 8], [9, 1]], { maxNewTokens: 8, eosTokenId: null });
  const adapter = await outputDir.source("adapter").read("adapter_model.safetensors");
  engine.dispose();
  if (losses.length !== 4) throw new Error(`a run of 4 steps logged ${losses.length} losses`);
  return JSON.stringify({ losses, first, adapter: Buffer.from(adapter).toString("base64") });
}

let failed = 0;
for (const [name, config] of Object.entries(configs))
  for (const weights of ["f32", "bf16", "int8", "nf4"]) {
    const want = await trained("relaxed", config, weights, 1);
    for (const threads of [1, 2]) {
      const same = (await trained("wide", config, weights, threads)) === want;
      if (!same) failed++;
      console.log(
        `${same ? "same bits" : "OTHER BITS"}  ${name} ${weights}, ${threads} thread${threads > 1 ? "s" : ""}`,
      );
    }
  }
process.exit(failed === 0 ? 0 : 1);
