/** Folders to read. */
import type { Stats } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { FormatError } from "../core/errors.ts";
import { expectRange, missingFile, type Source } from "../core/host.ts";
import { expectFileName, orAbsent } from "./disk.ts";
import { leftover } from "./folder-target.ts";

/** A single read call gives at most 2^31 - 1 bytes. */
const MAX_READ = 2 ** 30;

/**
 * The files of a folder, to read. A file is open only while it is being read; `close` only forgets which version of
 * each was read: bytes of a file that was replaced in between are refused.
 */
export function openFolder(path: string): Source {
  const name = `folder "${path}"`;
  const pathOf = (file: string) => join(path, expectFileName(name, file));
  const versions = new Map<string, string>();
  /** Opens a file, which must be the one that was opened before: bytes of two versions do not fit together. */
  const withSame = <T>(file: string, use: (handle: FileHandle, size: number) => Promise<T>) =>
    withFile(name, file, pathOf(file), async (handle, { size, mtimeMs }) => {
      const version = `${size} ${mtimeMs}`;
      const before = versions.get(file) ?? version;
      versions.set(file, before);
      if (before === version) return use(handle, size);
      versions.delete(file);
      throw new FormatError(`"${file}" in ${name} was replaced while it was being read; read it again`);
    });
  return {
    name,
    async has(file) {
      const found = await orAbsent(stat(pathOf(file)), `"${file}" in ${name}`);
      return found?.isFile() ?? false;
    },
    size: async (file) => withSame(file, async (_, size) => size),
    read: async (file, from = 0, to = undefined) =>
      withSame(file, async (handle, size) => {
        const [start, end] = expectRange(name, file, from, to ?? size, size);
        return readAll(handle, start, end, `"${file}" in ${name}`);
      }),
    async list(nested = false) {
      const entries = await orAbsent(readdir(path, { withFileTypes: true, recursive: nested }), name);
      if (entries === null) throw new FormatError(`${name} does not exist, or is not a folder`);
      const files = entries.filter((entry) => !entry.isDirectory() && leftover(entry.name) === null);
      return files.map((entry) => relative(path, join(entry.parentPath, entry.name)).split(sep).join("/")).sort();
    },
    close: async () => versions.clear(),
  };
}

async function withFile<T>(
  folder: string,
  file: string,
  path: string,
  use: (handle: FileHandle, about: Stats) => Promise<T>,
): Promise<T> {
  const handle = await orAbsent(open(path, "r"), `"${file}" in ${folder}`);
  if (handle === null) throw missingFile(folder, file);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw missingFile(folder, file);
    return await use(handle, found);
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
