/** Every architecture against transformers: logits, loss, the gradient of every parameter and four steps of AdamW. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { AutoModelForCausalLM } from "../src/auto/auto-classes.ts";
import { concatenateLabelled, targetsOf } from "../src/nn/pass/sequences.ts";
import { AdamW } from "../src/optim/adamw.ts";
import { Tape } from "../src/tape/tape.ts";
import { createEngine } from "../src/wasm/engine.ts";
import { cases, expectClose, expectTravelled, GOLDEN, readCase, readTensors, type TrainCase } from "./golden-files.ts";
import { engineBuilds } from "./kernels/bed.ts";

interface Case {
  sequences: number[][];
  labels: number[][];
  train?: TrainCase;
}

const labelled = ({ sequences, labels }: Case) =>
  concatenateLabelled(sequences.map((inputIds, i) => ({ inputIds, labels: labels[i]! })));

for (const build of engineBuilds) {
  describe(build, () => {
    for (const name of cases("models")) {
      const folder = `models/${name}`;
      const given = readCase<Case>(folder);

      test(`${name}: logits and loss are those of transformers`, async () => {
        const want = await readTensors(folder);
        using engine = await createEngine({ build });
        using model = await AutoModelForCausalLM.fromPretrained(`${GOLDEN}/${folder}`, { engine });
        const batch = labelled(given);
        expectClose("logits", model.forward(batch).data, want.get("logits")!.values, 1e-4, 2e-4);
        const losses = Tape.once(engine, {}, (tape) => tape.download(model.loss(tape, batch)));
        const loss = losses.reduce((a, b) => a + b, 0) / losses.length;
        expectClose("loss", [loss], want.get("loss")!.values, 1e-5, 1e-5);
      });

      test.skipIf(!given.train)(`${name}: gradients and four AdamW steps are those of torch`, async () => {
        const { steps, lr, weight_decay, betas, eps } = given.train!;
        const want = await readTensors(folder);
        const start = await readTensors(folder, "model.safetensors");
        using engine = await createEngine({ build });
        using model = await AutoModelForCausalLM.fromConfig(
          JSON.parse(readFileSync(`${GOLDEN}/${folder}/config.json`, "utf8")),
          { engine },
        );
        const params = new Map(model.trainAll().map((p) => [p.name, p]));
        for (const [key, param] of params) param.values().set(start.get(key)!.values);
        using optimizer = new AdamW(engine, params, {
          beta1: betas[0],
          beta2: betas[1],
          eps,
          weightDecay: weight_decay,
        });
        const batch = labelled(given);
        const count = targetsOf(batch).targets.length;
        let checked = 0;
        for (let step = 0; step < steps; step++) {
          Tape.once(engine, { recording: true }, (tape) => {
            const loss = model.loss(tape, batch);
            tape.backward(loss, 1 / count);
          });
          if (step === 0) {
            for (const [key, param] of params) {
              const grad = want.get(`grad.${key}`)?.values;
              if (!grad) continue;
              checked++;
              const scale = Math.max(...grad.map(Math.abs));
              expectClose(`grad.${key}`, param.gradient(), grad, 1e-5 + 2e-4 * scale, 2e-4);
            }
          }
          optimizer.step(lr, 1);
          optimizer.zeroGrad();
        }
        for (const [key, param] of params) {
          const after = want.get(`param.${key}`)?.values;
          if (!after) continue;
          checked++;
          // The bias of GPT-2's keys has no effect on attention, so its gradient is rounding noise.
          const third = param.size / 3;
          const noise = key.endsWith("c_attn.bias") ? (i: number) => i >= third && i < 2 * third : () => false;
          expectTravelled(`param.${key}`, param.values(), after, start.get(key)!.values, 0.02, noise);
        }
        expect(checked).toBeGreaterThan(5);
      });
    }
  });
}
