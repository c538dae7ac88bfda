import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { AutoModelForCausalLM } from "../../../src/auto/auto-classes.ts";
import { expectSameOutputs, probeFor } from "../../../src/cli/expect-same-outputs.ts";
import { openFolder } from "../../../src/runtime/node.ts";
import { expectClose, GOLDEN } from "../../golden-files.ts";
import { addTokenizer, expectRefused, lorikeet, succeed, writeRows } from "../bed.ts";
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

describe("what merge writes", () => {
  const adapter = `${GOLDEN}/methods/lora/llama-all-linear`;
  const files = {
    "chat_template.jinja": "{{ messages }}",
    "additional_chat_templates/rag.jinja": "{{ documents }}",
    "sentencepiece.bpe.model": "\u0000spm",
    "spm.model": "\u0000spm",
    "generation_config.json": "{}",
    "processor_config.json": "{}",
    "modules.json": '[{ "path": "" }, { "path": "1_Pooling" }, { "path": "2_Dense" }]',
    "1_Pooling/config.json": "{}",
    "2_Dense/model.safetensors": "kept: merging does not change it",
    LICENSE: "free",
  };
  const left = {
    ".gitattributes": "",
    "adapter_config.json": "{}",
    "pytorch_model.bin": "the old weights",
    "onnx/model.onnx": "the old weights",
    "onnx/config.json": "{}",
    "checkpoint-5/optimizer.pt": "",
  };

  test("every file but the weights and what belongs to other forms of the model", async () => {
    cpSync(at("llama"), at("full"), { recursive: true });
    for (const [file, text] of Object.entries({ ...files, ...left })) {
      mkdirSync(dirname(at(`full/${file}`)), { recursive: true });
      writeFileSync(at(`full/${file}`), text);
    }
    await succeed(work, "merge", "--model", "full", "--adapter", adapter, "--output", "full-merged");
    for (const [file, text] of Object.entries(files))
      expect(readFileSync(at(`full-merged/${file}`), "utf8")).toBe(text);
    for (const file of Object.keys(left)) expect(existsSync(at(`full-merged/${file}`)), file).toBe(false);
  });

  test("the tokenizer that an adapter brings, in place of the base's and its templates", async () => {
    cpSync(at("llama"), at("templated"), { recursive: true });
    writeFileSync(at("templated/chat_template.jinja"), "the base's");
    cpSync(adapter, at("brings"), { recursive: true });
    addTokenizer(at("brings"));
    writeFileSync(at("brings/tokenizer_config.json"), '{ "chat_template": "the adapter\'s" }');
    await succeed(work, "merge", "--model", "templated", "--adapter", "brings", "--output", "with-own");
    expect(readFileSync(at("with-own/tokenizer_config.json"), "utf8")).toContain("the adapter's");
    expect(existsSync(at("with-own/chat_template.jinja"))).toBe(false);
  });

  test("a folder that says something else than base and adapter is an error", async () => {
    using merged = await AutoModelForCausalLM.fromPretrained(at("llama"));
    const probe = probeFor(merged);
    const outputs = merged.forward(probe).data;
    expect(() => expectSameOutputs("out", merged, probe, outputs)).not.toThrow();
    const other = outputs.map((x) => x * 1.01);
    expect(() => expectSameOutputs("out", merged, probe, other)).toThrow(/opened again, its outputs differ by 0.99 %/);
    expect(() =>
      expectSameOutputs(
        "out",
        merged,
        probe,
        outputs.map(() => Number.NaN),
      ),
    ).toThrow(/NaN/);
  });
});
