/** A convolution over a square plane of depths, whatever its size, and a head on the mean of its places. */
import { defineModel, type Headed } from "../nn/define-model.ts";
import type { InputKind } from "../nn/pass/inputs.ts";
import type { Pass } from "../nn/pass/pass.ts";
import { gridOf, startsOf, windows } from "../ops/grid.ts";
import { patches } from "../ops/layout/patches.ts";
import { meanRows } from "../ops/layout/rows.ts";
import { tanh } from "../ops/pointwise/activation.ts";

const depths: InputKind = {
  kind: "depths",
  shape: null,
  rows: (values) => values.length,
  largest: () => new Float32Array(36),
  problem: (values) =>
    values === undefined || !Number.isInteger(Math.sqrt(values.length)) ? "expected the depths of a square" : null,
};

export const toynet = defineModel({
  modelType: "toynet",
  title: "A toy",
  prefix: "toynet",
  targets: { linear: ["convolution"] },
  keys: {},
  config: (c) => ({ channels: c.int("channels", 4) }),
  heads: {
    volume: {
      architecture: "ToyNetForVolume",
      build({ channels }, w) {
        const convolution = w.linear("convolution", { inFeatures: 9, outFeatures: channels, bias: true });
        const head = w.head("volume", { inFeatures: channels, outFeatures: 1, bias: true });
        const body: Headed = {
          vocabSize: 0,
          contextLength: Number.POSITIVE_INFINITY,
          inputs: [depths],
          outputs: 1,
          forward(pass: Pass) {
            const { values, starts } = pass.input("depths");
            const sides = Array.from(starts.subarray(1), (end, s) => Math.sqrt(end - starts[s]!));
            const rows = patches(pass.tape, values as Float32Array, {
              ...{ channels: 1, height: values.length, width: 1, patchHeight: 1, patchWidth: 1 },
            });
            const grid = gridOf(
              rows,
              sides.map((side) => ({ height: side, width: side })),
            );
            const seen = windows(grid, { height: 3, width: 3, padding: 1 });
            const mean = meanRows(tanh(convolution.forward(seen.value, { starts: startsOf(seen) })), startsOf(seen));
            return head.forward(mean, { starts: Int32Array.from({ length: sides.length + 1 }, (_, s) => s) });
          },
        };
        return body;
      },
    },
  },
});
