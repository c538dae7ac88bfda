import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { expectRefused, jsonLines, lorikeet, stories, succeed, writeRows } from "../bed.ts";
import { at, readLogits, work } from "./golden-models.ts";

describe("generate", () => {
  test('from one seed writes the same text, from another another; --prompt "" begins with the bos token', async () => {
    const run = (...args: string[]) =>
      lorikeet(work, "generate", "--model", "llama", "--max-new-tokens", "12", ...args);
    const [one, same, other, json] = await Promise.all([
      run("--prompt", "ab", "--seed", "4", "--top-k", "40", "--top-p", "0.99"),
      run("--prompt", "ab", "--seed", "4", "--top-k", "40", "--top-p", "0.99"),
      run("--prompt", "ab", "--seed", "5", "--top-k", "40", "--top-p", "0.99"),
      run("--prompt", "", "--temperature", "0", "--json"),
    ]);
    expect(one.code).toBe(0);
    expect(one.stdout.startsWith("ab")).toBe(true);
    expect(one.stdout).toBe(same.stdout);
    expect(one.stdout).not.toBe(other.stdout);
    expect(one.stderr).toMatch(/^\d+ tokens, [\d,]+ tokens\/s\n$/);
    writeRows(at("bos.jsonl"), [{ input_ids: [1] }]);
    await succeed(work, "predict", "--model", "llama", "--data", "bos.jsonl", "--output", "bos.safetensors");
    const logits = [...(await readLogits("bos.safetensors")).values.get("0")!];
    expect((jsonLines(json.stdout)[0]!.tokens as number[])[0]).toBe(logits.indexOf(Math.max(...logits)));
  });

  test("a prompt that fills the context is refused, and so is a model without a tokenizer", async () => {
    const run = (model: string, prompt: string) => lorikeet(work, "generate", "--model", model, "--prompt", prompt);
    const [long, none] = await Promise.all([run("llama", "a".repeat(63)), run("gpt2", "a")]);
    expectRefused(long, /--prompt has 64 tokens, but the model's context is 64/);
    expectRefused(none, /folder "gpt2" has no "tokenizer.json"/);
  });

  const model = stories();
  test.skipIf(model === null)("stories260K writes its published text", async () => {
    const args = ["--prompt", "", "--temperature", "0", "--max-new-tokens", "200"];
    const { stdout } = await lorikeet(work, "generate", "--model", model!, ...args);
    const lines = readFileSync(join(model!, "README.md"), "utf8")
      .split("\n")
      .filter((line) => line.startsWith("> "));
    expect(stdout.trim()).toBe(lines.map((line) => line.slice(2)).join("\n"));
  });
});
