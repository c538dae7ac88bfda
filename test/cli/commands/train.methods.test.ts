/** Every method and every task from the command line, on models small enough to train in moments. */
import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { GOLDEN } from "../../golden-files.ts";
import { sampled } from "../../matrix.ts";
import {
  addTokenizer,
  expectRefused,
  goldenModel,
  jsonLines,
  lorikeet,
  root,
  succeed,
  workFolder,
  writeRows,
} from "../bed.ts";

const work = workFolder();
const at = (path: string) => join(work, path);
const methods = readdirSync(join(root, "src/methods"))
  .filter((file) => !file.endsWith(".generated.ts"))
  .map((file) => file.slice(0, -3));

/** What a method must be given, or is given to stay small. */
const needed: Readonly<Record<string, readonly string[]>> = {
  adaption_prompt: ["--adapter-len", "3", "--adapter-layers", "1"],
  multitask_prompt_tuning: ["--num-virtual-tokens", "3", "--num-tasks", "2"],
  oft: ["--oft-block-size", "8"],
  p_tuning: ["--num-virtual-tokens", "3"],
  prefix_tuning: ["--num-virtual-tokens", "3"],
  prompt_tuning: ["--num-virtual-tokens", "3"],
  trainable_tokens: ["--token-indices", "5,9"],
  vera: ["--r", "4"],
};
/** Factors of the weights, prompts and prefixes, layers of its own, rotations, biases, tokens. */
const KINDS = ["lora", "prefix_tuning", "bottleneck", "oft", "bitfit", "trainable_tokens"];
/** Models for methods that Llama without biases has nothing for. */
const modelFor = (method: string) => (method === "bitfit" ? "biased" : "llama");

beforeAll(() => {
  for (const [folder, model] of [
    ["llama", "llama"],
    ["biased", "llama-bias"],
  ] as const) {
    goldenModel(at(folder), model);
    addTokenizer(at(folder));
  }
  const rows = Array.from({ length: 6 }, (_, i) => ({ input_ids: [1, 5 + i, 9, 40 + i, 12, 2], task_id: i % 2 }));
  writeRows(at("rows.jsonl"), rows);
});

describe.each(sampled(methods, KINDS))("--method %s", (method) => {
  const model = modelFor(method);
  const output = `out-${method}`;

  test("trains, resumes, and its adapter evaluates, predicts and writes", async () => {
    const options = needed[method] ?? [];
    const common = ["--model", model, "--data", "rows.jsonl", "--batch-size", "3", "--output", output];
    const trained = await lorikeet(work, "train", "--method", method, ...common, ...options, "--steps", "4");
    expect(trained.code, trained.stderr).toBe(0);
    expect(trained.stdout).toMatch(/trainable params: [1-9]/);
    const resumed = await lorikeet(
      work,
      "train",
      "--method",
      method,
      ...common,
      ...options,
      "--steps",
      "4",
      "--resume",
    );
    expect(resumed.code, resumed.stderr).toBe(0);
    const adapter = ["--model", model, "--adapter", `${output}/adapter`];
    const plain = JSON.parse(await succeed(work, "eval", "--model", model, "--data", "rows.jsonl", "--json"));
    const adapted = JSON.parse(await succeed(work, "eval", ...adapter, "--data", "rows.jsonl", "--json"));
    expect(adapted.loss).not.toBe(plain.loss);
    await succeed(work, "predict", ...adapter, "--data", "rows.jsonl", "--output", `${output}/logits.safetensors`);
    const words = ["--prompt", "ab", "--temperature", "0", "--max-new-tokens", "4", "--json"];
    const { tokens } = JSON.parse(await succeed(work, "generate", ...adapter, ...words));
    expect(tokens.length).toBeGreaterThan(0);
  });

  test("has its options in --help-all", async () => {
    const help = await succeed(work, "train", "--method", method, "--help-all");
    for (const flag of needed[method] ?? []) if (flag.startsWith("--")) expect(help).toContain(` ${flag} `);
  });
});

test("every weight is trained with --method full, and the result is a model", async () => {
  const run = [
    "--model",
    "llama",
    "--data",
    "rows.jsonl",
    "--output",
    "full",
    "--steps",
    "3",
    "--learning-rate",
    "1e-2",
  ];
  const text = await succeed(work, "train", "--method", "full", ...run);
  expect(text).toContain("trainable%: 100.0");
  const [before, after] = await Promise.all(
    ["llama", "full/adapter"].map((model) => succeed(work, "eval", "--model", model, "--data", "rows.jsonl", "--json")),
  );
  expect(JSON.parse(after!).loss).toBeLessThan(JSON.parse(before!).loss);
});

/** A row or two of each task, for the tiny models of the goldens. */
const tasks: Readonly<Record<string, { model: string; rows: readonly object[]; says: string }>> = {
  "a class of each text": {
    model: "bert-feature-extraction",
    rows: [
      { input_ids: [5, 9, 7], label: "ham" },
      { input_ids: [8, 4, 11, 6], label: "spam" },
    ],
    says: "label",
  },
  "numbers for each text": {
    model: "roberta-feature-extraction",
    rows: [
      { input_ids: [5, 9, 7], label: 0.5 },
      { input_ids: [8, 4, 11, 6], label: -1.25 },
    ],
    says: "values",
  },
  "the next words of an encoder-decoder": {
    model: "t5-seq-2-seq-lm",
    rows: [{ input_ids: [5, 9, 7], labels: [8, 4, 1] }],
    says: "",
  },
  "classes of images": {
    model: "vit-image-cls",
    rows: [
      { pixel_values: Array.from({ length: 432 }, (_, i) => Math.sin(i)), label: "cat" },
      { pixel_values: Array.from({ length: 432 }, (_, i) => Math.cos(i)), label: "dog" },
    ],
    says: "label",
  },
};

describe.each(Object.entries(tasks))("the command line learns %s", (title, { model, rows, says }) => {
  const folder = model;
  const output = `task-${model}`;

  beforeAll(() => {
    cpSync(`${GOLDEN}/tasks/${model}`, at(folder), { recursive: true });
    writeRows(at(`${model}.jsonl`), rows);
  });

  test("from rows that say the task, and an adapter brings its labels along", async () => {
    const data = ["--data", `${model}.jsonl`];
    const base = ["--model", folder];
    const targets = model.startsWith("vit") ? ["--target-modules", "query,value"] : [];
    const trained = await lorikeet(work, "train", ...base, ...data, ...targets, "--output", output, "--steps", "3");
    expect(trained.code, `${title}: ${trained.stderr}`).toBe(0);
    const adapter = [...base, "--adapter", `${output}/adapter`];
    const told = await lorikeet(work, "eval", ...adapter, ...data, "--json");
    expect(told.code, told.stderr).toBe(0);
    const numbers = JSON.parse(told.stdout);
    expect(Object.values(numbers).every(Number.isFinite)).toBe(true);
    if (says === "") return;
    const said = await lorikeet(work, "predict", ...adapter, ...data, "--output", `${output}/said.jsonl`);
    expect(said.code, said.stderr).toBe(0);
    const lines = jsonLines(readFileSync(at(`${output}/said.jsonl`), "utf8"));
    expect(lines).toHaveLength(rows.length);
    for (const line of lines) expect(line).toHaveProperty(says);
    expect(existsSync(at(`${output}/adapter/config.json`))).toBe(true);
  });
});

describe("several adapters become one", () => {
  test("by weight and combination, as a model or as an adapter", async () => {
    const run = (name: string, seed: string) =>
      succeed(
        work,
        "train",
        "--model",
        "llama",
        "--data",
        "rows.jsonl",
        "--output",
        name,
        "--steps",
        "2",
        "--seed",
        seed,
      );
    await Promise.all([run("one", "1"), run("two", "2")]);
    const parts = ["--model", "llama", "--adapter", "one/adapter:0.5", "--adapter", "two/adapter:-0.25"];
    await succeed(work, "merge", ...parts, "--combine", "cat", "--output", "both");
    await succeed(work, "merge", ...parts, "--combine", "cat", "--adapter-only", "--output", "both-adapter");
    const logits = async (...model: string[]) => {
      await succeed(work, "eval", ...model, "--data", "rows.jsonl", "--json").then((text) =>
        losses.push(JSON.parse(text).loss),
      );
    };
    const losses: number[] = [];
    await logits("--model", "both");
    await logits("--model", "llama", "--adapter", "both-adapter");
    expect(losses[0]).toBeCloseTo(losses[1]!, 5);
  });

  test("a weight that is no number, and a combination without what it needs, are refused", async () => {
    const parts = ["--model", "llama", "--adapter", "one/adapter", "--adapter", "two/adapter", "--output", "x"];
    expectRefused(await lorikeet(work, "merge", ...parts, "--combine", "ties"), /density/);
  });
});
