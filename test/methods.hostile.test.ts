/** Adapter configs of strangers: every method refuses what has no sense by name, and none hangs. */
import { describe, expect, test } from "vitest";
import { configFromJson } from "../src/adapt/files/load.ts";
import { type Method, optionsOf } from "../src/adapt/method/define-method.ts";
import { snakeCase } from "../src/adapt/method/options.ts";
import { getPeftModel } from "../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../src/auto/auto-classes.ts";
import { FormatError, ShapeError, StateError, UnsupportedError } from "../src/core/errors.ts";
import { files } from "../src/methods/index.generated.ts";
import { concatenate } from "../src/nn/pass/sequences.ts";
import { createEngine } from "../src/wasm/engine.ts";

const HOSTILE = [
  ...[-1, 0, 0.5, 3, 65536, 1e9, 2 ** 31 - 1, 1e308, Number.NaN, "3", "", [], {}, true, [null], { a: -1 }],
  ...[{ "([a-z._0-9]+)+!": 3 }, "([a-z._0-9]+)+!", ["([a-z._0-9]+)+!"], "("],
];
/** What a config must have so that its other keys are read at all, with which the test of each key begins. */
const NEEDED: Readonly<Record<string, object>> = {
  ADAPTION_PROMPT: { adapter_len: 3, adapter_layers: 1, target_modules: "self_attn" },
  ADALORA: { total_step: 100, tinit: 10, tfinal: 10 },
  MULTITASK_PROMPT_TUNING: { num_tasks: 2 },
  TRAINABLE_TOKENS: { token_indices: [1, 2] },
};
const NAMED = [FormatError, ShapeError, StateError, UnsupportedError];
const llama = {
  ...{ model_type: "llama", hidden_size: 24, intermediate_size: 40, num_hidden_layers: 1, num_attention_heads: 4 },
  ...{ num_key_value_heads: 2, vocab_size: 53, max_position_embeddings: 32 },
};

async function freshBase() {
  const engine = await createEngine({ threads: 1, maxBytes: 32e6, build: "baseline" });
  return AutoModelForCausalLM.fromConfig(llama, { engine, fast: true });
}

describe.each(Object.entries(files))("%s", (_, load) => {
  test("a value without sense is refused by name", async () => {
    const found = Object.values(await (load as () => Promise<object>)());
    const method = found
      .map((each) => (each as { method?: Method }).method ?? (each as Method))
      .find((each) => each?.peftType)!;
    const options = optionsOf(method);
    let base = await freshBase();
    let refused = 0;
    let accepted = 0;
    for (const key of [...Object.keys(options), "rankPattern", "alphaPattern"].map(snakeCase)) {
      for (const value of HOSTILE) {
        const targets = "targetModules" in options ? { target_modules: ["q_proj"] } : {};
        const json = {
          peft_type: method.peftType,
          task_type: "CAUSAL_LM",
          num_virtual_tokens: 3,
          ...targets,
          ...NEEDED[method.peftType],
          [key]: value,
        };
        try {
          const model = getPeftModel(base, await configFromJson(json, { onWarning: () => {} }), {
            onWarning: () => {},
          });
          model.forward(concatenate([[1, 2, 3]]));
          model.unload();
          accepted++;
        } catch (error) {
          refused++;
          const named = NAMED.some((known) => error instanceof known);
          expect(named, `${key}: ${JSON.stringify(value)}: ${(error as Error).stack}`).toBe(true);
          if (base.adapterCount > 0 || base.engine.memory.usedBytes > 8e6) {
            base.engine.dispose();
            base = await freshBase();
          }
        }
      }
    }
    expect(refused).toBeGreaterThan(20);
    expect(accepted, "a config that is refused as a whole tests no key").toBeGreaterThan(5);
  }, 120_000);
});
