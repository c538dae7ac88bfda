/** The folder of a training run: files and subfolders that are replaced as a whole, and a lock. */
import { appendFile, lstat, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { RunFolder, Target } from "../core/host.ts";
import { alive, codeOf, expectFileName, explained, flushFolder, makeFolder, orAbsent } from "./disk.ts";
import { folderTarget, inUse, leftover, onTheSide, sideName, targetAt } from "./folder-target.ts";
import { openFolder } from "./open-folder.ts";
import { isLock, lockRun, type RunLock } from "./run-lock.ts";

/** A folder for the files of a training run. */
export function openRun(path: string): RunFolder {
  const name = `folder "${path}"`;
  const pathOf = (entry: string) => join(path, expectFileName(name, entry));
  const top = folderTarget(path);
  let lock: RunLock | null = null;
  return {
    name,
    async list() {
      const entries = await orAbsent(readdir(path), name);
      return (entries ?? []).filter((entry) => leftover(entry) === null && !isLock(entry)).sort();
    },
    source: (sub) => openFolder(sub === undefined ? path : pathOf(sub)),
    target: () => ({
      name,
      async write(file, chunks) {
        await lock?.expectHeld();
        await top.write(file, chunks);
      },
    }),
    async replace(sub, write) {
      await lock?.expectHeld();
      await replaceFolder(pathOf(sub), async (target) => {
        await write(target);
        await lock?.expectHeld();
      });
    },
    async append(file, text) {
      await lock?.expectHeld();
      try {
        await makeFolder(path);
        await appendFile(pathOf(file), text);
      } catch (cause) {
        throw explained(`cannot write "${file}" in ${name}`, cause);
      }
    },
    async remove(entry) {
      await lock?.expectHeld();
      await removeWhole(pathOf(entry));
    },
    recover: () => recover(path, lock !== null),
    async lock(notice) {
      const taken = await lockRun(path, notice);
      lock = taken;
      return async () => {
        lock = null;
        await taken.release();
      };
    },
  };
}

/** Writes a folder under a temporary name and replaces `path` with it: a reader finds the old one or the new one. */
async function replaceFolder(path: string, write: (target: Target) => Promise<void>): Promise<void> {
  const name = `folder "${path}"`;
  await onTheSide(path, async (made) => {
    try {
      await makeFolder(made);
      await write(targetAt(made, name));
      await swap(path, made);
    } catch (cause) {
      throw explained(`cannot write ${name}`, cause);
    }
  });
}

/** No call does both renames at once; `recover` undoes the first if the process dies between them. */
async function swap(path: string, made: string): Promise<void> {
  const aside = sideName(path, "old");
  inUse.add(aside);
  try {
    const replaced = await moved(path, aside);
    try {
      await rename(made, path);
    } catch (cause) {
      if (replaced) await rename(aside, path);
      throw cause;
    }
    await flushFolder(dirname(path));
    await rm(aside, { recursive: true, force: true });
  } finally {
    inUse.delete(aside);
  }
}

/** Renames first, so that a process killed during removal leaves something that `recover` recognizes as garbage. */
async function removeWhole(path: string): Promise<void> {
  await onTheSide(path, async (aside) => {
    try {
      await moved(path, aside);
    } catch (cause) {
      throw explained(`cannot remove "${path}"`, cause);
    }
  });
}

/** Renames, and returns whether there was something to rename. */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return false;
    throw cause;
  }
}

/** A process writes one file or folder for less than this, in milliseconds. */
const LONGEST_WRITE = 3_600_000;

/**
 * Restores folders that a killed process had moved aside and not replaced, and removes everything else that it left
 * behind. What a living process is writing is left alone, but the process with that number may be another one by now: then
 * what was left is old. Whoever has `locked` the folder is the only one to move folders aside.
 */
async function recover(path: string, locked: boolean): Promise<void> {
  const entries = (await orAbsent(readdir(path), `folder "${path}"`)) ?? [];
  for (const entry of entries) {
    const left = leftover(entry);
    const aside = join(path, entry);
    if (left === null || inUse.has(aside)) continue;
    const restores = left.kind === "old" && !entries.includes(left.name);
    const owned = left.pid !== process.pid && alive(left.pid) && !(await isOld(aside));
    if (owned && !(restores && locked)) continue;
    try {
      if (restores) await rename(aside, join(path, left.name));
      else await rm(aside, { recursive: true, force: true });
    } catch (cause) {
      throw explained(`cannot recover folder "${path}"`, cause);
    }
  }
}

async function isOld(path: string): Promise<boolean> {
  const found = await orAbsent(lstat(path), `"${path}"`);
  return found !== null && Date.now() - found.ctimeMs > LONGEST_WRITE;
}
