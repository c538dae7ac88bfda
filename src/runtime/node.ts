/**
 * Node, and also Bun and Deno through node:fs.
 *
 * Nothing is ever half written: a file or folder is created under a temporary name next to its final one,
 * `NAME.tmp-PID-RANDOM`, flushed to the disk and then renamed. A folder that is being replaced is called
 * `NAME.old-PID-RANDOM` between the two renames.
 */
import { existsSync as exists } from "node:fs";
import { appendFile, type FileHandle, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { FormatError } from "../core/errors.ts";
import {
  expectInside,
  expectRange,
  type Host,
  type HubOptions,
  missingFile,
  type RunFolder,
  type Source,
  type Target,
} from "../core/host.ts";
import { deferredHub } from "../hub/deferred-hub.ts";
import type { Build } from "../kernels/builds.ts";
import { compileBundled } from "../kernels/bundled.ts";
import { alive, codeOf, explained, flushFolder, makeFolder, orAbsent } from "./disk.ts";
import { checksAddresses, ownPort, parallelism, startModule, startThread } from "./node-threads.ts";

export { checksAddresses, exists, ownPort, parallelism, startModule, startThread };

/** A build of the kernels, compiled. */
export async function compileBuild(build: Build, shared = false): Promise<WebAssembly.Module> {
  const { inflateSync } = await import("node:zlib"); // a stream takes five times as long to start
  return compileBundled(build, shared, (packed) => new Uint8Array(inflateSync(packed)));
}

/** A single read call gives at most 2^31 - 1 bytes. */
const MAX_READ = 2 ** 30;

/** The files of a folder, to read. A file is open only while it is being read, so nothing has to be closed. */
export function openFolder(path: string): Source {
  const name = `folder "${path}"`;
  const pathOf = (file: string) => join(path, expectInside(name, file));
  return {
    name,
    async has(file) {
      const found = await orAbsent(stat(pathOf(file)), `"${file}" in ${name}`);
      return found?.isFile() ?? false;
    },
    size: async (file) => withFile(name, file, pathOf(file), async (_, size) => size),
    read: async (file, from = 0, to = undefined) =>
      withFile(name, file, pathOf(file), async (handle, size) => {
        const [start, end] = expectRange(name, file, from, to ?? size, size);
        return readAll(handle, start, end, `"${file}" in ${name}`);
      }),
    async list(nested = false) {
      const entries = await orAbsent(readdir(path, { withFileTypes: true, recursive: nested }), name);
      if (entries === null) throw new FormatError(`${name} does not exist, or is not a folder`);
      const files = entries.filter((entry) => !entry.isDirectory() && leftover(entry.name) === null);
      return files.map((entry) => relative(path, join(entry.parentPath, entry.name)).split(sep).join("/")).sort();
    },
    close: async () => {},
  };
}

/** The files of a model on the hub, each downloaded into the cache on first use. */
export function openHub(name: string, options: HubOptions = {}): Source {
  return deferredHub(name, options, async () => {
    const { cachedHub } = await import("./hub-cache.ts");
    return cachedHub(name, options, openFolder);
  });
}

async function withFile<T>(
  folder: string,
  file: string,
  path: string,
  use: (handle: FileHandle, size: number) => Promise<T>,
): Promise<T> {
  const handle = await orAbsent(open(path, "r"), `"${file}" in ${folder}`);
  if (handle === null) throw missingFile(folder, file);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw missingFile(folder, file);
    return await use(handle, found.size);
  } finally {
    await handle.close();
  }
}

async function readAll(handle: FileHandle, start: number, end: number, what: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - start);
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await handle.read(bytes, at, Math.min(bytes.length - at, MAX_READ), start + at);
    if (bytesRead === 0)
      throw new FormatError(
        `${what} ended after ${start + at} of ${end} bytes: the file was truncated while being read`,
      );
    at += bytesRead;
  }
  return bytes;
}

/** A folder to write to, created on the first write. Existing files that are not written are kept. */
export function folderTarget(path: string): Target {
  return targetAt(path, `folder "${path}"`);
}

function targetAt(path: string, name: string): Target {
  return {
    name,
    async write(file, chunks) {
      const final = join(path, expectInside(name, file));
      await onTheSide(final, async (temporary) => {
        try {
          await makeFolder(dirname(final));
          await writeFlushed(temporary, chunks);
          await rename(temporary, final);
          await flushFolder(dirname(final));
        } catch (cause) {
          throw explained(`cannot write "${file}" in ${name}`, cause);
        }
      });
    },
  };
}

async function writeFlushed(path: string, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
  const handle = await open(path, "w");
  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; ) {
        at += (await handle.write(chunk, at, Math.min(chunk.length - at, MAX_READ))).bytesWritten;
      }
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A folder for the files of a training run. */
export function openRun(path: string): RunFolder {
  const name = `folder "${path}"`;
  const pathOf = (entry: string) => join(path, expectInside(name, entry));
  return {
    name,
    async list() {
      const entries = await orAbsent(readdir(path), name);
      return (entries ?? []).filter((entry) => leftover(entry) === null).sort();
    },
    source: (sub) => openFolder(sub === undefined ? path : pathOf(sub)),
    target: () => folderTarget(path),
    replace: async (sub, write) => replaceFolder(pathOf(sub), write),
    async append(file, text) {
      try {
        await makeFolder(path);
        await appendFile(pathOf(file), text);
      } catch (cause) {
        throw explained(`cannot write "${file}" in ${name}`, cause);
      }
    },
    remove: async (entry) => removeWhole(pathOf(entry)),
    recover: () => recover(path),
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

/**
 * Temporary names that this process is using. The process id is not enough: a killed process may have had the same one.
 */
const inUse = new Set<string>();

function sideName(path: string, kind: "tmp" | "old"): string {
  return `${path}.${kind}-${process.pid}-${crypto.randomUUID().slice(0, 8)}`;
}

/** Runs `work` with an unused temporary name next to `path`, and removes anything with that name afterwards. */
async function onTheSide(path: string, work: (aside: string) => Promise<void>): Promise<void> {
  const aside = sideName(path, "tmp");
  inUse.add(aside);
  try {
    await work(aside);
  } finally {
    await rm(aside, { recursive: true, force: true }).catch(() => {}); // left for `recover`; not worth an error
    inUse.delete(aside);
  }
}

/** The parts of a temporary name, or null for any other name. */
function leftover(entry: string): { name: string; kind: "tmp" | "old"; pid: number } | null {
  const parts = /^(.+)\.(tmp|old)-(\d+)-[0-9a-f]{8}$/.exec(entry);
  return parts === null ? null : { name: parts[1]!, kind: parts[2] as "tmp" | "old", pid: Number(parts[3]) };
}

/**
 * Restores folders that a killed process had moved aside and not replaced, and removes everything else that it left
 * behind.
 */
async function recover(path: string): Promise<void> {
  const entries = (await orAbsent(readdir(path), `folder "${path}"`)) ?? [];
  for (const entry of entries) {
    const left = leftover(entry);
    const aside = join(path, entry);
    if (left === null || inUse.has(aside)) continue;
    if (left.kind === "old" && !entries.includes(left.name)) await rename(aside, join(path, left.name));
    else if (left.pid === process.pid || !alive(left.pid)) await rm(aside, { recursive: true, force: true });
  }
}

/** This platform. */
export const host: Host = {
  ...{ name: "node", openFolder, exists, openHub, folderTarget, openRun },
  ...{ compileBuild, parallelism, startThread, checksAddresses },
};
