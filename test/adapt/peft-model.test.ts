/** An adapted model: adapters switched off, and dropout. */
import { describe, expect, test } from "vitest";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { lora } from "../../src/methods/lora.ts";
import { Tape } from "../../src/tape/tape.ts";
import { base, batch, scramble, silent, twoAdapters } from "./golden-adapter.ts";

describe("disabling", () => {
  test("gives the base's output bit for bit, nested, in promises and after errors, and then the adapter's again", async () => {
    const { model } = await twoAdapters();
    const plain = (await base()).forward(batch).data;
    const applied = model.forward(batch).data;
    model.disableAdapter(() => {
      expect(model.forward(batch).data).toEqual(plain);
      model.disableAdapter(() => expect(model.forward(batch).data).toEqual(plain));
      expect(model.adaptersEnabled).toBe(false);
      expect(model.forward(batch).data).toEqual(plain);
    });
    expect(model.forward(batch).data).toEqual(applied);
    const waited = model.disableAdapter(async () => {
      await Promise.resolve();
      return model.forward(batch).data;
    });
    expect(await waited).toEqual(plain);
    expect(model.adaptersEnabled).toBe(true);
    expect(() =>
      model.disableAdapter(() => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(model.forward(batch).data).toEqual(applied);
  });

  test("also switches off trained biases and copied modules", async () => {
    const plain = await base("llama-bias");
    const before = plain.forward(batch).data;
    const model = getPeftModel(plain, lora({ bias: "all", modulesToSave: ["norm"] }), silent);
    scramble(model, "default");
    expect(model.forward(batch).data).not.toEqual(before);
    expect(model.disableAdapter(() => model.forward(batch).data)).toEqual(before);
  });
});

describe("dropout", () => {
  const training = { recording: true, training: true, seed: [7, 3] } as const;
  for (const useDora of [false, true]) {
    test(`in training the same seed gives the same loss and gradients${useDora ? ", with magnitudes" : ""}, and evaluation has none`, async () => {
      const model = getPeftModel(
        await base("llama-bias"),
        lora({ r: 4, loraAlpha: 12, loraDropout: 0.5, useDora }),
        silent,
      );
      scramble(model, "default");
      const run = (options: { recording: boolean; training: boolean; seed: readonly [number, number] }) => {
        for (const param of model.namedTrainable().values()) param.gradient().fill(0);
        const losses = Tape.once(model.engine, options, (tape) => {
          const loss = model.loss(tape, batch);
          tape.backward(loss, 1);
          return tape.download(loss);
        });
        return [losses, ...Array.from(model.namedTrainable().values(), (param) => param.gradient().slice())];
      };
      expect(run(training)).toEqual(run(training));
      expect(run({ ...training, seed: [8, 3] })[0]).not.toEqual(run(training)[0]);
      expect(run({ ...training, training: false })[0]).not.toEqual(run(training)[0]);
    });
  }

  test("with magnitudes, dropout's mean effect is none: averaged over masks the output is the one without", async () => {
    const model = getPeftModel(
      await base("llama-bias"),
      lora({ r: 4, loraAlpha: 12, loraDropout: 0.3, useDora: true, targetModules: ["lm_head"] }),
      silent,
    );
    scramble(model, "default");
    const exact = model.forward(batch).data;
    const mean = new Float64Array(exact.length);
    const runs = 600;
    for (let seed = 0; seed < runs; seed++) {
      const logits = Tape.once(model.engine, { training: true, seed: [seed, 0] }, (tape) =>
        tape.download(model.logits(tape, batch)),
      );
      for (let i = 0; i < mean.length; i++) mean[i]! += logits[i]! / runs;
    }
    const spread = Math.sqrt(exact.reduce((sum, x) => sum + x * x, 0) / exact.length);
    const off = Math.sqrt(exact.reduce((sum, x, i) => sum + (x - mean[i]!) ** 2, 0) / exact.length);
    expect(off).toBeLessThan(0.08 * spread);
  });
});
