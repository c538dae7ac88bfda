/**
 * The Lorikeet contestant: a LoRA step, or a forward pass of an embedding model.
 *
 *   echo | node bench/ours.js '{"shape": "tiny", "build": "auto", "threads": 1, "weights": "f32", "rows": [...]}'
 *
 * Float32 weights are those that all contestants agree on; others are the library's own.
 */
import { openEngine } from "../dist/cli/model-options.js";
import { fillAgreed } from "./agreed.js";
import { BenchForward, BenchStep, modelOfShape } from "./lora-step.js";
import { measurePeak } from "./measure.js";
import { takeTurns, task } from "./turns.js";

const { shape, build = "auto", threads = 1, weights = "f32", rows, pass = "step", r = 8, slice } = task();
const engine = await openEngine({ build, threads });
const model = await modelOfShape({ shape, weights, engine });
if (weights === "f32") fill(model.namedWeights());
const made = pass === "forward" ? new BenchForward(model, rows) : new BenchStep(model, rows, { r });
if (pass === "step") fill(made.peft.namedTrainable());

function step() {
  made.run();
  return made.loss;
}

const facts = () => ({
  ...{ name: "lorikeet", version: `node ${process.version}`, build: engine.build, threads: engine.threads, weights },
  ...{ tokens: made.tokens, labels: made.labels, flops: made.flops, wasmBytes: engine.memory.peakBytes },
});

await takeTurns(step, { slice, facts, beside: () => ({ peakFlops: measurePeak(engine) }) });

/** Matrices; vectors are ones and zeros, up-projections zeros. */
function fill(tensors) {
  for (const [name, tensor] of tensors) {
    if (tensor.shape.length < 2 || name.includes(".lora_B.")) continue;
    const [rows, width] = tensor.shape;
    const values = engine.memory.f32(tensor.ptr, rows * width);
    fillAgreed(values, name.replace(/^base_model\.model\./, ""), tensor.shape);
  }
}
