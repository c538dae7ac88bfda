import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { openSafetensors } from "../../../src/checkpoint/safetensors.ts";
import { openFolder } from "../../../src/runtime/node.ts";
import { expectTravelled, GOLDEN, readCase, readTensors } from "../../golden-files.ts";
import {
  addTokenizer,
  expectRefused,
  type Finished,
  finish,
  goldenModel,
  jsonLines,
  lorikeet,
  start,
  stories,
  succeed,
  workFolder,
  writeRows,
} from "../bed.ts";

interface AdapterCase {
  readonly batches: readonly { readonly sequences: readonly number[][]; readonly labels: readonly number[][] }[];
}

const work = workFolder();
const at = (name: string) => join(work, name);
const base = ["--model", "llama", "--data", "rows.jsonl"];

beforeAll(() => {
  goldenModel(at("llama"), "llama");
  addTokenizer(at("llama"));
  const row = (i: number) => ({
    input_ids: [1, ...Array.from({ length: 4 + (i % 5) }, (_, t) => 3 + ((7 * i + 5 * t) % 90)), 2],
  });
  writeRows(
    at("rows.jsonl"),
    Array.from({ length: 20 }, (_, i) => row(i)),
  );
  writeRows(
    at("valid.jsonl"),
    Array.from({ length: 4 }, (_, i) => row(i + 50)),
  );
});

const metrics = (folder: string) => jsonLines(readFileSync(at(`${folder}/metrics.jsonl`), "utf8"));
const configOf = (folder: string) => JSON.parse(readFileSync(at(`${folder}/adapter/adapter_config.json`), "utf8"));
const adapterBytes = (folder: string) =>
  readFileSync(at(`${folder}/adapter/adapter_model.safetensors`)).toString("base64");
const checkpoints = (folder: string) =>
  readdirSync(at(folder))
    .filter((name) => /^checkpoint-\d+$/.test(name))
    .map((name) => Number(name.slice(11)))
    .sort((a, b) => a - b);

/** The adapter's tensors in the output of a run. */
async function adapterOf(folder: string): Promise<Map<string, Float32Array>> {
  const { tensors } = await openSafetensors(openFolder(at(`${folder}/adapter`)), "adapter_model.safetensors");
  const values = new Map<string, Float32Array>();
  for (const [name, tensor] of tensors) values.set(name, new Float32Array((await tensor.read()).slice().buffer));
  return values;
}

test("four steps from a PEFT adapter end where PyTorch and PEFT end, with their losses", async () => {
  const from = "methods/lora/llama-default";
  const { batches } = readCase<AdapterCase>(from);
  const rows = batches.flatMap(({ sequences, labels }) =>
    sequences.map((ids, i) => ({ input_ids: ids, labels: labels[i] })),
  );
  writeRows(at("golden.jsonl"), rows);
  const run = ["--init-adapter", `${GOLDEN}/${from}`, "--no-shuffle", "--batch-size", "3", "--steps", "4"];
  const optimiser = [
    "--learning-rate",
    "1e-3",
    "--lr-scheduler",
    "constant",
    "--max-grad-norm",
    "0.5",
    "--logging-steps",
    "1",
  ];
  await succeed(
    work,
    "train",
    "--model",
    "llama",
    "--data",
    "golden.jsonl",
    "--output",
    "golden",
    ...run,
    ...optimiser,
  );
  const want = await readTensors(from);
  const before = await readTensors(from, "adapter_model.safetensors");
  const losses = metrics("golden").flatMap(({ loss }) => loss ?? []) as number[];
  expect(losses).toHaveLength(4);
  for (const [i, loss] of losses.entries()) expect(loss).toBeCloseTo(want.get("losses")!.values[i]!, 4);
  const after = await adapterOf("golden");
  expect([...after.keys()]).toEqual([...before.keys()]);
  for (const [key, values] of after) {
    expectTravelled(key, values, want.get(`after.${key}`)!.values, before.get(key)!.values, 0.02);
  }
});

test("checkpointing and a cache of frozen layers write the same adapter, and the run tells what was kept", async () => {
  const upper = ["--layers-to-transform", "1", "--epochs", "3", "--batch-size", "4", "--learning-rate", "1e-2"];
  const run = (output: string, ...more: string[]) =>
    succeed(work, "train", ...base, ...upper, "--output", output, "--log-format", "plain", ...more);
  const [, , cached] = await Promise.all([
    run("kept"),
    run("again", "--gradient-checkpointing"),
    run("cached", "--cache-frozen", "1.5MB"),
  ]);
  expect(adapterBytes("again")).toBe(adapterBytes("kept"));
  expect(adapterBytes("cached")).toBe(adapterBytes("kept"));
  expect(cached).toMatch(/^skipped 1 frozen block with cached outputs, for 20 of 20 rows, \d+(\.\d+)? kB$/m);
});

describe("what a run writes", () => {
  let finished: Finished;
  const reports = ["--eval-steps", "4", "--save-steps", "4", "--logging-steps", "2", "--batch-size", "4"];
  beforeAll(async () => {
    finished = await lorikeet(
      work,
      "train",
      ...base,
      "--valid",
      "valid.jsonl",
      "--output",
      "whole",
      "--epochs",
      "2",
      ...reports,
    );
  });

  test("is the contract's files", () => {
    expect(finished).toMatchObject({ code: 0, stderr: "" });
    expect(readdirSync(at("whole")).sort()).toEqual([
      "adapter",
      "best",
      "checkpoint-10",
      "checkpoint-8",
      "metrics.jsonl",
      "trainer_state.json",
    ]);
    expect(readdirSync(at("whole/adapter")).sort()).toEqual([
      "SHA256SUMS",
      "adapter_config.json",
      "adapter_model.safetensors",
    ]);
    expect(configOf("whole")).toMatchObject({ peft_type: "LORA", r: 8, lora_alpha: 16, task_type: "CAUSAL_LM" });
    const state = JSON.parse(readFileSync(at("whole/trainer_state.json"), "utf8"));
    expect(state).toMatchObject({ global_step: 10, max_steps: 10, epoch: 2, logging_steps: 2 });
    expect(
      metrics("whole")
        .filter(({ eval_loss }) => eval_loss !== undefined)
        .map(({ step }) => step),
    ).toEqual([4, 8, 10]);
  });

  test("piped, is one plain line per report, without control characters", () => {
    const lines = finished.stdout.trimEnd().split("\n");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(finished.stdout).not.toMatch(/[\x00-\x09\x0b-\x1f]/);
    const steps = lines.filter((line) =>
      /^step \d+\/10 {2}loss \d+\.\d{4} {2}[\d,]+ tokens\/s {2}\S.* left$/.test(line),
    );
    expect(steps.map((line) => Number(/\d+/.exec(line)![0]))).toEqual([1, 2, 4, 6, 8, 10]);
    expect(lines.filter((line) => /^step \d+ {2}eval loss \d+\.\d{4} {2}perplexity/.test(line))).toHaveLength(3);
    expect(lines.at(-5)).toMatch(/^done at step 10, last loss .*; adapter in whole\/adapter$/);
    expect(lines.slice(-4)).toEqual([
      "next:",
      '  lorikeet generate --model llama --adapter whole/adapter --prompt "..."',
      "  lorikeet eval --model llama --adapter whole/adapter --data valid.jsonl",
      "  lorikeet merge --model llama --adapter whole/adapter --output whole/adapter-merged",
    ]);
    expect(lines.slice(0, 3).map((line) => line.split(/ +/)[0])).toEqual(["data", "train", "valid"]);
    expect(lines).toHaveLength(3 + 4 + 6 + 3 + 1 + 4);
  });

  test("is refused a second time, unless with --overwrite, and then is the same to the bit", async () => {
    const before = adapterBytes("whole");
    expectRefused(
      await lorikeet(work, "train", ...base, "--output", "whole"),
      /already contains a run .*--resume.*--overwrite/,
    );
    expect(adapterBytes("whole")).toBe(before);
    await succeed(
      work,
      "train",
      ...base,
      "--valid",
      "valid.jsonl",
      "--output",
      "whole",
      "--epochs",
      "2",
      ...reports,
      "--overwrite",
    );
    expect(adapterBytes("whole")).toBe(before);
  });

  test("as JSON is one object a line: reports as in metrics.jsonl, then the result", async () => {
    const out = await succeed(
      work,
      "train",
      ...base,
      "--output",
      "json",
      "--steps",
      "3",
      "--logging-steps",
      "1",
      "--log-format",
      "json",
    );
    const lines = jsonLines(out);
    expect(lines.slice(0, 3)).toEqual(metrics("json").slice(0, 3));
    expect(lines.at(-1)).toMatchObject({ stopped: "finished", step: 3, best: null, output: "json" });
  });
});

describe("options that shape a run", () => {
  const short = (output: string, ...args: string[]) =>
    succeed(
      work,
      "train",
      ...base,
      "--output",
      output,
      "--steps",
      "4",
      "--batch-size",
      "4",
      "--logging-steps",
      "1",
      ...args,
    );

  test("--no-shuffle takes the rows in order: halves of the file twice are gradient accumulation of the whole", async () => {
    const rows = readFileSync(at("rows.jsonl"), "utf8").trimEnd().split("\n");
    writeFileSync(at("first.jsonl"), `${rows.slice(0, 8).join("\n")}\n`);
    const exact = [
      "--data",
      "first.jsonl",
      "--no-shuffle",
      "--steps",
      "1",
      "--learning-rate",
      "1e-2",
      "--lr-scheduler",
      "constant",
    ];
    await Promise.all([
      short("whole-batch", ...exact, "--batch-size", "8"),
      short("accumulated", ...exact, "--grad-accum", "2"),
      short("shuffled"),
      short("in-order", "--no-shuffle"),
    ]);
    const [whole, parts] = [await adapterOf("whole-batch"), await adapterOf("accumulated")];
    for (const [key, values] of whole)
      expect(Math.max(...values.map((x, i) => Math.abs(x - parts.get(key)![i]!))), key).toBeLessThan(1e-5);
    expect(metrics("shuffled")[0]!.loss).not.toBe(metrics("in-order")[0]!.loss);
  });

  test("--target-modules takes names, a regular expression, and all-linear", async () => {
    const adapted = async (output: string, targets: string) => {
      await short(output, "--target-modules", targets, "--r", "2");
      return new Set(
        [...(await adapterOf(output)).keys()].map((key) => key.replace(/^base_model\.model\.|\.lora_.*/g, "")),
      );
    };
    const [list, pattern, all] = await Promise.all([
      adapted("by-list", "q_proj,down_proj"),
      adapted("by-pattern", String.raw`.*\.1\..*(k|v)_proj`),
      adapted("by-all", "all-linear"),
    ]);
    expect(list).toEqual(
      new Set([0, 1].flatMap((i) => [`model.layers.${i}.self_attn.q_proj`, `model.layers.${i}.mlp.down_proj`])),
    );
    expect(pattern).toEqual(new Set(["model.layers.1.self_attn.k_proj", "model.layers.1.self_attn.v_proj"]));
    expect(all.size).toBe(14);
    expect([...all].some((name) => name.includes("lm_head"))).toBe(false);
    expect(configOf("by-pattern").target_modules).toBe(String.raw`.*\.1\..*(k|v)_proj`);
  });

  test("--dropout replaces every dropout: the method's, that of --adapter-config, that of --init-adapter", async () => {
    const config = {
      peft_type: "LORA",
      r: 4,
      lora_alpha: 8.0,
      lora_dropout: 0.5,
      target_modules: ["q_proj"],
      task_type: "CAUSAL_LM",
    };
    writeFileSync(at("dropout.json"), JSON.stringify(config));
    await Promise.all([
      short("own", "--adapter-config", "dropout.json"),
      short("none", "--adapter-config", "dropout.json", "--dropout", "0"),
      short("never", "--r", "4", "--lora-alpha", "8", "--target-modules", "q_proj"),
      short(
        "method",
        "--r",
        "4",
        "--lora-alpha",
        "8",
        "--target-modules",
        "q_proj",
        "--lora-dropout",
        "0.1",
        "--dropout",
        "0.5",
      ),
    ]);
    expect(configOf("own").lora_dropout).toBe(0.5);
    expect(configOf("none").lora_dropout).toBe(0);
    expect(adapterBytes("none")).toBe(adapterBytes("never"));
    expect(adapterBytes("method")).toBe(adapterBytes("own"));
    expect(adapterBytes("own")).not.toBe(adapterBytes("never"));
    await Promise.all([
      short("more", "--init-adapter", "own/adapter"),
      short("less", "--init-adapter", "own/adapter", "--dropout", "0"),
    ]);
    expect(configOf("more").lora_dropout).toBe(0.5);
    expect(configOf("less").lora_dropout).toBe(0);
    expect(adapterBytes("more")).not.toBe(adapterBytes("less"));
  });

  test("--adapter-config takes a file that PEFT wrote and writes it back as it was, but for the base's name", async () => {
    const file = `${GOLDEN}/methods/lora/llama-patterns/adapter_config.json`;
    await short("from-peft", "--adapter-config", file);
    const written = JSON.parse(readFileSync(file, "utf8"));
    const sorted = { ...written, target_modules: [...written.target_modules].sort() };
    expect(configOf("from-peft")).toEqual({
      ...sorted,
      base_model_name_or_path: configOf("from-peft").base_model_name_or_path,
    });
    const inFile = await openSafetensors(
      openFolder(`${GOLDEN}/methods/lora/llama-patterns`),
      "adapter_model.safetensors",
    );
    expect([...(await adapterOf("from-peft")).keys()]).toEqual([...inFile.tensors.keys()]);
  });

  test("--init-adapter says which options it makes idle", async () => {
    const args = ["--output", "idle", "--steps", "1", "--init-adapter", `${GOLDEN}/methods/lora/llama-default`];
    const { code, stderr } = await lorikeet(work, "train", ...base, ...args, "--r", "3");
    expect(code).toBe(0);
    expect(stderr).toBe("--init-adapter has its own options: --r not used\n");
    expect(configOf("idle").r).toBe(4);
  });
});

describe("a run that is stopped", () => {
  const endless = [
    "--learning-rate",
    "1e-3",
    "--lr-scheduler",
    "constant",
    "--batch-size",
    "2",
    "--logging-steps",
    "1",
    "--seed",
    "3",
  ];
  const drop = ["--lora-dropout", "0.1"];
  const train = (output: string, ...args: string[]) => [
    "train",
    ...base,
    "--output",
    output,
    ...endless,
    ...drop,
    ...args,
  ];

  /** Starts a long run and sends a signal as soon as its output says `when`. */
  async function stop(output: string, signal: NodeJS.Signals, when: RegExp, ...args: string[]): Promise<Finished> {
    const child = start(work, train(output, "--steps", "1000000", ...args));
    const done = finish(child);
    let written = "";
    child.stdout!.on("data", (text: string) => {
      const before = when.test(written);
      written += text;
      if (!before && when.test(written)) child.kill(signal);
    });
    return done;
  }

  test("by Ctrl-C or kill -9, and resumed, ends with the bits and reports of one that was not", async () => {
    const [interrupted, killed] = await Promise.all([
      stop("interrupted", "SIGINT", /^step 7\//m),
      stop("killed", "SIGKILL", /^step 9\//m, "--save-steps", "4"),
    ]);
    expect(interrupted).toMatchObject({ code: 130, stderr: expect.stringMatching(/^stopping after this step/) });
    expect(interrupted.stdout).toMatch(/^interrupted at step \d+, .*--resume continues/m);
    expect(existsSync(at("interrupted/adapter"))).toBe(false);
    expect(killed.code).toBe(null);
    const last = Math.max(...checkpoints("interrupted"), ...checkpoints("killed"));
    expect(checkpoints("interrupted")).toHaveLength(1);
    expect(checkpoints("killed").at(-1)).toBeGreaterThanOrEqual(8);
    const steps = ["--steps", String(last + 3)];
    const [, again] = await Promise.all([
      succeed(work, ...train("interrupted", ...steps, "--resume")),
      lorikeet(work, ...train("killed", ...steps, "--save-steps", "4", "--resume")),
      succeed(work, ...train("straight", ...steps)),
    ]);
    expect(again.code).toBe(0);
    expect(again.stderr).toMatch(/^folder "killed": took over the lock of process \d+ on .*without releasing it\n$/);
    for (const resumed of ["interrupted", "killed"]) {
      expect(adapterBytes(resumed)).toBe(adapterBytes("straight"));
      expect(metrics(resumed)).toEqual(metrics("straight"));
      expect(readdirSync(at(resumed)).filter((name) => /tmp|old|lock/.test(name))).toEqual([]);
    }
  });

  test("with --resume and other settings is refused by name; without a checkpoint it starts, and says so", async () => {
    const resumed = (...changes: string[]) =>
      lorikeet(work, ...train("straight", "--steps", "40", "--resume", ...changes));
    const other = await resumed("--seed", "4", "--batch-size", "3"); // one at a time: the folder is locked
    const adapter = await resumed("--lora-alpha", "32", "--lora-dropout", "0.2");
    const fresh = await lorikeet(work, ...train("fresh", "--steps", "1", "--resume"));
    expectRefused(other, /the run has changed \(2 problems\)\n {2}--batch-size: was 2, is 3\n {2}--seed: was 3, is 4/);
    expectRefused(
      adapter,
      /options have changed \(2 problems\)\n {2}lora_alpha: was 16, is 32\n {2}lora_dropout: was 0.1, is 0.2/,
    );
    expect(fresh).toMatchObject({ code: 0, stderr: expect.stringContaining("no checkpoint to resume from") });
  });

  test("and resumed without its settings, has those that it started with", async () => {
    const own = ["--optim", "sgd", "--optim-args", "momentum=0.9", "--dropout", "0.1"];
    const plain = ["train", ...base, "--lr-scheduler", "constant", "--steps", "6", "--resume", "--output", "bare"];
    await succeed(work, ...train("bare", ...own, "--steps", "3"));
    await Promise.all([succeed(work, ...plain, ...drop), succeed(work, ...train("unbroken", ...own, "--steps", "6"))]);
    expect(adapterBytes("bare")).toBe(adapterBytes("unbroken"));
    expect(metrics("bare")).toEqual(metrics("unbroken"));
    const other = await lorikeet(work, ...plain, ...drop, "--seed", "42");
    expectRefused(other, /the run has changed \(1 problem\)\n {2}--seed: was 3, is 42\n/);
  });

  test("passes over a damaged checkpoint loudly, which --verify finds; --resume CHECKPOINT names another", async () => {
    const steps = ["--save-steps", "2", "--steps", "6"];
    await succeed(work, ...train("damaged", ...steps));
    expect(await succeed(work, "inspect", "damaged", "--verify")).toMatch(/^\d+ files are as they were written$/m);
    const before = adapterBytes("damaged");
    const file = at("damaged/checkpoint-6/state/optimizer.safetensors");
    const bytes = readFileSync(file);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(file, bytes);
    expectRefused(
      await lorikeet(work, "inspect", "damaged", "--verify"),
      /not as they were written \(1 problem\)\n {2}checkpoint-6\/: "state\/optimizer.safetensors" has changed/,
    );
    const missing = await lorikeet(work, ...train("damaged", ...steps, "--resume", "checkpoint-5"));
    expectRefused(missing, /has no checkpoint "checkpoint-5": it has checkpoint-6, checkpoint-4/);
    const again = await lorikeet(work, ...train("damaged", ...steps, "--resume"));
    expect(again.code).toBe(0);
    expect(again.stderr).toMatch(
      /passed over checkpoints that are damaged \(1 problem\)\n {2}checkpoint-6: .*\nContinuing from/,
    );
    expect(adapterBytes("damaged")).toBe(before);
    await succeed(work, ...train("damaged", ...steps, "--resume", "checkpoint-4"));
    expect(adapterBytes("damaged")).toBe(before);
  });

  test("nobody reading its reports any more does not stop it", async () => {
    const child = start(work, train("unread", "--steps", "12"));
    const done = finish(child);
    child.stdout!.destroy();
    expect(await done).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(existsSync(at("unread/adapter/adapter_model.safetensors"))).toBe(true);
  });

  test("SIGTERM saves as Ctrl-C does, with exit code 143", async () => {
    expect((await stop("terminated", "SIGTERM", /^step 3\//m)).code).toBe(143);
    expect(checkpoints("terminated")).toHaveLength(1);
  });
});

const model = stories();
test.skipIf(model === null)("a pretrained model learns a text: eval of base and adapter says so", async () => {
  writeRows(
    at("text.jsonl"),
    Array.from({ length: 16 }, (_, i) => ({ text: `The ${["red", "old", "wet", "shy"][i % 4]} parrot flew home.` })),
  );
  writeFileSync(at("story.txt"), "The red parrot flew home. The old parrot flew home.\n");
  const data = ["--data", "text.jsonl", "--valid", "story.txt", "--steps", "20", "--learning-rate", "1e-2"];
  await succeed(work, "train", "--model", model!, "--output", "parrot", ...data, "--target-modules", "all-linear");
  const evaluate = async (...args: string[]) => {
    const [found] = jsonLines(
      await succeed(work, "eval", "--model", model!, "--data", "text.jsonl", "--json", ...args),
    );
    return found!.loss as number;
  };
  const [before, after] = await Promise.all([evaluate(), evaluate("--adapter", "parrot/adapter")]);
  expect(after).toBeLessThan(before / 2);
});

describe("--optim", () => {
  const short = [...base, "--steps", "2", "--learning-rate", "1e-3"];

  test("trains with every optimizer, by transformers' names too, and resumes only with the same", async () => {
    const own = ["--optim", "sgd", "--optim-args", "momentum=0.9,nesterov=true"];
    await succeed(work, "train", ...short, "--output", "sgd", ...own);
    for (const optim of ["lion_32bit", "adafactor", "adamw_8bit"]) {
      await succeed(work, "train", ...short, "--output", `by-${optim}`, "--optim", optim);
      expect(adapterBytes(`by-${optim}`)).not.toBe(adapterBytes("sgd"));
    }
    const resume = [...short, "--steps", "3", "--output", "sgd", "--resume"];
    const other = await lorikeet(work, "train", ...resume, "--optim", "adamw");
    expectRefused(other, /\n {2}--optim: was sgd, is adamw\n {2}--optim-args: was .*momentum.*, is {}\n/);
    await succeed(work, "train", ...resume, ...own);
  });

  test("LoRA+ changes where lora_B goes; options may come from a file", async () => {
    writeFileSync(at("plus.yaml"), "optim: adamw_torch\noptim_args: beta2=0.98\nloraplus_lr_ratio: 16\n");
    await succeed(work, "train", ...short, "--output", "plain", "--optim-args", "beta2=0.98");
    await succeed(work, "train", ...short, "--output", "plus", "--config", "plus.yaml");
    const [plain, plus] = [await adapterOf("plain"), await adapterOf("plus")];
    const largest = (values: Map<string, Float32Array>) =>
      Math.max(...[...values].filter(([name]) => name.includes("lora_B")).flatMap(([, b]) => Array.from(b, Math.abs)));
    expect(largest(plus)).toBeGreaterThan(8 * largest(plain));
  });

  test("a wrong name, a wrong option and LoRA+ without LoRA are told", async () => {
    const refused = async (...given: string[]) => lorikeet(work, "train", ...short, "--output", "refused", ...given);
    expectRefused(await refused("--optim", "adam"), /'adam' is invalid. Expected one of adamw, .*Did you mean "adamw"/);
    expectRefused(await refused("--optim", "sgd", "--optim-args", "momentum"), /"momentum" is not name=value/);
    expectRefused(
      await refused("--optim", "lion", "--optim-args", "eps=1"),
      /--optim-args: Lion: "eps" is not an option/,
    );
    expectRefused(
      await refused("--method", "ia3", "--loraplus-lr-ratio", "4"),
      /--loraplus-lr-ratio is 4, but no trained parameter is a lora_B/,
    );
  });
});

describe("a run with a test set", () => {
  test("evaluates what was trained on it, once, and keeps the metrics in the run", async () => {
    const args = ["--valid", "valid.jsonl", "--test", "valid.jsonl", "--steps", "12", "--learning-rate", "5e-3"];
    const stdout = await succeed(work, "train", ...base, ...args, "--output", "tested");
    const results = JSON.parse(readFileSync(at("tested/test_results.json"), "utf8"));
    const last = metrics("tested").findLast(({ eval_loss }) => eval_loss !== undefined)!;
    expect(results.test_loss).toBe(last.eval_loss);
    expect(results.test_perplexity).toBe(last.perplexity);
    const lines = stdout.trimEnd().split("\n");
    const done = lines.findIndex((line) => line.startsWith("done at"));
    expect(lines[done - 1]).toMatch(/^test loss \d+\.\d{4} {2}perplexity \d+\.\d{4}$/);
    expect(lines[done]).toMatch(
      /^done at step 12, last loss \d\.\d+ \(mean of the run \d\.\d+\), eval loss \d\.\d+, .*; adapter in tested\/adapter$/,
    );
  });

  test("follows the metric that is asked for, which the model's task must have", async () => {
    const ranked = ["--metric-for-best-model", "accuracy", "--valid", "valid.jsonl"];
    const { stderr } = await lorikeet(work, "train", ...base, ...ranked, "--output", "unknown-metric");
    expect(stderr).toContain(
      '--metric-for-best-model is "accuracy", but evaluations have loss, perplexity: choose one of these',
    );
  });

  test("chooses epochs and learning rate that are not given, and says so", async () => {
    const rows = readFileSync(join(work, "rows.jsonl"), "utf8").trimEnd().split("\n").slice(0, 6).join("\n");
    writeFileSync(join(work, "six.jsonl"), rows);
    const six = ["--model", "llama", "--data", "six.jsonl"];
    const both = await succeed(work, "train", ...six, "--output", "six");
    expect(both).toContain("chosen: --epochs 100 (100 steps, of which an epoch has 1)\n");
    expect(both).toMatch(/^chosen: --learning-rate 0\.003 \(for a model of width \d+\)$/m);
    expect(both).toMatch(/^done at step 100, /m);
    expect(both).not.toContain("note:");
    const given = ["--steps", "12", "--learning-rate", "1e-3"];
    expect(await succeed(work, "train", ...six, ...given, "--output", "given")).not.toContain("chosen");
    const json = await succeed(work, "train", ...six, "--steps", "2", "--log-format", "json", "--output", "told");
    expect(JSON.parse(json.trimEnd().split("\n").at(-1)!)).toMatchObject({
      chosen: [{ name: "learningRate", value: 3e-3, reason: "for a model of width 32" }],
    });
    const whole = await succeed(work, "train", ...six, "--steps", "2", "--method", "full", "--output", "whole-rate");
    expect(whole).toContain("chosen: --learning-rate 0.0003 (for all weights of a model of width ");
  });

  test("--init-adapter is trained with the rate of its own method", async () => {
    const short = ["--model", "llama", "--data", "rows.jsonl", "--steps", "2"];
    await succeed(work, "train", ...short, "--method", "ia3", "--output", "ia3-first");
    const on = await succeed(work, "train", ...short, "--init-adapter", "ia3-first/adapter", "--output", "ia3-on");
    expect(on).toContain("chosen: --learning-rate 0.005 (for (IA)³)");
  });

  test("says that three steps teach nothing, and that a loss did not move", async () => {
    const short = await succeed(work, "train", ...base, "--steps", "3", "--output", "short");
    expect(short).toContain("note: 3 steps teach a model almost nothing: try --steps 60, which is about 60 steps");
    const still = ["--steps", "24", "--learning-rate", "1e-7", "--output", "still"];
    expect(await succeed(work, "train", ...base, ...still)).toMatch(
      /the loss did not move: .*Try --learning-rate 0\.000001, then --steps 72/,
    );
  });
});
