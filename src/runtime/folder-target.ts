/**
 * Folders to write to. Nothing is ever half written: a file or folder is created under a temporary name next to its final
 * one, `NAME.tmp-PID-RANDOM`, flushed to the disk and then renamed. A folder that is being replaced is called
 * `NAME.old-PID-RANDOM` between the two renames.
 */
import { open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Target } from "../core/host.ts";
import { expectFileName, explained, flushFolder, makeFolder } from "./disk.ts";

/** A single write call takes at most 2^31 - 1 bytes. */
const MAX_WRITE = 2 ** 30;

/** A folder to write to, created on the first write. Existing files that are not written are kept. */
export function folderTarget(path: string): Target {
  return targetAt(path, `folder "${path}"`);
}

/** The same with a name for messages. */
export function targetAt(path: string, name: string): Target {
  return {
    name,
    async write(file, chunks) {
      const final = join(path, expectFileName(name, file));
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
        at += (await handle.write(chunk, at, Math.min(chunk.length - at, MAX_WRITE))).bytesWritten;
      }
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Temporary names that this process is using. The process id is not enough: a killed process may have had the same one.
 */
export const inUse = new Set<string>();

export function sideName(path: string, kind: "tmp" | "old"): string {
  return `${path}.${kind}-${process.pid}-${crypto.randomUUID().slice(0, 8)}`;
}

/** Runs `work` with an unused temporary name next to `path`, and removes anything with that name afterwards. */
export async function onTheSide(path: string, work: (aside: string) => Promise<void>): Promise<void> {
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
export function leftover(entry: string): { name: string; kind: "tmp" | "old"; pid: number } | null {
  const parts = /^(.+)\.(tmp|old)-(\d+)-[0-9a-f]{8}$/.exec(entry);
  return parts === null ? null : { name: parts[1]!, kind: parts[2] as "tmp" | "old", pid: Number(parts[3]) };
}
