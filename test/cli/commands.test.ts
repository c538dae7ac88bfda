import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { openSafetensors } from "../../src/checkpoint/safetensors.ts";
import { openFolder } from "../../src/runtime/node.ts";
import { expectClose, golden, readCase, readTensors } from "../golden-files.ts";
import {
  addTokenizer,
  expectRefused,
  finish,
  goldenModel,
  jsonLines,
  lorikeet,
  start,
  stories,
  succeed,
  workFolder,
  writeRows,
} from "./bed.ts";

interface Batch {
  readonly sequences: readonly (readonly number[])[];
  readonly labels: readonly (readonly number[])[];
}

const work = workFolder();
const at = (name: string) => join(work, name);

beforeAll(() => {
  for (const name of ["llama", "llama-bf16", "llama-sharded", "gpt2"]) goldenModel(at(name), name);
  addTokenizer(at("llama"));
});

/** Writes a batch as rows of tokens. */
function writeBatch(path: string, { sequences, labels }: Batch): void {
  writeRows(
    path,
    sequences.map((ids, i) => ({ input_ids: ids, labels: labels[i] })),
  );
}

/** Tensors of a file in the working folder: shape, dtype and values. */
async function readLogits(file: string) {
  const { tensors } = await openSafetensors(openFolder(work), file);
  const values = new Map<string, Float32Array>();
  for (const [name, tensor] of tensors) values.set(name, new Float32Array((await tensor.read()).slice().buffer));
  return { tensors, values };
}

async function dtypes(folder: string): Promise<Record<string, string>> {
  const { tensors } = await openSafetensors(openFolder(at(folder)), "model.safetensors");
  return Object.fromEntries(Array.from(tensors, ([name, { dtype }]) => [name, dtype]).sort());
}

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
    const adapted = adapter === null ? [] : ["--adapter", `${golden}/${from}`];
    const args = ["--model", model, "--data", `${model}.jsonl`, "--output", `logits/${model}.safetensors`];
    await succeed(work, "predict", ...args, ...adapted);
    const { tensors, values } = await readLogits(`logits/${model}.safetensors`);
    expect([...tensors.keys()].sort()).toEqual(sequences.map((_, i) => String(i)));
    for (const [i, { length }] of sequences.entries()) {
      expect(tensors.get(String(i))).toMatchObject({ dtype: "F32", shape: [length, 97] });
    }
    const all = sequences.flatMap((_, i) => [...values.get(String(i))!]);
    expectClose("logits", all, (await readTensors(`${from}/expected.safetensors`)).get("logits")!, 1e-4, 2e-4);
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

test("eval gives the reference's loss over label tokens, and its exponential", async () => {
  const { sequences, labels } = readCase<Batch>("models/llama");
  writeBatch(at("eval.jsonl"), { sequences, labels });
  const args = ["--model", "llama", "--data", "eval.jsonl", "--batch-size", "2"];
  const [json, plain] = await Promise.all([succeed(work, "eval", ...args, "--json"), succeed(work, "eval", ...args)]);
  const [found] = jsonLines(json);
  const want = (await readTensors("models/llama/expected.safetensors")).get("loss")![0]!;
  expect(found!.loss).toBeCloseTo(want, 5);
  expect(found!.perplexity).toBeCloseTo(Math.exp(want), 2);
  expect(found).toMatchObject({
    rows: 3,
    tokens: labels.flatMap((row) => row.slice(1)).filter((id) => id >= 0).length,
  });
  expect(plain).toBe(`loss ${want.toFixed(4)}   perplexity ${Math.exp(want).toFixed(3)}   label tokens 14   rows 3\n`);
});

describe("merge", () => {
  const adapter = `${golden}/methods/lora/llama-all-linear`;
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

describe("inspect", () => {
  const adapter = `${golden}/methods/lora/llama-default`;

  test("shows modules, shapes and counts of a model, with or without its weights", async () => {
    goldenModel(at("config-only"), "llama-tied");
    rmSync(at("config-only/model.safetensors"));
    const [table, json, bare] = await Promise.all([
      succeed(work, "inspect", "llama"),
      succeed(work, "inspect", "llama", "--json"),
      succeed(work, "inspect", "config-only", "--json"),
    ]);
    expect(table).toMatch(/^ {2}model\.layers\.1\.mlp\.down_proj +linear +\[32, 56\] +1,792$/m);
    expect(table).toContain("adapted by default: q_proj, v_proj");
    const bytes = (await openSafetensors(openFolder(at("llama")), "model.safetensors")).tensors;
    const parameters = Array.from(bytes.values()).reduce((sum, { byteLength }) => sum + byteLength / 4, 0);
    expect(table).toContain(`${parameters.toLocaleString("en-US")} parameters`);
    expect(jsonLines(json)[0]).toMatchObject({
      kind: "model",
      modelType: "llama",
      vocabSize: 97,
      contextLength: 64,
      parameters,
      dtypes: ["F32"],
    });
    const [tied] = jsonLines(bare);
    expect(tied).toMatchObject({ kind: "model", parameters: parameters - 97 * 32 });
    expect(tied).not.toHaveProperty("bytes");
  });

  test("shows an adapter, and counts on a model what an adapter_config.json would train", async () => {
    const [table, json, counted] = await Promise.all([
      succeed(work, "inspect", adapter),
      succeed(work, "inspect", adapter, "--json"),
      succeed(work, "inspect", "llama", "--adapter-config", `${adapter}/adapter_config.json`, "--json"),
    ]);
    const { tensors } = await openSafetensors(openFolder(adapter), "adapter_model.safetensors");
    const parameters = Array.from(tensors.values()).reduce((sum, { byteLength }) => sum + byteLength / 4, 0);
    expect(table).toContain("adapter: LORA for models/llama, task CAUSAL_LM");
    expect(table).toContain(`${parameters.toLocaleString("en-US")} parameters in ${tensors.size} tensors`);
    expect(jsonLines(json)[0]).toMatchObject({ kind: "adapter", parameters, config: { r: 4, lora_alpha: 10 } });
    expect(jsonLines(counted)[0]).toMatchObject({
      kind: "model",
      adapter: { peftType: "LORA", trainable: parameters },
    });
  });
});

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
    expectRefused(long, /--prompt has 64 tokens, the model's context is 64/);
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

test("a reader that goes away ends a command quietly", async () => {
  const child = start(work, ["inspect", "llama"]);
  const done = finish(child);
  child.stdout!.destroy();
  expect(await done).toEqual({ code: 0, stdout: "", stderr: "" });
});
