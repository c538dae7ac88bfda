/** The groups of LoRA+ against peft.optimizers.create_loraplus_optimizer. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { lora } from "../../src/methods/lora.ts";
import { AdamW } from "../../src/optim/adamw.ts";
import { isBiasOrNorm, loraPlusGroups } from "../../src/optim/loraplus.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { GOLDEN } from "../golden-files.ts";

interface Loraplus {
  readonly lr: number;
  readonly loraplus_lr_ratio: number;
  readonly loraplus_lr_embedding: number;
  readonly loraplus_weight_decay: number;
  readonly cases: readonly {
    readonly model: string;
    readonly options: Readonly<Record<string, unknown>>;
    readonly groups: Readonly<Record<string, [lr: number, weightDecay: number]>>;
  }[];
}
const read = JSON.parse(readFileSync(`${GOLDEN}/optim/loraplus.json`, "utf8")) as Loraplus;
const { lr, loraplus_lr_ratio: lrRatio, loraplus_lr_embedding: lrEmbedding, loraplus_weight_decay: weightDecay } = read;

test.each(read.cases)(
  "$model with $options: rate and decay of every tensor are peft's",
  async ({ model, options, groups }) => {
    const engine = await createEngine({ build: "baseline" });
    const base = await AutoModelForCausalLM.fromPretrained(`${GOLDEN}/models/${model}`, { engine });
    const camel = Object.entries(options).map(([name, value]) => [
      name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]);
    const peft = getPeftModel(base, lora({ r: 2, ...(Object.fromEntries(camel) as object) }));
    const chosen = loraPlusGroups({ lr, lrRatio, lrEmbedding });
    using optimizer = new AdamW(engine, peft.namedTrainable(), { weightDecay, groups: chosen });
    const got = optimizer.slots.map(
      (slot) => [slot.name.replace(".base_layer", ""), [slot.lrFactor * lr, slot.weightDecay]] as const,
    );
    expect(got.map(([name]) => name).sort()).toEqual(Object.keys(groups).sort());
    for (const [name, [rate, decay]] of got) {
      expect(rate, name).toBeCloseTo(groups[name]![0], 12);
      expect(decay, name).toBe(groups[name]![1]);
    }
  },
);

test("biases and norms are known by their names in every architecture", () => {
  const yes = [
    "h.0.ln_1.weight",
    "ln_f.weight",
    "model.norm.weight",
    "output.LayerNorm.weight",
    "sa_layer_norm.weight",
  ];
  yes.push("layernorm_before.weight", "final_layer_norm.weight", "self_attn.q_norm.weight", "fc.bias", "lora_B.bias");
  expect(yes.filter((name) => !isBiasOrNorm(name))).toEqual([]);
  const no = ["q_proj.lora_B.weight", "lora_magnitude_vector.weight", "model.embed_tokens.weight", "normal.weight"];
  expect(no.filter(isBiasOrNorm)).toEqual([]);
});

test("a rate or ratio that is not above 0 is refused", () => {
  expect(() => loraPlusGroups({ lr: 0, lrRatio: 16 })).toThrow(/LoRA\+: "lr" is 0, expected a number above 0/);
  expect(() => loraPlusGroups({ lr: 1e-4, lrRatio: Number.NaN })).toThrow(/"lrRatio" is NaN/);
});
