/** The LoRA step to measure. */
import { getPeftModel } from "../dist/adapt/peft-model.js";
import { modelFromConfig } from "../dist/auto/auto-model.js";
import { openEngine } from "../dist/cli/model-options.js";
import { lora } from "../dist/methods/lora.js";
import { AdamW } from "../dist/optim/adamw.js";
import { Tape } from "../dist/tape/tape.js";
import { lossAndGradients, trainingBytes } from "../dist/train/micro-batch.js";
import { Objective } from "../dist/train/objective.js";
import { benchRows } from "./rows.js";
import { shapes } from "./shapes.js";

/** The training setup: a model of a shape with LoRA, and a batch for it. */
export class BenchStep {
  engine;
  model;
  peft;
  rows;
  /** Positions that are computed, and those that have a label. */
  tokens;
  labels;
  /** Working memory of a step. */
  arenaBytes;
  /** Operations of the products that a step needs. */
  flops = 0;
  /** Mean loss of the last step, before its update. */
  loss = Number.NaN;
  #objective;
  #batch;
  #how;
  #optimizer;

  constructor(model, rows, { r, targetModules, activations = "f32" }) {
    model.dropout = 0;
    const named = targetModules ? { targetModules } : {};
    this.engine = model.engine;
    this.model = model;
    this.peft = getPeftModel(model, lora({ r, loraAlpha: 2 * r, ...named }), { onWarning: () => {} });
    this.rows = rows;
    const encoderDecoder = model.traits.stacks.length > 1;
    const positions = ({ inputIds, labels }) => inputIds.length + (encoderDecoder ? labels.length : 0);
    this.tokens = rows.reduce((sum, row) => sum + positions(row), 0);
    this.labels = rows.reduce((sum, row) => sum + model.countLabels(row), 0);
    this.#objective = new Objective(this.peft);
    this.#batch = this.#objective.batch(rows, { seed: [0, 0], training: true });
    this.#optimizer = new AdamW(model.engine, this.peft.namedTrainable(), { weightDecay: 0 });
    this.#how = { activations };
    this.arenaBytes = trainingBytes(this.#objective, this.#batch, this.#how);
    Tape.plan(model.engine, { recording: true, training: true }, (tape) => {
      tape.backward(this.peft.loss(tape, this.#batch.sequences));
      this.flops = tape.flops;
    });
  }

  static async open(options) {
    const model = await modelOfShape(options);
    const shape = shapes[options.shape];
    const { data } = options;
    const tokens = options.tokens ?? shape.tokens;
    const batch = options.batch ?? shape.batch;
    const encoderDecoder = model.traits.stacks.length > 1;
    const rows = benchRows({ data, tokens, batch, vocabSize: model.vocabSize, encoderDecoder });
    return new BenchStep(model, rows, options);
  }

  /** Forward, backward and AdamW. */
  run() {
    const { labels } = this;
    const how = { divisor: labels, seed: [0, 0], ...this.#how };
    this.loss = lossAndGradients(this.#objective, this.arenaBytes, this.#batch, how).sum / labels;
    this.#optimizer.step(1e-3, 1);
    this.#optimizer.zeroGrad();
  }
}

/** A model of a shape with random weights. */
export async function modelOfShape(options) {
  const engine = await openEngine(options);
  const { weights } = options;
  return await modelFromConfig(shapes[options.shape].config, null, { engine, fast: true, weights });
}
