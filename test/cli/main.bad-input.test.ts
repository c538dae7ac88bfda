import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { openSafetensors, writeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { folderTarget, openFolder } from "../../src/runtime/node.ts";
import { GOLDEN } from "../golden-files.ts";
import { addTokenizer, expectRefused, goldenModel, lorikeet, snapshot, workFolder, writeRows } from "./bed.ts";

const work = workFolder();
const at = (name: string) => join(work, name);

type Json = Record<string, unknown>;

/** A copy of a folder with one JSON file changed. */
function changed(from: string, to: string, file: string, changes: Json): void {
  cpSync(at(from), at(to), { recursive: true });
  const json = JSON.parse(readFileSync(at(`${to}/${file}`), "utf8"));
  writeFileSync(at(`${to}/${file}`), JSON.stringify({ ...json, ...changes }));
}

/** A copy of a model with the header of its safetensors file changed, as text of the same length. */
function lying(to: string, what: RegExp, instead: string): void {
  cpSync(at("base"), at(to), { recursive: true });
  const path = at(`${to}/model.safetensors`);
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = bytes.toString("latin1", 8, 8 + length);
  const replaced = header.replace(what, instead);
  expect(replaced).not.toBe(header);
  expect(replaced.length).toBe(length);
  bytes.write(replaced, 8, "latin1");
  writeFileSync(path, bytes);
}

/** A copy of an adapter with its tensors renamed or dropped. */
async function renamed(to: string, rename: (key: string) => string | null): Promise<void> {
  cpSync(at("adapter"), at(to), { recursive: true });
  const { tensors } = await openSafetensors(openFolder(at("adapter")), "adapter_model.safetensors");
  const kept = Array.from(tensors.values()).filter(({ name }) => rename(name) !== null);
  const written = kept.map((tensor) => ({
    ...tensor,
    name: rename(tensor.name)!,
    dtype: tensor.dtype,
    shape: tensor.shape,
    bytes: () => tensor.read(),
  }));
  await writeSafetensors(folderTarget(at(to)), "adapter_model.safetensors", written);
}

let before: Map<string, string>;

beforeAll(async () => {
  goldenModel(at("base"), "llama");
  addTokenizer(at("base"));
  cpSync(`${GOLDEN}/methods/lora/llama-default`, at("adapter"), { recursive: true });
  cpSync(`${GOLDEN}/methods/lora/gpt2-default`, at("gpt2-adapter"), { recursive: true });
  writeRows(at("rows.jsonl"), [{ input_ids: [1, 5, 6, 7] }, { input_ids: [1, 8, 9] }]);

  cpSync(at("base"), at("cut"), { recursive: true });
  truncateSync(at("cut/model.safetensors"), 20_000);
  cpSync(at("base"), at("stub"), { recursive: true });
  truncateSync(at("stub/model.safetensors"), 5);
  cpSync(at("base"), at("huge-header"), { recursive: true });
  const huge = readFileSync(at("base/model.safetensors"));
  huge.writeBigUInt64LE(2n ** 60n, 0);
  writeFileSync(at("huge-header/model.safetensors"), huge);
  lying("wrong-shape", /("lm_head\.weight":\{"dtype":"F32","shape":)\[97,32\]/, "$1[32,97]");
  lying("wrong-size", /("lm_head\.weight":\{"dtype":"F32","shape":)\[97,32\]/, "$1[97,33]");
  lying("integers", /("lm_head\.weight":\{"dtype":)"F32"/, '$1"I32"');
  goldenModel(at("lost-shard"), "llama-sharded");
  rmSync(at("lost-shard/model-00002-of-00003.safetensors"));
  changed("base", "unknown-type", "config.json", { model_type: "lama" });
  changed("base", "no-type", "config.json", { model_type: undefined });
  changed("base", "bad-config", "config.json", { hidden_size: "32" });
  changed("base", "smaller", "config.json", { intermediate_size: 48 });
  cpSync(at("base"), at("broken-config"), { recursive: true });
  writeFileSync(at("broken-config/config.json"), '{"model_type": "llama",\n "hidden_size": }');
  cpSync(at("base"), at("null-config"), { recursive: true });
  writeFileSync(at("null-config/config.json"), "null");
  cpSync(at("base"), at("broken-tokenizer"), { recursive: true });
  writeFileSync(at("broken-tokenizer/tokenizer.json"), '{"model": {"type": "BPE"}}');

  changed("adapter", "unknown-method", "adapter_config.json", { peft_type: "LORRA" });
  changed("adapter", "no-method", "adapter_config.json", { peft_type: undefined });
  changed("adapter", "unknown-modules", "adapter_config.json", { target_modules: ["q_prj"] });
  changed("adapter", "other-rank", "adapter_config.json", { r: 6 });
  changed("adapter", "ill-typed", "adapter_config.json", { r: "eight" });
  cpSync(at("adapter"), at("no-weights"), { recursive: true });
  rmSync(at("no-weights/adapter_model.safetensors"));
  cpSync(at("adapter"), at("cut-adapter"), { recursive: true });
  truncateSync(at("cut-adapter/adapter_model.safetensors"), 1000);
  await renamed("incomplete", (key) => (key.includes("layers.1.self_attn.v_proj.lora_B") ? null : key));
  await renamed("deeper", (key) => key.replace("layers.1.", "layers.7."));

  writeRows(at("text.jsonl"), [{ text: "hello" }]);
  writeRows(at("unknown-ids.jsonl"), [
    { input_ids: [1, 2, 3] },
    { input_ids: [1, 97] },
    { input_ids: [4, 5], labels: [4, 1000] },
  ]);
  writeRows(at("long.jsonl"), [{ input_ids: [1, 2] }, { input_ids: Array(65).fill(3) }, { text: "x".repeat(63) }]);
  writeFileSync(
    at("malformed.jsonl"),
    '{"text": "fine"}\n{"text": 3}\n\n{"txt": "a"}\n{"text": "a"\n{"prompt": "p"}\n[1]\n{"input_ids": [1.5]}\n',
  );
  writeRows(at("chat.jsonl"), [{ messages: [{ role: "assistant", content: "hi" }] }]);
  writeFileSync(at("empty.jsonl"), "\n\n");
  writeFileSync(at("empty.txt"), "");
  writeFileSync(at("data.docx"), "a,b\n");
  writeRows(at("mute.jsonl"), [{ input_ids: [3, 4], labels: [3, -100] }]);
  writeFileSync(at("a-file"), "in the way");
  writeFileSync(at("not-json.json"), "{peft_type: LORA}");
  mkdirSync(at("taken.safetensors"));
  writeFileSync(at("taken.safetensors/keep"), "");
  before = snapshot(work);
});

const evaluate = (model: string, data = "rows.jsonl", ...more: string[]) => [
  "eval",
  "--model",
  model,
  "--data",
  data,
  ...more,
];
const adapted = (adapter: string) => evaluate("base", "rows.jsonl", "--adapter", adapter);
const train = (...more: string[]) => [
  "train",
  "--model",
  "base",
  "--data",
  "rows.jsonl",
  "--output",
  "out",
  "--steps",
  "2",
  ...more,
];

const cases: Readonly<Record<string, readonly [readonly string[], RegExp]>> = {
  "a missing model folder": [
    evaluate("nowhere"),
    /"config.json" is not in the cache .*there is no folder "nowhere" either/,
  ],
  "a model that is a file": [evaluate("a-file"), /--model a-file is a file, expected a folder/],
  "weights cut short": [evaluate("cut"), /"model.safetensors" in folder "cut" .*\n.*it is truncated/],
  "weights of five bytes": [evaluate("stub"), /has 5 bytes, but a safetensors file has at least 8/],
  "a header that claims 2^60 bytes": [evaluate("huge-header"), /declares a header of 1152921504606846976 bytes/],
  "a header whose shape and bytes disagree": [
    evaluate("wrong-size"),
    /"lm_head.weight": data_offsets .* but shape \[97, 33\] of F32 needs/,
  ],
  "weights of another shape": [
    evaluate("wrong-shape"),
    /lm_head.weight: file has \[32, 97\], the config needs \[97, 32\]/,
  ],
  "weights of integers": [evaluate("integers"), /lm_head.weight: dtype I32, this version reads F32, F16, BF16 and F64/],
  "a config for other sizes: every tensor is listed": [
    evaluate("smaller"),
    /\(6 problems\)(\n {2}model\.layers\.[01]\.mlp\.\w+\.weight: file has .*){6}\n$/,
  ],
  "a missing shard": [
    evaluate("lost-shard"),
    /lacks 1 of 3 shards \(1 problem\)\n {2}"model-00002-of-00003.safetensors": missing/,
  ],
  "an unknown model_type": [
    evaluate("unknown-type"),
    /"model_type" is "lama", this version knows bert, distilbert, gpt2, llama, mistral, mt5, qwen2, qwen3, roberta, t5, vit, xlm-roberta/,
  ],
  "no model_type": [evaluate("no-type"), /"model_type" is missing, expected one of/],
  "an ill-typed config": [evaluate("bad-config"), /hidden_size/],
  "a config that is not JSON": [evaluate("broken-config"), /config.json.*line 2/],
  "a config of null": [["inspect", "null-config"], /"config.json" in folder "null-config" must contain a JSON object/],
  "a tokenizer.json that makes no tokenizer": [
    evaluate("broken-tokenizer", "text.jsonl"),
    /"tokenizer.json" in folder "broken-tokenizer"/,
  ],

  "a missing adapter": [
    adapted("nowhere"),
    /"adapter_config.json" is not in the cache .*there is no folder "nowhere" either/,
  ],
  "an adapter without weights": [adapted("no-weights"), /folder "no-weights" has no "adapter_model.safetensors"/],
  "an adapter cut short": [adapted("cut-adapter"), /"adapter_model.safetensors" in folder "cut-adapter"/],
  "an unknown peft_type": [
    adapted("unknown-method"),
    /"peft_type" is "LORRA", this version knows .*LORA.* Did you mean "LORA"/,
  ],
  "no peft_type": [adapted("no-method"), /"peft_type" is missing/],
  "an ill-typed option of an adapter": [adapted("ill-typed"), /"r" is "eight", expected a whole number/],
  "an adapter for another model: every mismatch is listed": [adapted("gpt2-adapter"), /c_attn|model/],
  "an adapter of another rank: every mismatch is listed": [
    adapted("other-rank"),
    /\(8 problems\)(\n {2}model\.layers.*rank is 4 in the file, 6 in its config\)|\n {2}.*file has \[\d+, 4\], model needs \[\d+, 6\]){8}/,
  ],
  "an adapter that lacks a tensor": [
    adapted("incomplete"),
    /layers\.1\.self_attn\.v_proj\.lora_B\.weight: missing, the model needs \[16, 4\]/,
  ],
  "an adapter for a deeper model": [
    adapted("deeper"),
    /\(8 problems\)(\n.*)*layers\.7\..*: in the file, but the model has no such module/,
  ],
  "an adapter for no module": [
    adapted("unknown-modules"),
    /\["q_prj"\] match no module of the model. Did you mean "q_proj"/,
  ],
  "target modules that do not exist": [
    train("--target-modules", "q_prj"),
    /\["q_prj"\] match no module of the model. Did you mean "q_proj"/,
  ],
  "an unbalanced pattern for target modules": [train("--target-modules", "(q_proj"), /\(q_proj/],
  "an adapter config that is not JSON": [train("--adapter-config", "not-json.json"), /"not-json.json".*line 1/],
  "a missing adapter config": [train("--adapter-config", "nowhere.json"), /has no file "nowhere.json"/],

  "a missing data file": [evaluate("base", "nowhere.jsonl"), /has no file "nowhere.jsonl"/],
  "data that is a folder": [evaluate("base", "adapter"), /--data adapter is a folder, expected a file/],
  "data of an unknown kind": [evaluate("base", "data.docx"), /"data.docx" ends in ".docx", which is not read/],
  "empty data": [evaluate("base", "empty.jsonl"), /data file "empty.jsonl" is empty/],
  "an empty text": [evaluate("base", "empty.txt"), /data file "empty.txt" is empty/],
  "malformed rows: all are listed by line": [
    evaluate("base", "malformed.jsonl"),
    /because of 6 rows\n {2}malformed.jsonl:2: .*\n {2}malformed.jsonl:4: .*Did you mean "text".*\n {2}malformed.jsonl:5: not JSON.*\n {2}malformed.jsonl:6: has "prompt" without "completion"\n {2}malformed.jsonl:7: .*\n {2}malformed.jsonl:8: .*1.5\n/,
  ],
  "ids beyond the vocabulary: all are listed by line": [
    evaluate("base", "unknown-ids.jsonl"),
    /unknown-ids.jsonl:2: has token 97, but the model's vocabulary has 97 \(0 to 96\).*\n {2}unknown-ids.jsonl:3: has token 1000/,
  ],
  "rows longer than the context: all are listed by line": [
    evaluate("base", "long.jsonl"),
    /long.jsonl:2: has 65 tokens, but the model's context is 64; set --max-length to truncate rows.*\n {2}long.jsonl:3: has 65 tokens/,
  ],
  "a row with nothing to learn": [evaluate("base", "mute.jsonl"), /mute.jsonl:1: has nothing to learn/],
  "a conversation without a chat template": [evaluate("base", "chat.jsonl"), /folder "base" has no chat template/],
  "text without a tokenizer": [evaluate("lost-shard", "text.jsonl"), /lacks 1 of 3 shards/],
  "a max length beyond the context": [
    evaluate("base", "rows.jsonl", "--max-length", "65"),
    /max length is 65, it should be at most 64/,
  ],
  "bad validation data": [
    train("--valid", "malformed.jsonl"),
    /data file "malformed.jsonl" cannot be used because of 6 rows/,
  ],
  "early stopping without validation data": [
    train("--early-stopping-patience", "1"),
    /--early-stopping-patience needs evaluation data: set --valid/,
  ],

  "a run folder that is a file": [train("--output", "a-file"), /--output a-file is a file, expected a folder/],
  "a run folder below a file": [
    train("--output", "a-file/run"),
    /folder "a-file\/run": a file exists where a folder is expected/,
  ],
  "a run folder that cannot be made": [
    train("--output", "/proc/lorikeet/run"),
    /folder "\/proc\/lorikeet\/run": no folder can be created there/,
  ],
  "logits to a folder's name": [
    ["predict", "--model", "base", "--data", "rows.jsonl", "--output", "taken.safetensors"],
    /cannot write "taken.safetensors".*: a folder with that name already exists/,
  ],
  "a merged model to a file's name": [
    ["merge", "--model", "base", "--adapter", "adapter", "--output", "a-file"],
    /--output a-file is a file, expected a folder/,
  ],
  "a merged model where no folder can be made": [
    ["merge", "--model", "base", "--adapter", "adapter", "--output", "/proc/merged"],
    /folder "\/proc\/merged": no folder can be created there/,
  ],
  "inspecting what is not there": [["inspect", "nowhere"], /there is no folder "nowhere" either/],
  "inspecting a folder of something else": [
    ["inspect", "taken.safetensors"],
    /has neither "config.json" \(a model\) nor "adapter_config.json"/,
  ],
  "counting an adapter on an adapter": [
    ["inspect", "adapter", "--adapter-config", "adapter/adapter_config.json"],
    /--adapter-config needs a model/,
  ],
};

// Four processes at a time: most of what they do is to start.
test.concurrent.each(Object.entries(cases))("%s is one clear error", async (_, [args, message]) => {
  expectRefused(await lorikeet(work, ...args), message);
});

test("none of these errors left or changed a file", () => {
  expect(snapshot(work)).toEqual(before);
  expect(existsSync(at("out"))).toBe(false);
});
