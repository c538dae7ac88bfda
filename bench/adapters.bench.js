/**
 * Switching among many adapters on one base: its cost, and that it copies nothing.
 *
 *   node bench/adapters.bench.js [--adapters 100] [--rounds 200]
 *
 * A base of GPT-2 small's shape carries LoRA adapters of rank 8 on c_attn; each round activates another one.
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { AutoModelForCausalLM, getPeftModel, lora } from "../dist/index.js";
import { median } from "./statistics.js";

const { values } = parseArgs({
  options: { adapters: { type: "string", default: "100" }, rounds: { type: "string", default: "200" } },
});
const [adapters, rounds] = [Number(values.adapters), Number(values.rounds)];

const base = await AutoModelForCausalLM.fromConfig({ model_type: "gpt2" }, { fast: true });
const config = lora({ r: 8, inferenceMode: true });
const model = getPeftModel(base, config, { onWarning: () => {} });
for (let i = 1; i < adapters; i++) model.addAdapter(`adapter${i}`, config);

const bytes = base.engine.memory.usedBytes;
const samples = [];
for (let round = 0; round < rounds; round++) {
  const name = round % adapters === 0 ? "default" : `adapter${round % adapters}`;
  const start = performance.now();
  model.setAdapter(name);
  samples.push(performance.now() - start);
}
const sorted = samples.slice().sort((a, b) => a - b);
console.log(`${cpus()[0]?.model.trim()}, node ${process.version}`);
console.log(
  `switching among ${adapters} LoRA adapters on GPT-2 small: median ${median(samples).toFixed(3)} ms, ` +
    `99th of 100 ${sorted[Math.floor(0.99 * (rounds - 1))].toFixed(3)} ms, ${base.engine.memory.usedBytes - bytes} bytes allocated`,
);
