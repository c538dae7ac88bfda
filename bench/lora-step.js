/** The LoRA step to measure. */
import { getPeftModel } from "../dist/adapt/peft-model.js";
import { modelFromConfig } from "../dist/auto/auto-model.js";
import { lora } from "../dist/methods/lora.js";
import { concatenateLabelled } from "../dist/nn/pass/sequences.js";
import { AdamW } from "../dist/optim/adamw.js";
import { Tape } from "../dist/tape/tape.js";
import { lossAndGradients, trainingBytes } from "../dist/train/micro-batch.js";
import { Objective } from "../dist/train/objective.js";
import { pairLosses } from "./pair-losses.js";
import { benchRows } from "./rows.js";
import { shapes } from "./shapes.js";

/** The training setup: a model of a shape with LoRA, and a batch for it. */
export class BenchStep {
  engine;
  model;
  peft;
  rows;
  /** Positions that are computed, and those that have a label; of an embedding model, the pairs. */
  tokens;
  labels;
  /** Working memory of a step. */
  arenaBytes;
  /** Operations of the products that a step needs. */
  flops = 0;
  /** Mean loss of the last step, before its update. */
  loss = Number.NaN;
  #step;
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
    this.labels = embeds(model) ? rows.length / 2 : rows.reduce((sum, row) => sum + model.countLabels(row), 0);
    this.#optimizer = new AdamW(model.engine, this.peft.namedTrainable(), { weightDecay: 0 });
    this.#step = embeds(model) ? this.#stepOfPairs() : this.#stepOfTrainer(activations);
  }

  /** `options.engine` has the model. */
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
    this.loss = this.#step();
    this.#optimizer.step(1e-3, 1);
    this.#optimizer.zeroGrad();
  }

  /** Loss and gradients as the trainer computes them. */
  #stepOfTrainer(activations) {
    const objective = new Objective(this.peft);
    const batch = objective.batch(this.rows, { seed: [0, 0], training: true });
    const how = { divisor: this.labels, seed: [0, 0], activations };
    this.arenaBytes = trainingBytes(objective, batch, { activations });
    Tape.plan(this.engine, PASS, (tape) => {
      tape.backward(this.peft.loss(tape, batch.sequences));
      this.flops = tape.flops;
    });
    return () => lossAndGradients(objective, this.arenaBytes, batch, how).sum / this.labels;
  }

  #stepOfPairs() {
    const batch = concatenateLabelled(this.rows);
    const pass = (tape) => {
      const losses = pairLosses(tape, this.model, batch);
      tape.backward(losses, 1 / this.labels);
      this.flops = tape.flops;
      return tape.download(losses).reduce((sum, loss) => sum + loss, 0) / this.labels;
    };
    this.arenaBytes = Tape.plan(this.engine, PASS, pass);
    return () => Tape.run(this.engine, this.arenaBytes, PASS, pass);
  }
}

/** A plain forward pass of an embedding model without adapters, to the loss of its pairs. */
export class BenchForward {
  engine;
  tokens;
  labels;
  flops = 0;
  loss = Number.NaN;
  #arenaBytes;
  #compute;

  constructor(model, rows) {
    const batch = concatenateLabelled(rows);
    this.engine = model.engine;
    this.tokens = batch.ids.length;
    this.labels = rows.length / 2;
    this.#compute = (tape) => {
      const losses = tape.download(pairLosses(tape, model, batch));
      this.loss = losses.reduce((sum, loss) => sum + loss, 0) / this.labels;
      this.flops = tape.flops;
    };
    this.#arenaBytes = Tape.plan(model.engine, {}, this.#compute);
  }

  run() {
    Tape.run(this.engine, this.#arenaBytes, {}, this.#compute);
  }
}

/** Whether a model computes vectors of texts, without a loss that the model defines. */
const embeds = (model) => model.task === "FEATURE_EXTRACTION";

const PASS = { recording: true, training: true };

/** A model of a shape with random weights, in an engine. */
export async function modelOfShape({ shape, weights, engine }) {
  return await modelFromConfig(shapes[shape].config, null, { engine, fast: true, weights });
}
