/** What the command line says of memory: plans, runs that do not fit, and profiles. */
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { describeModel } from "../../../src/auto/auto-model.ts";
import type { RawConfig } from "../../../src/nn/config.ts";
import type { MemoryPlan } from "../../../src/train/memory-plan.ts";
import { expectRefused, goldenModel, jsonLines, lorikeet, succeed, workFolder, writeRows } from "../bed.ts";

const work = workFolder();
const sized = (width: number, layers: number): RawConfig => ({
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_size: width,
  intermediate_size: 3 * width,
  num_hidden_layers: layers,
  num_attention_heads: 16,
  vocab_size: 32000,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
  torch_dtype: "bfloat16",
});

beforeAll(async () => {
  goldenModel(join(work, "llama"), "llama");
  goldenModel(join(work, "half"), "llama-f16");
  mkdirSync(join(work, "config-only"));
  writeFileSync(join(work, "config-only/config.json"), JSON.stringify(sized(2048, 16)));
  await sparseModel("large", sized(2048, 40));
  writeRows(
    join(work, "rows.jsonl"),
    Array.from({ length: 12 }, (_, i) => ({ input_ids: Array.from({ length: 20 + i }, (_, t) => (3 * t + i) % 90) })),
  );
});

/** A folder with a model whose weights take room in the file's length, but not on the disk. */
async function sparseModel(name: string, config: RawConfig): Promise<void> {
  const { weights } = await describeModel(config);
  const shapes = new Map(Array.from(weights.modules.values(), ({ weight }) => [weight.name, weight.shape]));
  let at = 0;
  const header = Object.fromEntries(
    Array.from(shapes, ([tensor, shape]) => {
      const bytes = 4 * shape.reduce((size, axis) => size * axis, 1);
      at += bytes;
      return [tensor, { dtype: "F32", shape, data_offsets: [at - bytes, at] }];
    }),
  );
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  mkdirSync(join(work, name));
  writeFileSync(join(work, name, "config.json"), JSON.stringify(config));
  const file = openSync(join(work, name, "model.safetensors"), "w");
  writeSync(file, Buffer.concat([length, text]));
  ftruncateSync(file, 8 + text.length + at);
  closeSync(file);
}

interface Fitting {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly bytes: number;
}

interface Planned {
  readonly method: string;
  readonly plan: MemoryPlan;
  readonly allowed: number;
  readonly fitting: readonly Fitting[];
}

async function plan(...args: readonly string[]): Promise<Planned> {
  const [found] = jsonLines(await succeed(work, "inspect", ...args, "--plan", "--json", "--build", "baseline"));
  return found as unknown as Planned;
}

describe("inspect --plan", () => {
  test("prints every part in bytes and in units, from a config alone", async () => {
    const text = await succeed(work, "inspect", "config-only", "--plan", "--batch-size", "1", "--threads", "2");
    expect(text).toMatch(
      /^training LlamaForCausalLM \(bf16, f32\) with lora, batches of 1 x 512 tokens, \w+ build, 2 threads$/m,
    );
    for (const part of ["base", "adapter", "optimizer", "activations", "workspace", "kernel tables", "total"]) {
      expect(text).toMatch(new RegExp(`^  ${part} +[\\d,]+ bytes +[\\d.]+ [kMG]?B$`, "m"));
    }
    expect(text).toMatch(/^fits: an engine can have up to 4\.3 GB$/m);
  });

  test("follows method, dtype, batch, length, checkpointing, optimizer and threads", async () => {
    const size = ["config-only", "--batch-size", "2", "--max-length", "64", "--threads", "1"];
    const plain = (await plan(...size)).plan;
    expect((await plan(...size, "--weights", "f32")).plan.base).toBeGreaterThan(1.99 * (plain.base - 10e6));
    expect((await plan(...size, "--weights", "nf4")).plan.base).toBeLessThan(0.5 * plain.base);
    expect((await plan(...size, "--r", "16")).plan.adapter).toBe(2 * plain.adapter);
    expect((await plan(...size, "--method", "ia3")).plan.adapter).toBeLessThan(0.5 * plain.adapter);
    expect((await plan(...size, "--optim", "sgd")).plan.optimizer).toBe(0);
    expect((await plan(...size, "--gradient-checkpointing")).plan.activations).toBeLessThan(0.5 * plain.activations);
    const twice = (await plan(...size.with(2, "4"))).plan;
    expect(twice.activations / plain.activations).toBeGreaterThan(1.9);
    expect(twice.activations / plain.activations).toBeLessThan(2.1);
    const full = (await plan(...size, "--method", "full")).plan;
    expect(full.optimizer).toBe(2 * full.adapter);
  });

  test("takes dtypes from the file where there is one, and a method from a config", async () => {
    const small = ["--batch-size", "2", "--max-length", "16"];
    expect((await plan("half", ...small)).plan.base).toBeLessThan((await plan("llama", ...small)).plan.base);
    const config = { peft_type: "LORA", r: 4, lora_alpha: 8, target_modules: ["q_proj"], task_type: "CAUSAL_LM" };
    writeFileSync(join(work, "adapter_config.json"), JSON.stringify(config));
    const planned = await plan("llama", ...small, "--adapter-config", "adapter_config.json");
    expect(planned.method).toBe("adapter_config.json");
    expect(planned.plan.adapter).toBeLessThan((await plan("llama", ...small)).plan.adapter);
  });

  test("names what would make a run fit", async () => {
    // A step that trains a prompt does not run in parts.
    const size = ["--method", "prompt_tuning", "--batch-size", "4"];
    const { plan: needed, allowed, fitting } = await plan("config-only", ...size);
    expect(needed.total).toBeGreaterThan(allowed);
    expect(fitting.map(({ settings }) => Object.keys(settings))).toEqual([
      ["batchSize"],
      ["maxLength"],
      ["gradientCheckpointing"],
      ["weights"],
    ]);
    const [fewer, shorter, checkpointed, narrower] = fitting as [Fitting, Fitting, Fitting, Fitting];
    const again = async (...args: readonly string[]) => (await plan("config-only", ...size, ...args)).plan.total;
    const withFewer = size.with(-1, `${fewer.settings.batchSize}`);
    expect((await plan("config-only", ...withFewer)).plan.total).toBe(fewer.bytes);
    expect(await again("--max-length", `${shorter.settings.maxLength}`)).toBe(shorter.bytes);
    expect(await again("--gradient-checkpointing")).toBe(checkpointed.bytes);
    expect(await again("--weights", `${narrower.settings.weights}`)).toBe(narrower.bytes);
    for (const { bytes } of fitting) expect(bytes).toBeLessThanOrEqual(allowed);
  });

  test("shows the split over as many memories as a run takes, and what would do in one", async () => {
    const text = await succeed(work, "inspect", "large", "--plan", "--batch-size", "1", "--max-length", "64");
    const bytesOf = (name: string) =>
      Number(new RegExp(`^ +${name} +([\\d,]+) bytes`, "m").exec(text)![1]!.replaceAll(",", ""));
    const each = [1, 2, 3].map((i) => bytesOf(`memory ${i}`));
    expect(each.reduce((sum, bytes) => sum + bytes, 0)).toBe(bytesOf("total"));
    expect(Math.max(...each)).toBeLessThan(65535 * 65536);
    expect(Math.min(...each) / Math.max(...each)).toBeGreaterThan(0.9);
    expect(text).toMatch(/^fits: each of 3 memories can have up to 4\.3 GB\none memory would be enough with\n/m);
    expect(text).toMatch(/^ {2}--weights int8: /m);
    const two = await succeed(work, "inspect", "large", "--plan", "--max-length", "64", "--memories", "2");
    expect(two).toMatch(/^training needs .*, but the limit is 8\.6 GB\nit would fit with\n/m);
  });

  const refusals: Record<string, [readonly string[], RegExp]> = {
    "options of a plan without one": [
      ["inspect", "llama", "--batch-size", "4", "--r", "4"],
      /--batch-size, --r: only used with --plan; add --plan/,
    ],
    "a length beyond the context": [
      ["inspect", "llama", "--plan", "--max-length", "5000"],
      /--max-length 5000: 5000 tokens, but the model's context is/,
    ],
    "a folder without a config": [["inspect", ".", "--plan"], /folder "." has no file "config.json"/],
  };
  test.each(Object.entries(refusals))("refuses %s", async (_, [args, message]) => {
    expectRefused(await lorikeet(work, ...args), message);
  });
});

describe("train", () => {
  test("refuses a run that cannot fit before it loads a byte of the weights, and says what would do", async () => {
    const files = ["--model", "large", "--data", "rows.jsonl", "--output", "run-large"];
    const finished = await lorikeet(work, "train", ...files, "--memories", "1");
    expectRefused(
      finished,
      /^error: training needs 10\.1 GB of memory \(base 9\.3 GB, .*\), but the limit is 4\.3 GB\nit would fit with\n {2}--weights int8: 3\.2 GB\n/,
    );
    expect(existsSync(join(work, "run-large"))).toBe(false);
  });

  test("--profile leaves a table and a trace in the run folder, and says where", async () => {
    const text = await succeed(
      work,
      ...["train", "--model", "llama", "--data", "rows.jsonl", "--output", "run"],
      ...["--steps", "6", "--profile", "--profile-steps", "2"],
    );
    expect(text).toMatch(
      /^profile of 2 steps in run\/profile\.md; run\/trace\.json opens in a browser's performance panel$/m,
    );
    expect(readFileSync(join(work, "run/profile.md"), "utf8")).toMatch(/^# Profile of steps 2 to 3$/m);
    const { traceEvents } = JSON.parse(readFileSync(join(work, "run/trace.json"), "utf8"));
    expect(traceEvents.filter(({ cat }: { cat?: string }) => cat === "step")).toHaveLength(2);
  });
});
