/** The quality cost of int8 and nf4: the loss on held-out text after 50 steps, compared with full precision. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  AdamW,
  AutoModelForCausalLM,
  AutoTokenizer,
  concatenateLabelled,
  createEngine,
  encodeRows,
  getPeftModel,
  lora,
  parseRows,
  Tape,
} from "../../dist/index.js";
import { here } from "../programs.js";
import { row } from "../report.js";

const BARS = { int8: 1, nf4: 3 };
const STEPS = 50;
const BATCH = 4;
/** The first comes with the clone; the other is measured where somebody has put it. */
const MODELS = {
  "the bundled base": here("../examples/pocket"),
  stories260K: join(process.env.LORIKEET_SHARED ?? here("../../shared"), "models/stories260K"),
};

export async function measure({ quick, log }) {
  const [rows, notes] = [[], []];
  const steps = quick ? 5 : STEPS;
  for (const [name, folder] of Object.entries(MODELS)) {
    if (!existsSync(folder)) {
      log(`SKIPPED: ${name} is not at ${folder}; LORIKEET_SHARED names the folder above models/`);
      notes.push(`${name} was not there and was skipped.`);
      continue;
    }
    log(`${name}, as stored`);
    const full = await lossAfter(steps, folder);
    rows.push(row(`${name}: loss as stored`, { value: full }, "", undefined, { digits: 4 }));
    for (const [weights, bar] of Object.entries(BARS)) {
      log(`${name}, ${weights}`);
      const found = await lossAfter(steps, folder, weights).then(
        (loss) => ({ value: 100 * (loss / full - 1) }),
        (error) => ({ missing: error.message }),
      );
      rows.push(row(`${name}, ${weights}: loss above that`, found, "<=", bar, { unit: "%" }));
    }
  }
  const about = `Mean loss of sonnets that were held back, after ${steps} steps of ${BATCH} sonnets: LoRA r 8 on all linear layers, AdamW 1e-3.`;
  return { title: "int8 and nf4 against full precision", about, rows, notes };
}

/** `weights` is how the frozen matrices are kept, by default as stored. */
async function lossAfter(steps, folder, weights) {
  const engine = await createEngine();
  const base = await AutoModelForCausalLM.fromPretrained(folder, { engine, ...(weights && { weights }) });
  const kept = new Set(Array.from(base.namedWeights().values(), ({ dtype }) => dtype));
  if (weights && !kept.has(weights))
    throw new Error(`${weights} was requested, but weights are in ${[...kept].join(", ")}`);
  const tokenizer = await AutoTokenizer.fromPretrained(folder);
  const [train, valid] = await Promise.all(["train", "valid"].map((file) => sonnets(`${file}.jsonl`, base, tokenizer)));
  const model = getPeftModel(base, lora({ r: 8, loraAlpha: 16, targetModules: "all-linear" }), { seed: 1 });
  const optimizer = new AdamW(engine, model.namedTrainable());
  for (let step = 0; step < steps; step++) {
    const examples = Array.from({ length: BATCH }, (_, i) => train[(step * BATCH + i) % train.length]);
    pass(model, base, examples, { recording: true, training: true });
    optimizer.step(1e-3, 1);
    optimizer.zeroGrad();
  }
  const loss = pass(model, base, valid, {});
  base.dispose();
  return loss;
}

async function sonnets(file, base, tokenizer) {
  const path = here(`../examples/sonnets/${file}`);
  const { vocabSize, contextLength } = base;
  return encodeRows(path, await parseRows(path, readFileSync(path)), { tokenizer, vocabSize, contextLength });
}

/** Mean loss of some examples, and their gradients where the pass is recorded. */
function pass(model, base, examples, options) {
  const labels = examples.reduce((sum, example) => sum + base.countLabels(example), 0);
  const batch = concatenateLabelled(examples);
  return Tape.once(base.engine, options, (tape) => {
    const losses = model.loss(tape, batch);
    const mean = tape.download(losses).reduce((sum, loss) => sum + loss, 0) / labels;
    if (options.recording) tape.backward(losses, 1 / labels);
    return mean;
  });
}
