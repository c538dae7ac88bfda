/** Shared by models that label sequences or tokens. */
import { numberedLabels } from "../../core/labels.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import type { Headed } from "../define-model.ts";
import type { PassOptions } from "../pass/pass.ts";
import type { Sequences } from "../pass/sequences.ts";
import { labelNames } from "./label-names.ts";
import { Model } from "./model.ts";

/** A model that gives labels: to sequences, tokens or images. */
export abstract class LabellingModel extends Model<Headed> {
  /** Outputs of the head. */
  get numLabels(): number {
    return this.body.outputs;
  }
  /** Names of the classes in order: the config's, or LABEL_0, LABEL_1, ... */
  override get labelNames(): string[] {
    return labelNames(this.config) ?? numberedLabels(this.numLabels);
  }

  /** Logits: [sequences, labels], or [T, labels] including rows for virtual tokens. */
  override outputs(tape: Tape, sequences: Sequences, options: PassOptions = {}): Value {
    return tape.scope(() => this.body.forward(this.pass(tape, sequences, options)));
  }
}
