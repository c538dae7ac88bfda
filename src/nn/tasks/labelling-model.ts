/** What models have that put labels on sequences or on their tokens. */
import type { Tape, Value } from "../../tape/tape.ts";
import type { Headed } from "../define-model.ts";
import type { PassOptions } from "../pass/pass.ts";
import type { Sequences } from "../pass/sequences.ts";
import { labelNames } from "./label-names.ts";
import { Model } from "./model.ts";

export abstract class LabellingModel extends Model<Headed> {
  /** Outputs of the head. */
  get numLabels(): number {
    return this.body.outputs;
  }
  /** Names of the classes in order, where the config has them. */
  override get labelNames(): string[] | null {
    return labelNames(this.config);
  }

  /** Logits: [sequences, labels], or [T, labels] with rows for virtual tokens too. */
  override outputs(tape: Tape, sequences: Sequences, options: PassOptions = {}): Value {
    return tape.scope(() => this.body.forward(this.pass(tape, sequences, options)));
  }
}
