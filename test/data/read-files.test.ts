import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test, vi } from "vitest";
import { encodeRows } from "../../src/data/examples.ts";
import { readFiles } from "../../src/data/read-files.ts";
import { fakeHub } from "../hub/server.ts";

const folder = mkdtempSync(join(tmpdir(), "lorikeet-files-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);
writeFileSync(at("a.jsonl"), '{"input_ids":[1,2]}\n{"input_ids":[3,4]}\n');
writeFileSync(at("b.csv.gz"), gzipSync('input_ids\n"[5,6]"\n'));

test("several files are read in their order, and each row knows its own", async () => {
  const rows = await readFiles([at("a.jsonl"), at("b.csv.gz")], {});
  const examples = encodeRows("data", rows, { tokenizer: null, vocabSize: 9, contextLength: 9 });
  expect(examples.map(({ where, inputIds }) => [where, ...inputIds])).toEqual([
    [`${at("a.jsonl")}:1`, 1, 2],
    [`${at("a.jsonl")}:2`, 3, 4],
    [`${at("b.csv.gz")}:2`, 5, 6],
  ]);
  expect(await readFiles(at("*.{jsonl,gz}"), {})).toEqual(rows);
  expect((await readFiles(at("a.jsonl"), {}))[0]).toEqual({ line: 1, kind: "tokens", inputIds: [1, 2], labels: null });
});

test("a data set on the hub is read by its address, and a path never is one", async () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const files = {
    "README.md": bytes("# A data set"),
    "data/train.jsonl": bytes('{"text":"a"}\n'),
    "data/test.jsonl": bytes('{"text":"b"}\n'),
  };
  const hub = await fakeHub(files, { repo: "datasets/org/name" });
  for (const name of ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]) vi.stubEnv(name, "");
  const reach = { hub: { endpoint: hub.endpoint, cacheDir: at("cache"), token: null, retries: 0 } };
  try {
    const [row] = await readFiles("hf://datasets/org/name", reach);
    expect(row).toEqual({
      line: 1,
      kind: "text",
      text: "a",
      file: "hf://datasets/org/name/data/train.jsonl",
    });
    expect(await readFiles("hf://datasets/org/name@main/data/test.jsonl", reach)).toMatchObject([{ text: "b" }]);
    const offline = { hub: { ...reach.hub, offline: true } };
    expect(await readFiles("hf://datasets/org/name/data/t*.jsonl", offline)).toHaveLength(2);
    await expect(readFiles("hf://datasets/name", reach)).rejects.toThrow(
      /is not a data set: expected hf:\/\/datasets\/org/,
    );
    await expect(readFiles("hf://org/name", reach)).rejects.toThrow(/is not a data set/);
    const asked = hub.seen.length;
    mkdirSync(at("cwd"));
    await expect(readFiles("org/name/train.jsonl", reach)).rejects.toThrow(
      /folder "org\/name" has no file "train.jsonl"/,
    );
    await expect(readFiles("name/train.jsonl", reach)).rejects.toThrow(/folder "name" has no file/);
    expect(hub.seen).toHaveLength(asked);
  } finally {
    hub.close();
    vi.unstubAllEnvs();
  }
});
