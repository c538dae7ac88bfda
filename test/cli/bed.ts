/** The built command line as a user runs it, and model folders small enough to train in moments. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect } from "vitest";
import { GOLDEN } from "../golden-files.ts";

/** The project's root. */
export const root: string = fileURLToPath(new URL("../../", import.meta.url));
const main = join(root, "dist/cli/main.js");
if (!existsSync(main)) throw new Error("dist/ is not there: run `node scripts/build.mjs` first");

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder that is removed when the tests of the file are done. */
export function workFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "lorikeet-cli-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts `lorikeet ...args` in a folder, with pipes. */
export function start(cwd: string, args: readonly string[], stdin: "ignore" | "pipe" = "ignore"): ChildProcess {
  const env = { ...process.env, HF_HUB_OFFLINE: "1" }; // a folder's name that is wrong is asked for on the hub
  return spawn(process.execPath, [main, ...args], { cwd, env, stdio: [stdin, "pipe", "pipe"] });
}

/** Waits for the end of a command and collects what it wrote. */
export async function finish(child: ChildProcess): Promise<Finished> {
  const written = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]!.setEncoding("utf8").on("data", (text: string) => {
      written[name] += text;
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...written };
}

/** Runs `lorikeet ...args` to its end. */
export async function lorikeet(cwd: string, ...args: readonly string[]): Promise<Finished> {
  return finish(start(cwd, args));
}

/** The same, for a command that must succeed and must have nothing to warn of. */
export async function succeed(cwd: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await lorikeet(cwd, ...args);
  expect({ code, stderr }, args.join(" ")).toEqual({ code: 0, stderr: "" });
  return stdout;
}

/** Fails unless a command failed as it should: exit code 1, and on standard error one error without a stack. */
export function expectRefused({ code, stderr }: Finished, message: RegExp): void {
  expect(stderr).toMatch(message);
  expect(stderr.startsWith("error: ")).toBe(true);
  expect(stderr.match(/^error:/gm)).toHaveLength(1);
  expect(stderr).not.toMatch(/^ {4}at |lorikeet itself/m);
  expect(code).toBe(1);
}

/** Copies config and weights of a golden model: a folder without a tokenizer, for rows of tokens. */
export function goldenModel(folder: string, name: string): void {
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(`${GOLDEN}/models/${name}`)) {
    if (/^(config|model.*)\.(json|safetensors)/.test(file))
      cpSync(`${GOLDEN}/models/${name}/${file}`, join(folder, file));
  }
}

/** Gives a golden model, which has 97 tokens, a tokenizer: <unk>, <s>, </s> and one token for each of " " to "}". */
export function addTokenizer(folder: string): void {
  const characters = Array.from({ length: 94 }, (_, i) => String.fromCharCode(32 + i));
  const vocab = Object.fromEntries(["<unk>", "<s>", "</s>", ...characters].map((token, id) => [token, id]));
  const special = ["<unk>", "<s>", "</s>"].map((content, id) => {
    return { id, content, special: true, lstrip: false, rstrip: false, normalized: false, single_word: false };
  });
  const tokenizer = {
    version: "1.0",
    added_tokens: special,
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [],
      special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
    },
    decoder: { type: "Fuse" },
    model: { type: "BPE", unk_token: "<unk>", vocab, merges: [] },
  };
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
  const config = {
    bos_token: "<s>",
    eos_token: "</s>",
    unk_token: "<unk>",
    tokenizer_class: "PreTrainedTokenizerFast",
  };
  writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify(config));
}

/** Writes rows as JSON lines. */
export function writeRows(path: string, rows: readonly unknown[]): void {
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}

/** Every file below a folder with a hash of its contents. */
export function snapshot(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return new Map(paths.map((path) => [path, createHash("sha256").update(readFileSync(path)).digest("hex")]));
}

/** The JSON objects of a text, one a line. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** The public pretrained model beside the project, or null, said loudly. */
export function stories(): string | null {
  const folder = join(root, "../shared/models/stories260K");
  if (existsSync(folder)) return folder;
  console.warn(`SKIPPED: tests with stories260K, which is not at ${folder}`);
  return null;
}
