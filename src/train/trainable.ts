/** What the trainer needs of a model: one interface, so that it knows neither architectures nor methods. */
import type { Target } from "../core/host.ts";
import type { CausalLM } from "../nn/causal-lm.ts";
import type { LabelledSequences } from "../nn/sequences.ts";
import type { Tape, Value } from "../tape/tape.ts";
import type { Param } from "../tensor/tensor.ts";
import type { Engine } from "../wasm/engine.ts";

/** A model with something to train: a PeftModel, or a whole model by `fullTraining`. */
export interface Trainable {
  readonly engine: Engine;
  readonly vocabSize: number;
  readonly contextLength: number;
  /** Replaces every dropout probability in training, when set. */
  dropout: number | null;
  /** Losses in nats of each labelled position, recorded on `tape`. */
  loss(tape: Tape, batch: LabelledSequences): Value;
  /** What is trained, by the name it has in a file, always in the same order. */
  namedTrainable(): Map<string, Param>;
  /** Writes what was trained, as users load it. */
  savePretrained(target: Target): Promise<void>;
}

/**
 * Trains all weights of a model made by `fromConfig`. `save` writes the model.
 *
 * @example
 * const model = await AutoModelForCausalLM.fromConfig(config, { seed: 1 });
 * await new Trainer({ model: fullTraining(model, (target) => saveModel(model, target)), trainDataset }).train();
 */
export function fullTraining(model: CausalLM, save: (target: Target) => Promise<void>): Trainable {
  const named = new Map(model.trainAll().map((param) => [param.name, param]));
  return {
    engine: model.engine,
    vocabSize: model.vocabSize,
    contextLength: model.contextLength,
    get dropout() {
      return model.dropout;
    },
    set dropout(p) {
      model.dropout = p;
    },
    loss: (tape, batch) => model.loss(tape, batch),
    namedTrainable: () => named,
    savePretrained: save,
  };
}
