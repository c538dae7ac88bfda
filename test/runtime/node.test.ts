import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FormatError, StateError } from "../../src/core/errors.ts";
import type { Target } from "../../src/core/host.ts";
import { folderTarget, openFolder, openRun } from "../../src/runtime/node.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lorikeet-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const text = (value: string) => new TextEncoder().encode(value);
const textOf = (...path: string[]) => readFileSync(join(dir, ...path), "utf8");
const put = (target: Target, file: string, value: string) => target.write(file, [text(value)]);

/** What the operating system throws. */
function refusal(code: string): Error {
  return Object.assign(new Error(`${code}: refused, write`), { code, errno: -1, syscall: "write" });
}

/** Gives one piece and then fails. */
function* failing(error: Error): Generator<Uint8Array> {
  yield text("half");
  throw error;
}

describe("a folder to read", () => {
  test("gives files in whole and in part, below sub-folders too, and lists those at the top", async () => {
    writeFileSync(join(dir, "b"), "0123456789");
    writeFileSync(join(dir, "a"), "");
    mkdirSync(join(dir, "sub"));
    writeFileSync(join(dir, "sub", "c"), "x");
    writeFileSync(join(dir, "b.tmp-1-0123abcd"), "left over");
    const source = openFolder(dir);
    expect(source.name).toBe(`folder "${dir}"`);
    expect(await source.list()).toEqual(["a", "b"]);
    expect([await source.has("b"), await source.has("sub/c"), await source.has("sub"), await source.has("c")]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect([await source.size("b"), await source.size("a")]).toEqual([10, 0]);
    const read = async (...range: number[]) => new TextDecoder().decode(await source.read("b", ...range));
    expect([await read(), await read(7), await read(2, 5), await read(10, 10)]).toEqual([
      "0123456789",
      "789",
      "234",
      "",
    ]);
    await source.close();
    expect(await read(0, 1)).toBe("0");
  });

  test("names what is not there or too short, and refuses names that reach out", async () => {
    writeFileSync(join(dir, "f"), "abc");
    const source = openFolder(dir);
    await expect(source.read("g")).rejects.toThrow(new FormatError(`folder "${dir}" has no file "g"`));
    await expect(source.read("f/g")).rejects.toThrow(new FormatError(`folder "${dir}" has no file "f/g"`));
    await expect(source.size(".")).rejects.toThrow("must be relative and stay inside it");
    await expect(source.read("../f")).rejects.toThrow("must be relative and stay inside it");
    await expect(source.read("f", 0, 4)).rejects.toThrow(
      `"f" in folder "${dir}" has 3 bytes, but bytes 0 to 4 were requested`,
    );
    await expect(openFolder(join(dir, "none")).list()).rejects.toThrow(
      `folder "${join(dir, "none")}" does not exist, or is not a folder`,
    );
    expect(await openFolder(join(dir, "none")).has("f")).toBe(false);
  });

  test("refuses bytes of a file that was replaced between two reads, and reads it anew after that", async () => {
    const source = openFolder(dir);
    await put(folderTarget(dir), "f", "0123");
    expect((await source.read("f", 0, 2)).length).toBe(2);
    await put(folderTarget(dir), "f", "4567");
    utimesSync(join(dir, "f"), 1, 1);
    await expect(source.read("f", 2, 4)).rejects.toThrow(
      new FormatError(`"f" in folder "${dir}" was replaced while it was being read; read it again`),
    );
    expect(new TextDecoder().decode(await source.read("f"))).toBe("4567");
  });

  test("says why a file that is there cannot be read", async () => {
    symlinkSync("loop", join(dir, "loop"));
    await expect(openFolder(dir).read("loop")).rejects.toThrow(StateError);
    await expect(openFolder(dir).read("loop")).rejects.toThrow(`cannot read "loop" in folder "${dir}": `);
  });
});

describe("a folder to write", () => {
  test("is made when first written to, with sub-folders, and keeps what is not written", async () => {
    const target = folderTarget(join(dir, "x", "y"));
    expect(readdirSync(dir)).toEqual([]);
    await target.write("f", [text("ab"), text(""), text("c")]);
    await put(target, "sub/g", "d");
    await put(target, "f", "new");
    expect([textOf("x", "y", "f"), textOf("x", "y", "sub", "g")]).toEqual(["new", "d"]);
    expect(readdirSync(join(dir, "x", "y"))).toEqual(["f", "sub"]);
  });

  test("may be fed from one piece of memory, and from memory that threads share", async () => {
    const scratch = new Uint8Array(new SharedArrayBuffer(1));
    const pieces = function* () {
      for (const letter of "abc") {
        scratch[0] = letter.charCodeAt(0);
        yield scratch;
      }
    };
    await folderTarget(dir).write("f", pieces());
    expect(textOf("f")).toBe("abc");
  });

  test("a write that fails leaves the old file, nothing else, and the error as it was", async () => {
    writeFileSync(join(dir, "f"), "old");
    const broken = new FormatError("broken");
    await expect(folderTarget(dir).write("f", failing(broken))).rejects.toBe(broken);
    expect([readdirSync(dir), textOf("f")]).toEqual([["f"], "old"]);
  });

  test.each([
    ["ENOSPC", "the disk is full (ENOSPC)"],
    ["EROFS", "the file system is read-only (EROFS)"],
    ["EACCES", "permission denied (EACCES)"],
    ["EIO", "the disk reports an error (EIO)"],
    ["ENXIO", "ENXIO: refused, write (ENXIO)"],
  ])("%s is told in words and leaves the old file", async (code, words) => {
    writeFileSync(join(dir, "f"), "old");
    await expect(folderTarget(dir).write("f", failing(refusal(code)))).rejects.toThrow(
      new StateError(`cannot write "f" in folder "${dir}": ${words}`),
    );
    expect([readdirSync(dir), textOf("f")]).toEqual([["f"], "old"]);
  });

  test("a file where the folder should be, and a folder where the file should be, are told and kept", async () => {
    writeFileSync(join(dir, "file"), "old");
    mkdirSync(join(dir, "folder", "inner"), { recursive: true });
    await expect(put(folderTarget(join(dir, "file")), "f", "x")).rejects.toThrow(
      "a file exists where a folder is expected (EEXIST)",
    );
    await expect(put(folderTarget(join(dir, "file", "deep")), "f", "x")).rejects.toThrow(
      "a file exists where a folder is expected (ENOTDIR)",
    );
    await expect(put(folderTarget(dir), "folder", "x")).rejects.toThrow(
      "a folder with that name already exists (EISDIR)",
    );
    expect([readdirSync(dir), textOf("file"), readdirSync(join(dir, "folder"))]).toEqual([
      ["file", "folder"],
      "old",
      ["inner"],
    ]);
  });

  test("names that reach out are refused", async () => {
    await expect(put(folderTarget(join(dir, "x")), "../f", "x")).rejects.toThrow("must be relative and stay inside it");
    expect(readdirSync(dir)).toEqual([]);
  });
});

describe("a run folder", () => {
  test("lists, appends, reads and removes", async () => {
    const run = openRun(join(dir, "run"));
    expect(await run.list()).toEqual([]);
    await run.recover();
    await run.append("metrics.jsonl", "1\n");
    await run.append("metrics.jsonl", "2\n");
    await put(run.target(), "state.json", "{}");
    await run.replace("best", (target) => put(target, "f", "x"));
    expect(await run.list()).toEqual(["best", "metrics.jsonl", "state.json"]);
    expect(await run.source().size("metrics.jsonl")).toBe(4);
    expect(await run.source("best").size("f")).toBe(1);
    await run.remove("best");
    await run.remove("state.json");
    await run.remove("never there");
    expect(readdirSync(join(dir, "run"))).toEqual(["metrics.jsonl"]);
  });

  test("replaces a sub-folder as a whole: what is not written again is gone", async () => {
    const run = openRun(dir);
    await run.replace("best", (target) => put(target, "old", "x"));
    await run.replace("best", (target) => put(target, "new", "x"));
    expect([readdirSync(dir), readdirSync(join(dir, "best"))]).toEqual([["best"], ["new"]]);
  });

  test("a replacement that fails leaves the old sub-folder and nothing else", async () => {
    const run = openRun(dir);
    await run.replace("best", (target) => put(target, "f", "old"));
    const attempt = run.replace("best", async (target) => {
      await put(target, "g", "new");
      await target.write("f", failing(refusal("ENOSPC")));
    });
    await expect(attempt).rejects.toThrow(
      new StateError(`cannot write "f" in folder "${join(dir, "best")}": the disk is full (ENOSPC)`),
    );
    expect([readdirSync(dir), readdirSync(join(dir, "best")), textOf("best", "f")]).toEqual([["best"], ["f"], "old"]);
  });

  test("recovers a folder that was moved aside, and clears what dead processes left, but not what living ones make", async () => {
    const dead = 2 ** 30; // above the largest process number of any system
    for (const name of [
      `a.old-${dead}-00000001`,
      `a.tmp-${dead}-00000002`,
      "b",
      `b.old-${dead}-00000003`,
      `c.tmp-${process.ppid}-00000004`,
      "d.tmp-1",
    ]) {
      mkdirSync(join(dir, name));
      writeFileSync(join(dir, name, "f"), name);
    }
    writeFileSync(join(dir, `metrics.jsonl.tmp-${process.pid}-00000005`), "an earlier process of this number");
    const run = openRun(dir);
    expect(await run.list()).toEqual(["b", "d.tmp-1"]);
    await run.replace("slow", async (target) => {
      await put(target, "f", "x");
      await run.recover();
    });
    expect(await run.list()).toEqual(["a", "b", "d.tmp-1", "slow"]);
    expect(readdirSync(dir)).toEqual(["a", "b", `c.tmp-${process.ppid}-00000004`, "d.tmp-1", "slow"]);
    expect([textOf("a", "f"), textOf("b", "f"), textOf("slow", "f")]).toEqual([`a.old-${dead}-00000001`, "b", "x"]);
  });
});

/** A process that begins to save over "best" and "state.json", and then waits for ever. */
const saver = `
  import { openRun } from ${JSON.stringify(fileURLToPath(new URL("../../src/runtime/node.ts", import.meta.url)))};
  const run = openRun(process.argv[2]);
  const text = (s) => new TextEncoder().encode(s);
  async function* halfOf(name) {
    yield text("half");
    process.send(name);
    await new Promise(() => setInterval(() => {}, 1000));
  }
  run.target().write("state.json", halfOf("file"));
  run.replace("best", async (target) => {
    await target.write("first", [text("new")]);
    await target.write("f", halfOf("folder"));
  });
`;

test("after kill -9 during a save everything is as before, and recovering clears the rest", async () => {
  const run = openRun(join(dir, "run"));
  await put(run.target(), "state.json", "old");
  await run.replace("best", (target) => put(target, "f", "old"));
  const script = join(dir, "saver.mjs");
  await build({
    stdin: { contents: saver, resolveDir: dir },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: script,
    logLevel: "error",
  });
  const child = spawn(process.execPath, [script, join(dir, "run")], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  await once(child, "message");
  await once(child, "message");
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(readdirSync(join(dir, "run")).length).toBe(4);
  expect(await run.list()).toEqual(["best", "state.json"]);
  expect([textOf("run", "state.json"), textOf("run", "best", "f")]).toEqual(["old", "old"]);
  await run.recover();
  expect([readdirSync(join(dir, "run")), readdirSync(join(dir, "run", "best"))]).toEqual([
    ["best", "state.json"],
    ["f"],
  ]);
});
