/** Every architecture with every head against transformers: outputs, loss, gradients and four steps of AdamW. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { loadPretrained, modelFromConfig } from "../../src/auto/auto-model.ts";
import type { Task } from "../../src/core/task.ts";
import { pixelInput } from "../../src/nn/pass/pixels.ts";
import { concatenateInputs, concatenateLabelled, type Labelled } from "../../src/nn/pass/sequences.ts";
import { FeatureExtractor } from "../../src/nn/tasks/feature-extractor.ts";
import type { Model } from "../../src/nn/tasks/model.ts";
import { AdamW } from "../../src/optim/adamw.ts";
import { Tape } from "../../src/tape/tape.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import {
  cases,
  expectClose,
  expectTravelled,
  GOLDEN,
  readCase,
  readTensors,
  type Tensor,
  type TrainCase,
} from "../golden-files.ts";
import { engineBuilds } from "../kernels/bed.ts";

interface Case {
  readonly task: Task;
  readonly batch: {
    readonly sequences?: number[][];
    readonly token_type_ids?: number[][];
    readonly pixel_values?: number[][];
    readonly labels?: number[][];
  };
  readonly train?: TrainCase;
  /** Tensors whose way is decided by rounding. */
  readonly unsettled?: readonly string[];
}

type Tensors = Map<string, Tensor>;

function examplesOf({ task, batch }: Case): Labelled[] {
  const { sequences, token_type_ids: types, pixel_values: pixels, labels } = batch;
  const count = (sequences ?? pixels)!.length;
  return Array.from({ length: count }, (_, i) => ({
    inputIds: sequences?.[i] ?? [],
    labels: labels?.[i] ?? (task === "FEATURE_EXTRACTION" ? [] : expect.fail("no labels")),
    ...(types && { tokenTypes: types[i]! }),
    ...(pixels && { inputs: [pixelInput(Float32Array.from(pixels[i]!))] }),
  }));
}

const labelsOf = (model: Model, examples: readonly Labelled[]) =>
  examples.reduce((sum, example) => sum + model.countLabels(example), 0);

function expectOutputs(model: Model, examples: readonly Labelled[], want: Tensors): void {
  const batch = concatenateInputs(examples);
  if (model instanceof FeatureExtractor) {
    const hidden = Tape.once(model.engine, {}, (tape) => tape.download(model.outputs(tape, batch)));
    expectClose("hidden", hidden, want.get("hidden")!.values, 1e-4, 2e-4);
    const pooled = want.get("pooled")?.values;
    if (pooled) expectClose("pooled", model.embed(batch, "pooler"), pooled, 1e-4, 2e-4);
    else expect(() => model.embed(batch, "pooler")).toThrow("has no pooler");
    return;
  }
  const labelled = concatenateLabelled(examples);
  const { logits, losses } = Tape.once(model.engine, {}, (tape) => ({
    logits: tape.download(model.outputs(tape, labelled)),
    losses: tape.download(model.loss(tape, labelled)),
  }));
  expectClose("logits", logits, want.get("logits")!.values, 1e-4, 2e-4);
  const loss = losses.reduce((a, b) => a + b, 0) / labelsOf(model, examples);
  expectClose("loss", [loss], want.get("loss")!.values, 1e-5, 1e-5);
}

/** Trains on one batch and compares what the case has kept: gradients of the first step, values after the last. */
function expectTraining(
  model: Model,
  { train, unsettled }: Case,
  examples: Labelled[],
  want: Tensors,
  start: Tensors,
): void {
  const { steps, lr, weight_decay, betas, eps } = train!;
  const params = new Map(model.trainAll().map((p) => [p.name, p]));
  for (const [key, param] of params)
    param.values().set(start.get(key)?.values ?? expect.fail(`${key} is not in the golden`));
  expect([...params.keys()].sort()).toEqual([...start.keys()].sort());
  using optimizer = new AdamW(model.engine, params, {
    beta1: betas[0],
    beta2: betas[1],
    eps,
    weightDecay: weight_decay,
  });
  const batch = concatenateLabelled(examples);
  let checked = 0;
  for (let step = 0; step < steps; step++) {
    Tape.once(model.engine, { recording: true }, (tape) => {
      tape.backward(model.loss(tape, batch), 1 / labelsOf(model, examples));
    });
    for (const [key, param] of step === 0 ? params : []) {
      const grad = want.get(`grad.${key}`)?.values;
      if (!grad) continue;
      checked++;
      const scale = Math.max(...grad.map(Math.abs));
      expectClose(`grad.${key}`, param.gradient(), grad, 1e-5 + 2e-4 * scale, 2e-4);
    }
    optimizer.step(lr, 1);
    optimizer.zeroGrad();
  }
  for (const [key, param] of params) {
    const after = want.get(`param.${key}`)?.values;
    if (!after || unsettled!.includes(key)) continue;
    checked++;
    expectTravelled(`param.${key}`, param.values(), after, start.get(key)!.values, 0.02);
  }
  expect(checked).toBeGreaterThan(10);
}

for (const build of engineBuilds) {
  describe(build, () => {
    for (const name of cases("tasks")) {
      const folder = `tasks/${name}`;
      const given = readCase<Case>(folder);
      const examples = examplesOf(given);

      test(`${name}: outputs and loss are those of transformers`, async () => {
        using engine = await createEngine({ build });
        const warnings: string[] = [];
        const options = { engine, onWarning: (message: string) => warnings.push(message) };
        using model = await loadPretrained(`${GOLDEN}/${folder}`, given.task, options);
        expect(warnings).toEqual([]);
        expectOutputs(model, examples, await readTensors(folder));
      });

      test.skipIf(!given.train)(`${name}: gradients and four AdamW steps are those of torch`, async () => {
        using engine = await createEngine({ build });
        const config = JSON.parse(readFileSync(`${GOLDEN}/${folder}/config.json`, "utf8"));
        using model = await modelFromConfig(config, given.task, { engine });
        const want = await readTensors(folder);
        expectTraining(model, given, examples, want, await readTensors(folder, "model.safetensors"));
      });
    }
  });
}
