import { mkdtempSync, rmSync } from "node:fs";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { flushFolder, makeFolder } from "../../src/runtime/disk.ts";
import { folderTarget, openRun } from "../../src/runtime/node.ts";

const { open } = fs;
let dir: string;
let flushed: string[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lorikeet-"));
  flushed = [];
});
afterEach(() => {
  use(open);
  rmSync(dir, { recursive: true });
});

function use(other: typeof open): void {
  fs.open = other;
  syncBuiltinESMExports();
}

/** Notes each fsync, which fails with `code` for paths that `fails` names. */
function watchFlushes(code = "", fails: (path: string, flags: string) => boolean = () => false): void {
  use(async (path, flags, mode) => {
    const handle = await open(path, flags, mode);
    handle.sync = async () => {
      if (fails(String(path), String(flags))) throw Object.assign(new Error(code), { code, syscall: "fsync" });
      flushed.push(String(path));
    };
    return handle;
  });
}

test("a new folder is flushed in its parent, and so is each of several", async () => {
  watchFlushes();
  await makeFolder(join(dir, "a", "b"));
  expect(flushed).toEqual([dir, join(dir, "a")]);
  await makeFolder(join(dir, "a", "b"));
  expect(flushed).toHaveLength(2);
});

test("a folder that the system cannot flush is left to the system; an error of the disk is not", async () => {
  for (const code of ["EINVAL", "ENOTSUP", "EPERM", "EISDIR"]) {
    watchFlushes(code, () => true);
    await flushFolder(dir);
  }
  for (const code of ["EIO", "ENOSPC", "EDQUOT"]) {
    watchFlushes(code, () => true);
    await expect(flushFolder(dir)).rejects.toThrow(code);
  }
});

test("a write says that its flush failed, of the file and of the folder", async () => {
  const write = () => folderTarget(dir).write("f", [new Uint8Array(1)]);
  watchFlushes("EIO", (_, flags) => flags === "w");
  await expect(write()).rejects.toThrow(`cannot write "f" in folder "${dir}": the disk reports an error (EIO)`);
  watchFlushes("EIO", (path) => path === dir);
  await expect(write()).rejects.toThrow(`cannot write "f" in folder "${dir}": the disk reports an error (EIO)`);
  await expect(openRun(dir).replace("best", async () => {})).rejects.toThrow(
    `cannot write folder "${join(dir, "best")}": the disk reports an error (EIO)`,
  );
});
