import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { expectClose, GOLDEN, readCase, readTensors } from "../../golden-files.ts";
import { expectRefused, jsonLines, lorikeet, succeed, writeRows } from "../bed.ts";
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

  test("continues the prompts of rows of different lengths, and keeps what the rows say beside it", async () => {
    const template =
      "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
    writeFileSync(at("llama/chat_template.jinja"), template);
    const messages = [
      { role: "user", content: "Who?" },
      { role: "assistant", content: "Ahab" },
    ];
    const rows = [
      { text: "abc" },
      { prompt: "ab", completion: "cdefg" },
      { messages },
      { input_ids: [1, 5, 6, 7, 8], labels: [-100, -100, -100, 7, 8] },
    ];
    writeRows(at("prompts.jsonl"), rows);
    const args = ["--model", "llama", "--data", "prompts.jsonl", "--output", "texts.jsonl", "--max-new-tokens", "6"];
    await succeed(work, "predict", ...args);
    const found = jsonLines(readFileSync(at("texts.jsonl"), "utf8"));
    expect(found.map(({ reference }) => reference)).toEqual([undefined, "cdefg", "Ahab", "$%"]);
    const greedy = ["--temperature", "0", "--max-new-tokens", "6", "--json"];
    const generated = async (...more: string[]) =>
      jsonLines(await lorikeetJson("--model", "llama", ...greedy, ...more))[0]!.text;
    expect(found[0]!.text).toBe(await generated("--raw", "--prompt", "abc"));
    expect(found[1]!.text).toBe(await generated("--raw", "--prompt", "ab"));
    expect(found[2]!.text).toBe(await generated("--prompt", "Who?"));
    expect(found[2]!.text).toBe(await generated("--messages", JSON.stringify(messages.slice(0, 1))));
    rmSync(at("llama/chat_template.jinja"));
  });

  test("an output that ends in neither way is refused before the model is loaded", async () => {
    const args = ["--model", "nowhere", "--data", "odd.jsonl", "--output", "preds.txt"];
    const refused = await lorikeet(work, "predict", ...args);
    expectRefused(
      refused,
      /--output is "preds.txt", expected a file that ends in .jsonl or .csv \(answers\) or .safetensors/,
    );
  });
});

async function lorikeetJson(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await lorikeet(work, "generate", ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}
