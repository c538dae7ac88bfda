/**
 * Adapters written here, loaded by PEFT itself: no warning, the same logits, the same bytes when saved again. Runs where Python
 * has the packages of test/parity/requirements.txt; set PYTHON to the interpreter to use.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { writeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { Philox } from "../../src/core/philox.ts";
import { lora } from "../../src/methods/lora.ts";
import { folderTarget } from "../../src/runtime/node.ts";
import { batchOf, GOLDEN, loadGolden } from "./goldens.ts";

const python = process.env.PYTHON ?? "python3";
const there = spawnSync(python, ["-c", "import peft, transformers, torch, safetensors"]).status === 0;
if (!there)
  console.warn(
    `SKIPPED: ${python} has no peft; adapters written here were not loaded by PEFT. Set PYTHON to one that has`,
  );

const sequences = [
  [5, 6, 7, 8, 9, 10, 11],
  [20, 30, 40],
  [3, 4, 5, 6],
];

// loraBias is left out: PEFT 0.21 warns of every lora_B.bias when it saves, its own included.
type Options = Parameters<typeof lora>[0];
const cases: readonly (readonly [string, string, Options])[] = [
  ["default", "llama", {}],
  ["no-task", "llama", { taskType: null, revision: "main" }],
  [
    "all-linear",
    "llama",
    { targetModules: "all-linear", useRslora: true, rankPattern: { q_proj: 2 }, alphaPattern: { v_proj: 3 } },
  ],
  ["dora", "llama-bias", { useDora: true, targetModules: ["q_proj", "down_proj", "embed_tokens"] }],
  ["bias", "llama-bias", { bias: "all", modulesToSave: ["lm_head"] }],
  ["bias-of-adapted", "gpt2", { bias: "lora_only" }],
  ["embedding-and-head", "llama", { targetModules: ["embed_tokens", "lm_head"] }],
  ["regex", "llama", { targetModules: "model\\.(embed_tokens|layers\\.1\\..*q_proj)" }],
  [
    "copied",
    "qwen3",
    { modulesToSave: ["norm"], layersToTransform: [1], layersPattern: "layers", targetModules: ["q_proj"] },
  ],
  ["tied-head", "llama-tied", { modulesToSave: ["lm_head"] }],
  ["conv", "gpt2", { targetModules: ["c_attn", "c_proj", "wte"], useDora: true }],
  ["pissa", "llama", { initLoraWeights: "pissa", targetModules: ["q_proj", "up_proj"] }],
  ["pissa-dora", "gpt2", { initLoraWeights: "pissa", useDora: true }],
  ["olora", "llama", { initLoraWeights: "olora", targetModules: ["q_proj", "down_proj"] }],
];

async function write(folder: string, model: string, options: Options): Promise<void> {
  const { model: base } = await loadGolden(model);
  const peft = getPeftModel(base, lora({ r: 4, loraAlpha: 10, ...options }), { onWarning: () => {} });
  const random = new Philox(3);
  for (const param of peft.namedTrainable().values())
    param.values().set(param.values().map((x) => x + 0.1 * random.normal()));
  const logits = peft.forward(batchOf({ sequences, labels: sequences }));
  const shape = [sequences.flat().length, base.vocabSize];
  cpSync(`${GOLDEN}models/${model}`, join(folder, "model"), { recursive: true });
  await peft.savePretrained(join(folder, "adapter"));
  const target = folderTarget(folder);
  await writeSafetensors(target, "expected.safetensors", [
    { name: "logits", dtype: "F32", shape, bytes: () => new Uint8Array(logits.buffer) },
  ]);
  await target.write("case.json", [new TextEncoder().encode(JSON.stringify({ sequences }))]);
}

test.skipIf(!there)(
  "PEFT loads what is written here without a warning, computes the same and writes the same",
  async () => {
    const root = mkdtempSync(join(tmpdir(), "lorikeet-"));
    try {
      for (const [name, model, options] of cases) await write(join(root, name), model, options);
      const script = new URL("../parity/check_adapters.py", import.meta.url).pathname;
      const run = spawnSync(python, [script, ...cases.map(([name]) => join(root, name))], { encoding: "utf8" });
      expect(run.status, `${run.stdout}\n${run.stderr}`).toBe(0);
    } finally {
      rmSync(root, { recursive: true });
    }
  },
  300_000,
);
