import { cpSync, readFileSync, writeFileSync } from "node:fs";
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
    expectRefused(long, /--prompt has 64 tokens, the model's context is 64 and must hold one more/);
    expectRefused(none, /folder "gpt2" has no "tokenizer.json"/);
  });

  test("follows generation_config.json, which flags overrule and --no-generation-config leaves out", async () => {
    const folder = at("llama-config");
    cpSync(at("llama"), folder, { recursive: true });
    const file = join(folder, "generation_config.json");
    const run = async (...args: string[]) => {
      const all = ["--model", "llama-config", "--prompt", "ab", "--json", ...args];
      return lorikeet(work, "generate", ...all);
    };
    const tokens = async (...args: string[]) => {
      const { code, stdout, stderr } = await run(...args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return jsonLines(stdout)[0]!.tokens as number[];
    };
    const plain = await tokens("--temperature", "0", "--max-new-tokens", "8");
    writeFileSync(file, JSON.stringify({ max_new_tokens: 5, suppress_tokens: [plain[0]] }));
    const followed = await tokens();
    expect(followed).toHaveLength(5);
    expect(followed).not.toContain(plain[0]);
    expect(await tokens("--suppress-tokens", "[]")).toEqual(plain.slice(0, 5));
    expect(await tokens("--no-generation-config", "--temperature", "0", "--max-new-tokens", "8")).toEqual(plain);
    writeFileSync(file, JSON.stringify({ guidance_scale: 2 }));
    expectRefused(await run(), /generation_config.json: "guidance_scale" is 2, which is not supported/);
  });

  test("--prompt, --messages, --system and --raw are checked together", async () => {
    const run = (...args: string[]) => lorikeet(work, "generate", "--model", "llama", ...args);
    const [none, both, raw, json, role, system] = await Promise.all([
      run(),
      run("--prompt", "a", "--messages", "[]"),
      run("--prompt", "a", "--raw", "--system", "b"),
      run("--messages", "[{"),
      run("--messages", '[{"content": "x"}]'),
      run("--prompt", "a", "--system", "b"),
    ]);
    expectRefused(none, /--prompt or --messages says what to write, and neither is given/);
    expectRefused(both, /and both are given: give one of them/);
    expectRefused(raw, /--raw continues a prompt without the chat template, and --system needs it/);
    expectRefused(json, /--messages is not JSON/);
    expectRefused(role, /--messages is not a list of messages, expected \[{"role": "user"/);
    expectRefused(system, /--system needs a chat template, and .* has none/);
  });

  test("--num-return-sequences writes several texts, --json-schema JSON of a schema", async () => {
    const drawn = ["--model", "llama", "--prompt", "ab", "--max-new-tokens", "6", "--seed", "4"];
    const { code, stdout } = await lorikeet(work, "generate", ...drawn, "--num-return-sequences", "3", "--top-k", "40");
    expect(code).toBe(0);
    expect(stdout.split("\n").map((line) => line.slice(0, 6))).toEqual(["[1] ab", "[2] ab", "[3] ab", ""]);
    const greedy = await lorikeet(work, "generate", ...drawn, "--num-return-sequences", "3", "--temperature", "0");
    expectRefused(greedy, /"numReturnSequences" is 3 and the likeliest token is taken each time/);
    const schema = { type: "array", items: { type: "integer", minimum: 10, maximum: 99 }, minItems: 2, maxItems: 2 };
    writeFileSync(at("schema.json"), JSON.stringify(schema));
    const run = (given: string) => succeed(work, "generate", ...drawn.slice(0, 4), "--json", "--json-schema", given);
    for (const given of [JSON.stringify(schema), "schema.json"]) {
      const [{ text }] = jsonLines(await run(given)) as [{ text: string }];
      expect(JSON.parse(text)).toHaveLength(2);
    }
    const wrong = await lorikeet(work, "generate", ...drawn, "--json-schema", '{"type": "strin"}');
    expectRefused(wrong, /--json-schema: #\/type is "strin", expected one of object/);
    const list = await lorikeet(work, "generate", ...drawn, "--json-schema", "[]");
    expectRefused(list, /--json-schema/);
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
