import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { GOLDEN } from "../golden-files.ts";
import { expectRefused, lorikeet, workFolder, writeRows } from "./bed.ts";

const work = workFolder();
const pixels = Array.from({ length: 3 }, () => Array.from({ length: 12 }, () => new Array(12).fill(0)));
beforeAll(() => {
  const task = readdirSync(`${GOLDEN}/tasks`).find((name) => name.startsWith("vit"))!;
  cpSync(`${GOLDEN}/tasks/${task}`, join(work, "vit"), { recursive: true });
  writeRows(join(work, "rows.jsonl"), [{ pixel_values: pixels, label: 0 }]);
});

test.each([
  ["adaption_prompt", ["--adapter-len", "2", "--adapter-layers", "1"]],
  ["trainable_tokens", ["--token-indices", "1,2"]],
])("%s on a model of images is refused for what it is, not for an option that nobody gave", async (method, options) => {
  const args = ["--model", "vit", "--data", "rows.jsonl", "--output", "out", "--method", method, "--steps", "1"];
  const refused = await lorikeet(work, "train", "--task", "IMAGE_CLS", ...args, ...options);
  expect(refused.stderr).not.toMatch(/modules-to-save|modulesToSave/);
  expectRefused(refused, method === "adaption_prompt" ? /is for decoders, not for "vit"/ : /"vit" embeds no tokens/);
});
