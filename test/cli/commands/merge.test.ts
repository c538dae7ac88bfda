import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { openFolder } from "../../../src/runtime/node.ts";
import { expectClose, GOLDEN } from "../../golden-files.ts";
import { expectRefused, lorikeet, succeed, writeRows } from "../bed.ts";
import { at, dtypes, readLogits, work } from "./golden-models.ts";

describe("merge", () => {
  const adapter = `${GOLDEN}/methods/lora/llama-all-linear`;
  const predict = async (output: string, ...args: string[]) => {
    await succeed(work, "predict", ...args, "--data", "merge.jsonl", "--output", `${output}.safetensors`);
    return (await readLogits(`${output}.safetensors`)).values;
  };
  beforeAll(() => writeRows(at("merge.jsonl"), [{ input_ids: [52, 56, 8, 36, 68] }, { input_ids: [30, 67, 20] }]));

  test("gives the logits of base and adapter, and takes the tokenizer along", async () => {
    await succeed(work, "merge", "--model", "llama", "--adapter", adapter, "--output", "merged");
    const [merged, adapted, plain] = await Promise.all([
      predict("merged-logits", "--model", "merged"),
      predict("adapted-logits", "--model", "llama", "--adapter", adapter),
      predict("plain-logits", "--model", "llama"),
    ]);
    for (const [row, logits] of adapted) expectClose(`row ${row}`, merged!.get(row)!, logits, 1e-4, 0);
    expect(Math.abs(plain.get("0")![0]! - adapted.get("0")![0]!)).toBeGreaterThan(1e-2);
    for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
      expect(readFileSync(at(`merged/${file}`)).equals(readFileSync(at(`llama/${file}`)))).toBe(true);
    }
    expect(
      await succeed(work, "generate", "--model", "merged", "--prompt", "", "--max-new-tokens", "1", "--json"),
    ).toContain("{");
  });

  test("keeps the dtype of every tensor, and --safe changes nothing of a sound result", async () => {
    await succeed(work, "merge", "--model", "llama-bf16", "--adapter", adapter, "--output", "bf16", "--safe");
    expect(await dtypes("bf16")).toEqual(await dtypes("llama-bf16"));
    expect(new Set(Object.values(await dtypes("bf16")))).toEqual(new Set(["BF16"]));
    await succeed(work, "merge", "--model", "llama-bf16", "--adapter", adapter, "--output", "unchecked");
    expect(readFileSync(at("bf16/model.safetensors")).equals(readFileSync(at("unchecked/model.safetensors")))).toBe(
      true,
    );
  });

  test("--safe refuses an adapter with NaN and writes nothing; an input is never the output", async () => {
    cpSync(adapter, at("nan-adapter"), { recursive: true });
    const bytes = readFileSync(at("nan-adapter/adapter_model.safetensors"));
    bytes.writeFloatLE(Number.NaN, bytes.length - 4);
    writeFileSync(at("nan-adapter/adapter_model.safetensors"), bytes);
    const before = readFileSync(at("llama/model.safetensors"));
    const run = (...args: string[]) => lorikeet(work, "merge", "--model", "llama", "--adapter", ...args);
    const [safe, onModel, onAdapter] = await Promise.all([
      run("nan-adapter", "--output", "unsafe", "--safe"),
      run("nan-adapter", "--output", "./llama/"),
      run("nan-adapter", "--output", at("nan-adapter")),
    ]);
    expectRefused(safe!, /NaN|finite/);
    expectRefused(onModel!, /--output .\/llama\/ is also an input/);
    expectRefused(onAdapter!, /is also an input/);
    expect(readFileSync(at("llama/model.safetensors")).equals(before)).toBe(true);
    await expect(openFolder(at("unsafe")).list()).rejects.toThrow(/does not exist/);
  });
});
