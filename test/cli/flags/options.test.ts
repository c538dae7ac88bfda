import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { expectRefused, goldenModel, jsonLines, lorikeet, succeed, workFolder, writeRows } from "../bed.ts";

const work = workFolder();
const tokens = Array.from({ length: 6 }, (_, i) => ({ input_ids: [1, 5 + i, 9, 40 + i, 12, 2] }));

beforeAll(() => {
  goldenModel(join(work, "base"), "llama");
  writeRows(join(work, "rows.jsonl"), tokens);
});

/** What the contract promises, by command. */
const spellings: Readonly<Record<string, readonly string[]>> = {
  train: [
    ..."model data valid output adapter-config method r lora-alpha lora-dropout target-modules init-adapter".split(" "),
    ..."steps epochs batch-size grad-accum max-length learning-rate lr-scheduler warmup-steps weight-decay".split(" "),
    ..."optim optim-args loraplus-lr-ratio loraplus-lr-embedding".split(" "),
    ..."max-grad-norm dropout seed no-shuffle eval-steps save-steps resume config threads build log-format".split(" "),
  ],
  generate: "model adapter prompt max-new-tokens temperature top-k top-p seed".split(" "),
  eval: "model adapter data json".split(" "),
  predict: "model adapter data output".split(" "),
  merge: "model adapter output safe".split(" "),
  inspect: "adapter-config json".split(" "),
  "bench step": "shape tokens batch data weights method r threads build json".split(" "),
  "bench decode": "shape tokens weights threads build json".split(" "),
  "bench start": "shape tokens batch threads build json".split(" "),
};

test.each(Object.keys(spellings))("%s --help-all shows every option of the contract, and examples", async (command) => {
  const help = await succeed(work, ...command.split(" "), "--help-all");
  for (const name of spellings[command]!) expect(help).toMatch(new RegExp(`^ +--${name}[ \\n]`, "m"));
  expect(help).toContain(`Examples:\n  $ lorikeet ${command}`);
});

test("without a command the help is shown and the exit code is 1; --help and --version exit with 0", async () => {
  const [bare, help, version] = await Promise.all([
    lorikeet(work),
    succeed(work, "--help"),
    succeed(work, "--version"),
  ]);
  expect(bare).toMatchObject({ code: 1, stdout: "" });
  for (const command of Object.keys(spellings)) expect(help).toContain(`\n  ${command.split(" ")[0]} `);
  expect(version).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test.each([
  [["train", "--modle", "base"], /unknown option '--modle'. Did you mean --model/],
  [["eval", "--jsn"], /unknown option '--jsn'. Did you mean --json\?/],
  [["bench", "step", "--shapee", "tiny"], /unknown option '--shapee'. Did you mean --shape/],
  [["trian"], /unknown command 'trian', .* Did you mean "train"/],
  [["merge", "--model", "base", "extra"], /too many arguments/],
  [["train", "--model", "base", "--data", "rows.jsonl"], /required option not specified:\n {2}--output <dir>/],
  [
    ["train"],
    /required options not specified:\n {2}--model.*\n {2}--data.*\n {2}--output.*\nType: lorikeet train --model <dir> --data/,
  ],
  [["generate", "--model", "base"], /--prompt or --messages .*neither is given/],
  [["inspect"], /missing required argument 'dir'/],
  [["train", "--steps", "0"], /'--steps <n>' argument '0' is invalid. Expected a whole number of at least 1/],
  [["train", "--learning-rate", "fast"], /'--learning-rate <x>' argument 'fast' is invalid. Expected a number/],
  [["train", "--dropout", "1"], /'--dropout <p>' argument '1' is invalid. Expected a number from 0 up to but not incl/],
  [
    ["train", "--cache-frozen", "lots"],
    /'--cache-frozen <size>' argument 'lots' is invalid. Expected a number of bytes/,
  ],
  [["train", "--cache-frozen", "2TB"], /Expected a number of bytes, such as 500MB or 2GB/],
  [["train", "--lr-scheduler", "step"], /Expected one of constant, linear, cosine/],
  [["train", "--target-modules", "a,,b"], /Expected names separated by commas/],
  [["generate", "--top-p", "1.5"], /Expected a number from 0 to 1/],
  [["train", "--steps", "2", "--epochs", "1"], /'--steps <n>' cannot be used with option '--epochs <n>'/],
  [
    ["train", "--adapter-config", "a.json", "--r", "4"],
    /'--adapter-config <file>' cannot be used with option '--r <n>'/,
  ],
] as const)("%j is refused with one error", async (args, message) => {
  expectRefused(await lorikeet(work, ...args), message);
});

test("the command line goes before --config, and says what to drop of it", async () => {
  const config = `
model: base
data: rows.jsonl
output: by-config
epochs: 3          # --steps drops it
learning_rate: 5e-3
lr-scheduler: constant
target-modules: [k_proj, o_proj]
r: 2
no-shuffle: true
valid:             # says nothing
log-format: json
logging-steps: 1
`;
  writeFileSync(join(work, "run.yaml"), config);
  const same = ["--learning-rate", "5e-3", "--lr-scheduler", "constant", "--r", "3", "--no-shuffle"];
  const typed = ["--model", "base", "--data", "rows.jsonl", "--output", "typed", "--target-modules", "k_proj, o_proj"];
  const [byConfig, byFlags] = await Promise.all([
    succeed(work, "train", "--config", "run.yaml", "--steps", "2", "--r", "3"),
    succeed(work, "train", ...typed, ...same, "--steps", "2", "--logging-steps", "1", "--log-format", "json"),
  ]);
  const losses = (text: string) => jsonLines(text).map(({ loss }) => loss);
  expect(losses(byConfig)).toHaveLength(4); // two steps, the summary, the result
  expect(losses(byConfig)).toEqual(losses(byFlags));
  expect(jsonLines(byConfig).at(-1)).toMatchObject({ output: "by-config", step: 2, stopped: "finished" });
});

test("everything wrong in a --config file is listed at once", async () => {
  const config = "steps: x\nlr-scheduler: foo\nlerning-rate: 3\nresume: yes please\nmodel: [a: b]\nno-shuffle: 1\n";
  writeFileSync(join(work, "wrong.yaml"), config);
  writeFileSync(join(work, "damaged.yaml"), "steps: [1\nmodel: base");
  writeFileSync(join(work, "list.yaml"), "- steps");
  const run = (file: string) => lorikeet(work, "train", "--config", file);
  const [wrong, damaged, list, missing] = await Promise.all(
    ["wrong.yaml", "damaged.yaml", "list.yaml", "nowhere.yaml"].map(run),
  );
  expectRefused(wrong!, /options in "wrong.yaml" cannot be used \(\d problems\)/);
  expect(wrong!.stderr).toContain('"steps" is "x". Expected a whole number of at least 1.');
  expect(wrong!.stderr).toContain('"lr-scheduler" is "foo". Expected one of constant, linear, cosine.');
  expect(wrong!.stderr).toContain('"lerning-rate" is not an option of train. Did you mean "learning-rate"');
  expect(wrong!.stderr).toContain('"resume" is "yes please". Expected true, false or the name of a checkpoint');
  expect(wrong!.stderr).toContain('"no-shuffle" is 1. Expected true or false.');
  expectRefused(damaged!, /"damaged.yaml" is not YAML: .* at line 2/);
  expectRefused(list!, /"list.yaml": expected option names with values/);
  expectRefused(missing!, /has no file "nowhere.yaml"/);
});
