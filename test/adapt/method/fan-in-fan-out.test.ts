import { describe, expect, test } from "vitest";
import { getPeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../../src/auto/auto-classes.ts";
import { UnsupportedError } from "../../../src/core/errors.ts";
import { loha } from "../../../src/methods/loha.ts";
import { lokr } from "../../../src/methods/lokr.ts";
import { oft } from "../../../src/methods/oft.ts";
import { vera } from "../../../src/methods/vera.ts";
import type { CausalLM } from "../../../src/nn/tasks/causal-lm.ts";
import { createEngine } from "../../../src/wasm/engine.ts";
import { expectClose } from "../../golden-files.ts";
import { batch, quiet, scramble } from "../tiny-adapter.ts";

describe("GPT-2, whose weights are [in, out]", () => {
  const gpt2 = async (): Promise<CausalLM> => {
    const config = { model_type: "gpt2", vocab_size: 32, n_embd: 16, n_layer: 2, n_head: 2, n_positions: 32 };
    return AutoModelForCausalLM.fromConfig(config, { engine: await createEngine({ build: "baseline" }), seed: 1 });
  };

  test.each([
    ["LOHA", loha()],
    ["LOKR", lokr()],
    ["OFT", oft()],
  ])("%s refuses it, as PEFT does", async (type, config) => {
    const model = await gpt2();
    expect(() => getPeftModel(model, config, quiet)).toThrow(UnsupportedError);
    expect(() => getPeftModel(model, config, quiet)).toThrow(
      `${type} does not adapt layers whose weight is stored [in, out]`,
    );
  });

  test("VeRA adapts and merges it, and says that fanInFanOut is set", async () => {
    const warnings: string[] = [];
    const peft = getPeftModel(await gpt2(), vera({ r: 7, targetModules: ["c_attn", "c_fc"] }), {
      onWarning: (warning) => warnings.push(warning),
    });
    expect(warnings).toEqual([expect.stringContaining("fanInFanOut is set to true")]);
    scramble(peft);
    const applied = peft.forward(batch).data;
    expectClose("merged", peft.mergeAndUnload().forward(batch).data, applied, 2e-4, 2e-4);
  });
});
