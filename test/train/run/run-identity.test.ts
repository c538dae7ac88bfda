/** What decides whether a run may be resumed leaves out what training itself changes, and nothing else. */
import { expect, test } from "vitest";
import { getPeftModel } from "../../../src/adapt/peft-model.ts";
import { adalora } from "../../../src/methods/adalora.ts";
import { lora } from "../../../src/methods/lora.ts";
import { completeArguments } from "../../../src/train/arguments.ts";
import { identityOf } from "../../../src/train/run/run-identity.ts";
import { examples, tinyLlama } from "../tiny.ts";

const args = completeArguments({ maxSteps: 2 });
const targetModules = ["q_proj"];
const identity = (model: ReturnType<typeof getPeftModel>) => identityOf(model, args, examples(2), null);

test("AdaLoRA's rank pattern is learned; LoRA's is an option like others", async () => {
  const learned = getPeftModel(await tinyLlama(), adalora({ totalStep: 10, targetModules }));
  const given = getPeftModel(await tinyLlama(), lora({ targetModules, rankPattern: { "0.self_attn.q_proj": 2 } }));
  expect(await identity(learned)).not.toHaveProperty(["adapter_config.json rank_pattern"]);
  expect(await identity(learned)).toHaveProperty(["adapter_config.json target_r"], "8");
  expect(await identity(given)).toHaveProperty(
    ["adapter_config.json rank_pattern"],
    JSON.stringify({ "0.self_attn.q_proj": 2 }),
  );
});

test("each of several adapters is asked about its own file", async () => {
  const model = getPeftModel(await tinyLlama(), lora({ targetModules }));
  model.addAdapter("pruned", adalora({ totalStep: 10, targetModules }));
  expect(model.isLearned("pruned/adapter_config.json", "rank_pattern")).toBe(true);
  expect(model.isLearned("adapter_config.json", "rank_pattern")).toBe(false);
  expect(model.isLearned("pruned/adapter_config.json", "target_r")).toBe(false);
  expect(model.isLearned("unknown/adapter_config.json", "rank_pattern")).toBe(false);
});
