/** How much water a basin holds: a plane of depths, and a number to be met. */
import { StateError } from "../core/errors.ts";
import type { Headed } from "../nn/define-model.ts";
import { inputProblem } from "../nn/pass/example-problems.ts";
import type { PassOptions } from "../nn/pass/pass.ts";
import type { Labelled, LabelledSequences, Sequences } from "../nn/pass/sequences.ts";
import { Model } from "../nn/tasks/model.ts";
import type { Measured } from "../nn/tasks/task-model.ts";
import { squaredError } from "../ops/loss/losses.ts";
import type { Tape, Value } from "../tape/tape.ts";
import { defineRow } from "./kit/define-row.ts";
import { defineTask } from "./kit/define-task.ts";

export interface BasinContent {
  readonly kind: "basin";
  readonly depths: readonly number[];
  readonly volume: number | null;
}

const basinRow = defineRow<BasinContent>({
  kind: "basin",
  title: "a basin",
  required: ["depths"],
  optional: ["volume"],
  shapes: ['{"depths": [numbers], "volume"}'],
  isText: false,
  read({ depths, volume = null }) {
    if (!Array.isArray(depths) || !depths.every(Number.isFinite)) return '"depths" should be numbers';
    return { kind: "basin", depths, volume: volume as number | null };
  },
});

export class VolumeModel extends Model<Headed> {
  override outputs(tape: Tape, sequences: Sequences, options: PassOptions = {}): Value {
    return tape.scope(() => {
      const pass = this.pass(tape, sequences, options);
      return this.body.forward(pass);
    });
  }
  override loss(tape: Tape, batch: LabelledSequences): Value {
    if (batch.labels.length === 0) throw new StateError("loss: no basin has a volume");
    return tape.scope(() => squaredError(this.outputs(tape, batch), Float32Array.from(batch.labels)));
  }
  override measure(tape: Tape, batch: LabelledSequences): Measured {
    const outputs = this.outputs(tape, batch);
    return { losses: squaredError(outputs, Float32Array.from(batch.labels)), outputs, rows: (s) => [s, s + 1] };
  }
  override countLabels(): number {
    return 1;
  }
  override problemWith(example: Labelled): string | null {
    return inputProblem(example, this);
  }
}

export const task = defineTask({
  name: "TOY_VOLUME",
  taskType: null,
  head: "volume",
  headModules: ["volume"],
  headOutsideAllLinear: true,
  stacks: ["encoder"],
  auto: 'autoModelFor("TOY_VOLUME")',
  model: async () => VolumeModel,
  rows: [basinRow],
  needs: '{"depths", "volume"}',
  suggestedBy: () => true,
  encode({ depths, volume }, { unlabelled = false }) {
    if (volume === null && !unlabelled) return 'has no "volume"';
    return {
      inputIds: new Int32Array(),
      labels: Float32Array.from(volume === null ? [] : [volume]),
      inputs: [{ kind: "depths", values: Float32Array.from(depths) }],
    };
  },
  countLabels: ({ length }) => length,
  longest: (model) => ({
    inputIds: new Int32Array(),
    labels: new Float32Array(1),
    inputs: model.inputKinds.map(({ kind, largest }) => ({ kind, values: largest(0) })),
  }),
  metrics: async () =>
    (await import("../metrics/sequence-metrics.ts")).sequenceMetrics({
      labelNames: ["volume"],
      problemType: "regression",
    }),
  present:
    async ({ outputs }) =>
    (example) => ({ volume: outputs(example)[0] }),
});
