import { describe, expect, test } from "vitest";
import { getPeftModel, PeftModel } from "../../src/adapt/peft-model.ts";
import { lora } from "../../src/methods/lora.ts";
import { trainableTokens } from "../../src/methods/trainable_tokens.ts";
import { batch, scramble, untied } from "../adapt/tiny-adapter.ts";
import { expectClose } from "../golden-files.ts";
import { tinyLlama } from "../train/tiny.ts";

describe("trainable tokens", () => {
  test("the output projection follows where it is the same table, and stays where it is not", async () => {
    for (const base of [await tinyLlama(), await untied()]) {
      const before = base.forward(batch).data;
      const unused = Array.from({ length: 32 }, (_, id) => id).find((id) => !batch.ids.includes(id))!;
      const peft = getPeftModel(base, trainableTokens({ tokenIndices: [unused] }));
      const [rows] = peft.namedTrainable().values();
      rows!.values().fill(2);
      const changed = peft.forward(batch).data.map((x, i) => Number(x !== before[i]));
      const columns = new Set([...changed].flatMap((each, i) => (each ? [i % 32] : [])));
      expect([...columns]).toEqual(base.config.tie_word_embeddings ? [unused] : []);
    }
  });

  test("rows are kept as they are when the base's own are others", async () => {
    const peft = getPeftModel(await tinyLlama(), trainableTokens({ tokenIndices: [3, 1] }));
    scramble(peft);
    const files = new Map<string, Uint8Array>();
    await peft.savePretrained(files);
    const other = await tinyLlama();
    const table = other.modules.get("model.embed_tokens")!.weight;
    other.engine.memory
      .f32(table.ptr, 32 * 16)
      .subarray(16, 32)
      .fill(7); // row 1
    const again = await PeftModel.fromPretrained(other, files);
    expect(again.forward(batch).data).toEqual(peft.forward(batch).data);
  });

  test.each([
    ["DoRA", { useDora: true, targetModules: ["q_proj", "down_proj"] }],
    ["LoRA with trained tokens", { targetModules: ["q_proj"], trainableTokenIndices: [3, 9] }],
  ])("%s becomes a plain LoRA of full rank that says the same", async (_, options) => {
    const peft = getPeftModel(await untied(), lora({ r: 2, ...options }));
    scramble(peft);
    const before = peft.forward(batch).data;
    await peft.convertToLora("default", "plain", { rank: 24 });
    peft.setAdapter("plain");
    expectClose("logits", peft.forward(batch).data, before, 1e-4, 1e-4);
  });

  test("ids that are missing, twice or not in the vocabulary are told", async () => {
    expect(() => trainableTokens()).toThrow('"tokenIndices" is missing');
    expect(() => trainableTokens({ tokenIndices: [4, 4] })).toThrow("a list of distinct token ids");
    const base = await tinyLlama();
    expect(() => getPeftModel(base, trainableTokens({ tokenIndices: [4, 32] }))).toThrow(/token ids 32 are not in/);
    const chosen = lora({ trainableTokenIndices: { wte: [4] } });
    expect(() => getPeftModel(base, chosen)).toThrow('no embedding ends in "wte", the model has "model.embed_tokens"');
  });
});
