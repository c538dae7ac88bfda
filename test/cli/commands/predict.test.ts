import { describe, expect, test } from "vitest";
import { expectClose, GOLDEN, readCase, readTensors } from "../../golden-files.ts";
import { succeed, writeRows } from "../bed.ts";
import { at, type Batch, readLogits, work, writeBatch } from "./golden-models.ts";

describe("predict", () => {
  test.each([
    ["llama", null],
    ["llama-sharded", null],
    ["gpt2", "gpt2-default"],
  ] as const)("writes the reference's logits of %s with adapter %s from rows of tokens", async (model, adapter) => {
    const from = adapter === null ? `models/${model}` : `methods/lora/${adapter}`;
    const { batches: [batch] = [], ...single } = readCase<Batch & { batches?: Batch[] }>(from);
    const { sequences } = batch ?? single;
    writeBatch(at(`${model}.jsonl`), batch ?? single);
    const adapted = adapter === null ? [] : ["--adapter", `${GOLDEN}/${from}`];
    const args = ["--model", model, "--data", `${model}.jsonl`, "--output", `logits/${model}.safetensors`];
    await succeed(work, "predict", ...args, ...adapted);
    const { tensors, values } = await readLogits(`logits/${model}.safetensors`);
    expect([...tensors.keys()].sort()).toEqual(sequences.map((_, i) => String(i)));
    for (const [i, { length }] of sequences.entries()) {
      expect(tensors.get(String(i))).toMatchObject({ dtype: "F32", shape: [length, 97] });
    }
    const all = sequences.flatMap((_, i) => [...values.get(String(i))!]);
    expectClose("logits", all, (await readTensors(from)).get("logits")!.values, 1e-4, 2e-4);
  });

  test("takes rows of one token, rows without labels, and text; twelve rows keep their numbers", async () => {
    const rows = [{ input_ids: [7] }, { input_ids: [5, 6], labels: [-100, -100] }, { text: "hi" }];
    writeRows(at("odd.jsonl"), [...rows, ...Array.from({ length: 9 }, () => ({ input_ids: [3, 4, 5] }))]);
    await succeed(work, "predict", "--model", "llama", "--data", "odd.jsonl", "--output", "odd.safetensors");
    const { tensors } = await readLogits("odd.safetensors");
    const lengths = Array.from({ length: 12 }, (_, i) => tensors.get(String(i))?.shape[0]);
    expect(lengths).toEqual([1, 2, 4, ...Array(9).fill(3)]); // text: <s> h i </s>
  });
});
