/** Every method on a quantized base does what it does on the dequantized weights in f32. */
import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Method } from "../src/adapt/method/define-method.ts";
import { getPeftModel } from "../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../src/auto/auto-classes.ts";
import { memoryTarget } from "../src/checkpoint/source.ts";
import { Philox } from "../src/core/random/philox.ts";
import { concatenateLabelled } from "../src/nn/pass/sequences.ts";
import type { KeptWeights } from "../src/nn/tensors/kept-dtype.ts";
import { saveModel } from "../src/nn/tensors/save-model.ts";
import { Tape } from "../src/tape/tape.ts";
import { createEngine } from "../src/wasm/engine.ts";
import type { Variant } from "./methods/variant.ts";
import { dequantised, distance } from "./models/dequantised.ts";

const config = {
  ...{ model_type: "llama", vocab_size: 50, hidden_size: 64, intermediate_size: 96, num_hidden_layers: 2 },
  ...{ num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 32, initializer_range: 0.15 },
  ...{ attention_bias: true, mlp_bias: true },
};
const batch = concatenateLabelled([
  { inputIds: [3, 9, 27, 31, 43, 29, 7], labels: [3, 9, 27, 31, 43, 29, 7] },
  { inputIds: [11, 21, 13], labels: [-100, 21, 13] },
]);

async function folder(): Promise<Map<string, Uint8Array>> {
  const target = memoryTarget();
  await saveModel(await AutoModelForCausalLM.fromConfig(config, { seed: 1 }), target);
  return target.files;
}

/** Losses, and gradients by name, of an adapter with values that training could have led to. */
async function compute(from: Map<string, Uint8Array>, weights: KeptWeights, make: () => Method) {
  const engine = await createEngine({ build: "baseline", threads: 1 });
  const base = await AutoModelForCausalLM.fromPretrained(from, { engine, weights });
  const same = await dequantised(from, base); // before an adapter puts weights of its own in the place of some
  const model = getPeftModel(base, make() as never, { seed: 2, onWarning: () => {} });
  const random = new Philox(5);
  for (const param of model.namedTrainable().values())
    param.values().set(param.values().map((x) => x + 0.1 * random.normal()));
  const losses = Tape.once(engine, { recording: true }, (tape) => {
    const loss = model.loss(tape, batch);
    tape.backward(loss, 1);
    return tape.download(loss);
  });
  const gradients = new Map(Array.from(model.namedTrainable(), ([key, param]) => [key, param.gradient().slice()]));
  return { same, losses, gradients };
}

/** Activations are rounded to 15 bits: in all int8 products, in nf4 products of up to four rows. */
const allowed = { int8: 1e-3, nf4: 2e-5 };

const names = readdirSync(new URL("./methods/", import.meta.url))
  .filter((file) => !file.endsWith(".test.ts"))
  .map((file) => file.replace(/\.ts$/, ""));

describe.each(names.filter((name) => name !== "variant"))("%s", async (name) => {
  const exported = Object.values(await import(`../src/methods/${name}.ts`)) as unknown[];
  const method = exported.find((value) => typeof (value as { peftType?: unknown }).peftType === "string");
  const { variants } = (await import(`./methods/${name}.ts`)) as { variants: readonly Variant[] };

  test.each(variants)("$title", async ({ options }) => {
    const make = () => (method as (options: Variant["options"]) => Method)(options);
    const files = await folder();
    for (const [weights, most] of Object.entries(allowed) as [keyof typeof allowed, number][]) {
      const small = await compute(files, weights, make);
      const whole = await compute(small.same, "stored", make);
      expect(whole.losses.some((loss) => loss > 0)).toBe(true);
      expect(distance(small.losses, whole.losses), weights).toBeLessThan(most);
      for (const [key, gradient] of whole.gradients) {
        if (gradient.every((x) => x === 0)) continue; // nothing depends on it here
        expect(distance(small.gradients.get(key)!, gradient), `${weights}: ${key}`).toBeLessThan(20 * most);
      }
    }
  });
});
