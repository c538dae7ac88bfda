/**
 * Honest mistakes on the command line, by kind: the line, then what its answer says of what was found, of what was
 * expected, and of what to type.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { snapshot, workFolder } from "./bed.ts";
import { answerOf, words } from "./in-process.ts";
import { makeMistakesPossible } from "./mistakes.fixture.ts";

type Mistake = readonly [line: string, found: RegExp, expected: RegExp, next: RegExp];

const TRAIN = "train --model base --data rows.jsonl --output out";
const HELP = /--help shows the options, with examples/;
const ROWS = /Each row should be one of \{"text"\}/;
const SKIP = /Correct these rows, or take them out/;

const mistakes: Readonly<Record<string, readonly Mistake[]>> = {
  "names of commands": [
    ["finetune --model base", /unknown command 'finetune'/, /expected one of train, data/, /Type lorikeet train\./],
    ["evaluate --model base", /'evaluate'/, /expected one of/, /Type lorikeet eval\./],
    ["fuse --model base", /'fuse'/, /expected one of/, /Type lorikeet merge\./],
    ["trian --model base", /'trian'/, /expected one of/, /Did you mean "train"/],
    ["preview --data rows.jsonl", /'preview'/, /expected one of/, /Type lorikeet data preview\./],
  ],
  "missing parts": [
    [
      "train",
      /required options not specified/,
      /--model <dir> .*\n +--data .*\n +--output/,
      /Type: lorikeet train --model/,
    ],
    [
      "train --model base",
      /required options/,
      /--data <file...> .*\n +--output/,
      /Type: lorikeet train --model <dir> --data/,
    ],
    [
      "train --model base --data rows.jsonl",
      /required option not/,
      /--output <dir> +run folder/,
      /Type: .* --output <dir>/,
    ],
    ["eval --model base", /required option not/, /--data <file...> +data files \(.jsonl/, /Type: lorikeet eval/],
    [
      "predict --model base --data rows.jsonl",
      /required option not/,
      /--output <file> .*\.csv/,
      /Type: lorikeet predict/,
    ],
    ["generate --model base", /neither is given/, /--prompt or --messages/, /give one of them/],
    [
      "merge --model base --output m",
      /required option not/,
      /--adapter <dir\[:weight\]> +adapter folder/,
      /Type: lorikeet merge/,
    ],
    ["merge --adapter runs/done", /required options/, /--model <dir> .*\n +--output/, /Type: lorikeet merge --model/],
    ["inspect", /missing required argument/, /'dir'/, /Type: lorikeet inspect <dir>/],
    ["data preview --model base", /required option not/, /--data/, /Type: lorikeet data preview --model/],
    [`${TRAIN} --lr`, /'--learning-rate <x>' has no value/, /a number of at least 0/, /such as --learning-rate 0.0002/],
  ],
  "habits from GPUs and other tools": [
    [`${TRAIN} --fp16`, /unknown option '--fp16'/, /is in float32/, /--weights f16/],
    [`${TRAIN} --bf16 True`, /'--bf16'/, /is in float32/, /--weights bf16/],
    [`${TRAIN} --torch_dtype bfloat16`, /'--torch_dtype'/, /is in float32/, /--weights bf16/],
    [`${TRAIN} --load-in-4bit`, /'--load-in-4bit'/, /4 bits/, /--weights nf4/],
    [`${TRAIN} --load_in_8bit`, /'--load_in_8bit'/, /8 bits/, /--weights int8/],
    [`${TRAIN} --device cuda:0`, /'--device'/, /runs on the CPU/, /leave it out; --threads/],
    ["generate --model base --prompt hi --gpu", /'--gpu'/, /runs on the CPU/, /leave it out/],
    [`${TRAIN} --deepspeed ds.json`, /'--deepspeed'/, /runs on the CPU/, /leave it out/],
    [`${TRAIN} --warmup-ratio 0.1`, /'--warmup-ratio'/, /a number of steps/, /--warmup-steps/],
    [`${TRAIN} --evaluation_strategy epoch`, /'--evaluation_strategy'/, /after how many steps/, /--eval-steps/],
    [
      `${TRAIN} --resume_from_checkpoint out/checkpoint-5`,
      /'--resume_from_checkpoint'/,
      /newest checkpoint/,
      /--resume /,
    ],
    [`${TRAIN} --report-to wandb`, /'--report-to'/, /metrics.jsonl/, /--log-format json/],
    [`${TRAIN} --push-to-hub`, /'--push-to-hub'/, /Nothing is uploaded/, /hf upload/],
    [`${TRAIN} --use-lora`, /'--use-lora'/, /is the default/, /--method lora/],
    [`${TRAIN} --iters 100`, /'--iters'/, /counts optimizer steps/, /--steps/],
  ],
  "typing errors": [
    ["train --modle base --data rows.jsonl --output out", /'--modle'/, /--model\b/, /Did you mean --model/],
    [`${TRAIN} --learning-rte 1e-3`, /'--learning-rte'/, /--learning-rate/, /Did you mean --learning-rate/],
    ["train -m base --data rows.jsonl --output out", /'-m'/, /Flags are written out/, /--model/],
    [
      `${TRAIN} --target-modules q_prj`,
      /\["q_prj"\] match no module/,
      /Its modules end in .*"q_proj"/,
      /Did you mean "q_proj"/,
    ],
    [
      `${TRAIN} --target-modules q_proj,v_prj`,
      /no module matches "v_prj"/,
      /Its modules end in/,
      /Did you mean "v_proj"/,
    ],
    [`${TRAIN} --method lorra`, /'lorra' is invalid/, /Expected one of adalora/, /Did you mean "lora"/],
    [`${TRAIN} --task classification`, /'classification' is invalid/, /Expected one of CAUSAL_LM, .*SEQ_CLS/, HELP],
    [`${TRAIN} --optim adamm`, /'adamm'/, /Expected one of adamw/, /Did you mean "adamw"/],
    [`${TRAIN} --lr-scheduler cosin`, /'cosin'/, /Expected one of constant/, /Did you mean "cosine"/],
    [`${TRAIN} --weights int4`, /'int4'/, /Expected one of stored, .*nf4/, /Did you mean "int8"/],
    [
      "train base rows.jsonl",
      /too many arguments: "base"/,
      /has no flag in front/,
      /Type: lorikeet train --model <dir>/,
    ],
    ["generate --model base Once upon", /too many arguments: "Once"/, /has no flag/, /Type: lorikeet generate/],
    ["inspect base rows.jsonl", /"rows.jsonl" has no flag/, /too many/, /Type: lorikeet inspect <dir>/],
  ],
  "values out of range": [
    [`${TRAIN} --lr fast`, /'fast' is invalid/, /Expected a number of at least 0/, HELP],
    [`${TRAIN} --epochs 0`, /'--epochs <n>' argument '0'/, /Expected a number above 0/, HELP],
    [`${TRAIN} --batch-size -1`, /'-1' is invalid/, /a whole number of at least 1/, HELP],
    [`${TRAIN} --steps 1.5`, /'1.5' is invalid/, /a whole number/, HELP],
    [`${TRAIN} --valid-split 20`, /'20' is invalid/, /from 0 up to but not including 1/, HELP],
    [`${TRAIN} --lora-dropout 50`, /'50' is invalid/, /a number from 0 to 1/, HELP],
    [`${TRAIN} --threads 0`, /'0' is invalid/, /a whole number from 1 to/, HELP],
    [`${TRAIN} --cache-frozen lots`, /'lots' is invalid/, /a number of bytes/, /such as 500MB or 2GB/],
    [
      "train --model base --data table.csv --output out --columns body",
      /"body" is not/,
      /name=name/,
      /such as text=body/,
    ],
    ["generate --model base --prompt hi --top-p 95", /'95' is invalid/, /a number from 0 to 1/, HELP],
    ["generate --model base --prompt hi --temperature -1", /'-1' is invalid/, /at least 0/, HELP],
    ["eval --model base --data rows.jsonl --max-length 100000", /is 100000/, /at most 64/, /the model's context/],
  ],
  "wrong paths": [
    [
      "train --model nowhere --data rows.jsonl --output out",
      /there is no folder "nowhere"/,
      /"config.json"/,
      /download it once/,
    ],
    [
      "train --model base/config.json --data rows.jsonl --output out",
      /is a file/,
      /expected a folder/,
      /its own folder is base/,
    ],
    [
      "eval --model runs/done/adapter --data rows.jsonl",
      /holds an adapter/,
      /expected a model/,
      /type --model \S+ --adapter runs\/done\/adapter/,
    ],
    [
      "eval --model runs/done --data rows.jsonl",
      /holds a run with an adapter/,
      /expected a model/,
      /--adapter runs\/done/,
    ],
    ["eval --model empty-folder --data rows.jsonl", /nothing in it/, /expected a model folder/, /"config.json"/],
    [
      "eval --model base --adapter base --data rows.jsonl",
      /holds a model/,
      /expected the folder of an adapter or run/,
      /"adapter_config.json"/,
    ],
    [
      "eval --model base --adapter nowhere --data rows.jsonl",
      /no folder "nowhere"/,
      /"adapter_config.json"/,
      /download it once/,
    ],
    [
      "eval --model base --adapter runs/done/adapter/adapter_model.safetensors --data rows.jsonl",
      /is a file/,
      /expected a folder/,
      /its own folder is runs\/done\/adapter/,
    ],
    [
      "eval --model base --adapter other-adapter --data rows.jsonl",
      /made for "\S+gpt2", does not fit this llama/,
      /\["c_attn"\] match no module/,
      /Its modules end in/,
    ],
    ["train --model base --data row.jsonl --output out", /no file "row.jsonl"/, /--data/, /Did you mean "rows.jsonl"/],
    [
      "train --model base --data base --output out",
      /--data base is a folder/,
      /expected a file/,
      /type --data 'base\/\*.jsonl'/,
    ],
    [`${TRAIN} --valid nowhere.jsonl`, /no file "nowhere.jsonl"/, /--valid/, /It has base, /],
    ["train --model base --data rows.jsonl --output notes.txt", /notes.txt is a file/, /expected a folder/, /--output/],
    [
      "train --model base --data rows.jsonl --output runs/done",
      /already contains a run/,
      /choose another folder/,
      /--resume, .*--overwrite/,
    ],
    [
      "predict --model base --data rows.jsonl --output answers.txt",
      /"answers.txt"/,
      /ends in .jsonl or .csv .* or .safetensors/,
      /--output/,
    ],
    ["train --config run.yml", /no file "run.yml"/, /--config/, /Did you mean "run.yaml"/],
    [
      "train --config run.yaml",
      /"learning-rat" is not an option/,
      /\(2 problems\)/,
      /Did you mean "learning-rate"(?:.|\n)*--weights f16/,
    ],
    [`${TRAIN} --adapter-config runs/done/adapter`, /is a folder/, /expected a file/, /adapter\/adapter_config.json/],
    [
      "merge --model base --adapter runs/done --output base",
      /--output base is also an input/,
      /merge writes to another folder/,
      /--output/,
    ],
    ["inspect rows.jsonl", /rows.jsonl is a file/, /expected a folder/, /its own folder/],
    [
      "inspect empty-folder",
      /"empty-folder" has neither/,
      /"config.json" \(a model\)/,
      /"adapter_config.json" \(an adapter\)/,
    ],
  ],
  "wrong files of data": [
    [
      "train --model base --data empty.jsonl --output out",
      /"empty.jsonl" is empty/,
      /at least one row/,
      /such as \{"text"\}/,
    ],
    ["train --model base --data book.xlsx --output out", /ends in ".xlsx", which is not read/, /JSON Lines/, /\.csv/],
    [
      "train --model base --data list.jsonl --output out",
      /list.jsonl:1: not JSON/,
      ROWS,
      /a list of rows is a .json file: rename it/,
    ],
    [
      "train --model base --data python.jsonl --output out",
      /python.jsonl:1: not JSON/,
      ROWS,
      /double quotes: write it with json.dumps/,
    ],
    [
      "train --model base --data cut.json --output out",
      /"cut.json" is truncated/,
      /the list at its start/,
      /does not end/,
    ],
    ["train --model base --data table.csv --output out", /only the keys "body", "stars"/, ROWS, /--columns text=body/],
    [
      "train --model base --data table.csv --output out --columns text=bodi",
      /no "bodi" for "text"/,
      ROWS,
      /Did you mean "body"/,
    ],
    [
      "train --model base --data latin.csv --output out",
      /"latin.csv" is not text in UTF-8/,
      /UTF-8 or UTF-16/,
      /convert it, for example with iconv/,
    ],
    [
      "train --model base --data no-answer.jsonl --output out",
      /"prompt" without "completion"/,
      /\{"prompt", "completion"\}/,
      ROWS,
    ],
    ["train --model base --data long.jsonl --output out", /has 102 tokens/, /context is 64/, /set --max-length/],
    ["train --model base --data chat.jsonl --output out", /no turn of the "assistant"/, /to learn from/, SKIP],
    [
      "train --model base --data half-labeled.jsonl --output out --task SEQ_CLS",
      /half-labeled.jsonl:2: has no "label"/,
      /"label"/,
      SKIP,
    ],
    [
      "train --model base --data labeled.jsonl --output out --labels yes,maybe",
      /label "no" is not known/,
      /The labels are "yes", "maybe"/,
      SKIP,
    ],
    [
      "train --model base --data fake.parquet --output out",
      /"fake.parquet" cannot be read as Parquet/,
      /PAR1/,
      /rename/,
    ],
    [
      "train --model base --data fake.jsonl.gz --output out",
      /"fake.jsonl.gz" is not a whole gzip file/,
      /header/,
      /rename/,
    ],
  ],
  "what does not go together": [
    [`${TRAIN} --steps 5 --epochs 1`, /'--steps <n>' cannot be used/, /with option '--epochs/, /leave one out/],
    [`${TRAIN} --valid rows.jsonl --valid-split 0.1`, /'--valid <file...>' cannot/, /'--valid-split/, /leave one out/],
    [`${TRAIN} --adapter-config a.json --r 4`, /'--adapter-config <file>' cannot/, /'--r <n>'/, /leave one out/],
    [`${TRAIN} --early-stopping-patience 2`, /--early-stopping-patience/, /needs evaluation data/, /set --valid/],
    [
      "generate --model base --prompt hi --raw --system s",
      /--raw continues a prompt without/,
      /--system needs it/,
      /leave one out/,
    ],
    [
      "generate --model base --messages messages.json",
      /messages.json is not a list/,
      /expected \[\{"role"/,
      /"content"/,
    ],
    ["inspect base --r 4", /--r: only used with/, /--plan/, /add --plan/],
  ],
};

const work = workFolder();
let before: Map<string, string>;

beforeAll(() => {
  makeMistakesPossible(work);
  process.chdir(work);
  process.env.HF_HUB_OFFLINE = "1"; // a name that is no folder is asked for on the hub
  before = snapshot(work);
});

test("there are 86 mistakes and more", () => {
  const lines = Object.values(mistakes).flatMap((list) => list.map(([line]) => line));
  expect(lines.length).toBeGreaterThanOrEqual(86);
  expect(new Set(lines).size).toBe(lines.length);
});

describe.each(Object.entries(mistakes))("%s", (_, list) => {
  test.each(list)("%s", async (line, found, expected, next) => {
    const { code, stderr, stdout } = await answerOf(words(line));
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.match(/^error:/gm), stderr).toHaveLength(1);
    expect(stderr).not.toMatch(/^ {4}at |bug in lorikeet|undefined|\[object/m);
    for (const part of [found, expected, next]) expect(stderr).toMatch(part);
  });
});

test("no mistake leaves or changes a file", () => {
  expect(snapshot(work)).toEqual(before);
  expect(existsSync(join(work, "out"))).toBe(false);
});
