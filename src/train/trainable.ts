/** What the trainer needs from a model, so that it depends on neither architectures nor methods. */
import { expectArgument } from "../core/call-options.ts";
import type { Target } from "../core/host.ts";
import type { Model } from "../nn/tasks/model.ts";
import { type SuggestedRate, wholeRate } from "../nn/tasks/suggested-rate.ts";
import { ModelAround, type TaskModel } from "../nn/tasks/task-model.ts";
import type { Param, Weight } from "../tensor/tensor.ts";

/** A model with trainable parameters: a PeftModel, or a whole model through `fullTraining`. */
export interface Trainable extends TaskModel {
  /** Bytes of memory that training adds to the base's weights: an adapter and its gradients, or only the gradients. */
  readonly adapterBytes: number;
  /** The trained parameters by their names in a file, always in the same order. */
  namedTrainable(): Map<string, Param>;
  /** The weights that training reads and does not change, always in the same order. */
  frozenWeights?(): Iterable<Weight>;
  /** Writes the trained model or adapter in the form that users load. */
  savePretrained(target: Target): Promise<void>;
  /** Whether training itself changes this key of a .json file that `savePretrained` writes. */
  isLearned?(file: string, key: string): boolean;
  /**
   * Called after each optimizer step; the gradients of the step, multiplied by clipping's `gradScale`, are still
   * available.
   */
  afterStep?(step: number, gradScale: number): void;
  /** A peak learning rate for AdamW that suits what is trained. */
  readonly suggestedRate?: SuggestedRate;
  /** What a checkpoint stores in addition to the trained tensors, by name: the live arrays. */
  namedState?(): ReadonlyMap<string, Float32Array>;
}

/**
 * Trains all weights of a model created by `fromConfig` or loaded with `trainable: true`. `save` writes the model.
 *
 * @example
 * const model = await AutoModelForCausalLM.fromConfig(config, { seed: 1 });
 * await new Trainer({ model: fullTraining(model, (target) => saveModel(model, target)), trainDataset }).train();
 */
export function fullTraining(model: Model, save: (target: Target) => Promise<void>): Trainable {
  expectArgument(
    "fullTraining",
    "the second argument",
    save,
    typeof save === "function",
    "a function that saves the model",
  );
  return new WholeModel(model, save);
}

class WholeModel extends ModelAround<Model> implements Trainable {
  readonly savePretrained: Trainable["savePretrained"];
  readonly named: Map<string, Param>;

  constructor(model: Model, save: Trainable["savePretrained"]) {
    super(model);
    this.savePretrained = save;
    this.named = new Map(model.trainAll().map((param) => [param.name, param]));
  }
  get adapterBytes(): number {
    return Array.from(this.named.values()).reduce((sum, { bytes }) => sum + bytes / 2, 0);
  }
  get suggestedRate(): SuggestedRate {
    return wholeRate(this.base.width);
  }
  namedTrainable(): Map<string, Param> {
    return this.named;
  }
}
