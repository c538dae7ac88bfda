import { expect, test } from "vitest";
import { getPeftModel, type PeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM, AutoModelForSeq2SeqLM } from "../../../src/auto/auto-classes.ts";
import { lora } from "../../../src/methods/lora.ts";
import { promptTuning } from "../../../src/methods/prompt_tuning.ts";
import { concatenateLabelled, type Labelled } from "../../../src/nn/pass/sequences.ts";
import type { Model } from "../../../src/nn/tasks/model.ts";
import { sequenceLogProbs } from "../../../src/nn/tasks/sequence-log-probs.ts";
import * as ops from "../../../src/ops.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { createEngine } from "../../../src/wasm/engine.ts";
import { base, config, scramble, silent } from "../../adapt/tiny-adapters.ts";
import { expectClose } from "../../golden-files.ts";
import { expectSlopeAlong } from "../../models/slope.ts";
import { tinyEncoderDecoders } from "../../models/tiny.ts";

const examples: Labelled[] = [
  { inputIds: [3, 9, 27, 31], labels: [-100, -100, 27, 31] },
  { inputIds: [11, 21], labels: [11, 21] },
  { inputIds: [5, 6, 7, 8, 9], labels: [-100, 6, -100, 8, 9] },
];
const batch = concatenateLabelled(examples);
/** An own incoming gradient for each sequence. */
const weights = [0.5, -1.25, 2];

/** A model with an adapter of numbers that show; all its losses go by another way. */
const models: Record<string, () => Promise<PeftModel<Model>>> = {
  "a frozen head": async () => getPeftModel(await base(), lora({ r: 3, targetModules: ["q_proj", "up_proj"] }), silent),
  "a trained head": async () => getPeftModel(await base(), lora({ r: 2, modulesToSave: ["lm_head"] }), silent),
  "an adapter on the head": async () =>
    getPeftModel(await base(), lora({ r: 2, targetModules: ["v_proj", "lm_head"] }), silent),
  "a tied head": async () => {
    const engine = await createEngine({ build: "baseline" });
    const tied = await AutoModelForCausalLM.fromConfig({ ...config, tie_word_embeddings: true }, { engine, seed: 1 });
    return getPeftModel(tied, lora({ r: 2 }), silent);
  },
  "virtual tokens": async () => getPeftModel(await base(), promptTuning({ numVirtualTokens: 3 }), silent),
  "an encoder and a decoder": async () => {
    const engine = await createEngine({ build: "baseline" });
    const t5 = await AutoModelForSeq2SeqLM.fromConfig(Object.values(tinyEncoderDecoders.t5!)[0]!, { engine, seed: 1 });
    return getPeftModel(t5, lora({ r: 2, taskType: "SEQ_2_SEQ_LM" }), silent);
  },
};

test.each(Object.entries(models))(
  "with %s, each sequence has the log-probability that it has alone, and its own gradient",
  async (_name, make) => {
    using model = await make();
    if (!/virtual/.test(_name)) scramble(model, "default", 4);
    const { engine } = model;
    const together = Tape.once(engine, {}, (tape) => tape.read(sequenceLogProbs(model, tape, batch)));
    expect(together.shape).toEqual([3, 1]);
    const alone = examples.map((example) =>
      Tape.once(engine, {}, (tape) =>
        tape.download(model.loss(tape, concatenateLabelled([example]))).reduce((sum, loss) => sum - loss, 0),
      ),
    );
    expectClose("log-probabilities", together.data, alone, 1e-5, 1e-5);
    const weighted = (tape: Tape) =>
      ops.sum(ops.mul(sequenceLogProbs(model, tape, batch), ops.constant(tape, weights, [3, 1])));
    Tape.once(engine, { recording: true }, (tape) => tape.backward(weighted(tape)));
    const value = () => Tape.once(engine, {}, (tape) => tape.download(weighted(tape))[0]!);
    for (const param of [...model.namedTrainable().values()].slice(0, 4)) expectSlopeAlong(param, value);
  },
);

test("checkpointing gives the same bits of the gradient of a weighted loss", async () => {
  using model = await models["a trained head"]!();
  scramble(model, "default", 4);
  const gradients = [false, true].map((checkpointing) => {
    for (const param of model.namedTrainable().values()) param.gradient().fill(0);
    Tape.once(model.engine, { recording: true, training: true, seed: [1, 2], checkpointing }, (tape) => {
      tape.backward(ops.sum(ops.mul(sequenceLogProbs(model, tape, batch), ops.constant(tape, weights, [3, 1]))));
    });
    return Array.from(model.namedTrainable().values(), (param) => param.gradient().slice());
  });
  expect(gradients[1]).toEqual(gradients[0]);
});

test("a model whose losses are not one for each label is refused", async () => {
  using model = await models["a frozen head"]!();
  const twice = {
    loss: (tape: Tape) => ops.constant(tape, new Float32Array(12), [12, 1]),
    countLabels: (example: Labelled) => model.countLabels(example),
  };
  expect(() => Tape.plan(model.engine, {}, (tape) => sequenceLogProbs(twice, tape, batch))).toThrow(
    "sequenceLogProbs: the model has 12 losses for 6 labels",
  );
});
