/** Bottleneck adapters on a tiny model. */
import type { CompositionNode } from "../../../src/adapt/compose/composition.ts";
import { PeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../../src/auto/auto-classes.ts";
import { Philox } from "../../../src/core/random/philox.ts";
import { bottleneck } from "../../../src/methods/bottleneck.ts";
import { concatenateLabelled, type Labelled } from "../../../src/nn/pass/sequences.ts";
import type { Model } from "../../../src/nn/tasks/model.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { createEngine } from "../../../src/wasm/engine.ts";
import { expectClose } from "../../golden-files.ts";

export const config = {
  model_type: "llama",
  vocab_size: 40,
  hidden_size: 16,
  intermediate_size: 20,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 32,
  initializer_range: 0.25,
  pad_token_id: 0,
  num_labels: 3,
};
export const forms = ["pfeiffer", "houlsby", "parallel", "scaled-parallel"] as const;
export const texts = [
  [3, 9, 27, 31, 12],
  [11, 21, 13],
  [5, 6, 7, 8],
];
export const examples: Labelled[] = texts.map((inputIds) => ({ inputIds, labels: inputIds }));
export const batch = concatenateLabelled(examples);

/** Moves every tensor to where training might have led. */
export function scramble(peft: PeftModel, name: string, seed: number): void {
  const random = new Philox(seed);
  peft.setTrainable(name, true);
  peft.setAdapter(name);
  for (const param of peft.namedTrainable().values())
    param.values().set(param.values().map((x) => x + 0.2 * random.normal()));
  peft.setTrainable(name, false);
}

export async function base(): Promise<Model> {
  return AutoModelForCausalLM.fromConfig(config, { engine: await createEngine({ build: "baseline" }), seed: 1 });
}

/** A model with adapters a, b and c of one form, all different. */
export async function threeAdapters(form: (typeof forms)[number], model?: Model): Promise<PeftModel> {
  const peft = new PeftModel(model ?? (await base()), { onWarning: () => {} });
  for (const [i, name] of ["a", "b", "c"].entries()) {
    peft.addAdapter(name, bottleneck({ form, reductionFactor: 4 }));
    scramble(peft, name, 10 + i);
  }
  return peft;
}

export function logits(peft: PeftModel, setup: string | string[] | CompositionNode, of = batch): Float32Array {
  peft.setAdapter(setup);
  return peft.forward(of).data;
}

export const alone = (ids: readonly number[]) => concatenateLabelled([{ inputIds: ids, labels: ids }]);
export const near = (what: string, got: Float32Array, want: ArrayLike<number>) =>
  expectClose(what, got, want, 2e-5, 1e-4);

export function gradients(peft: PeftModel): Map<string, Float32Array> {
  for (const param of peft.namedTrainable().values()) param.gradient().fill(0);
  Tape.once(peft.engine, { recording: true, training: true }, (tape) => tape.backward(peft.loss(tape, batch), 1 / 9));
  return new Map(Array.from(peft.namedTrainable(), ([key, param]) => [key, param.gradient().slice()]));
}
