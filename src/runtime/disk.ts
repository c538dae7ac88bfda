/** What files of this folder that use node:fs share: making folders, and errors that say what the system refused. */
import { mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { StateError } from "../core/errors.ts";

/** The result, or null when the file or folder is not there. Throws StateError for anything else that goes wrong. */
export async function orAbsent<T>(reading: Promise<T>, what: string): Promise<T | null> {
  try {
    return await reading;
  } catch (cause) {
    const code = codeOf(cause);
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw explained(`cannot read ${what}`, cause);
  }
}

/** A folder and those above it. Node's own recursive mkdir never returns where a file system refuses new folders as ENOENT, as /proc does. */
export async function makeFolder(path: string, above = true): Promise<void> {
  try {
    await mkdir(path);
  } catch (cause) {
    const code = codeOf(cause);
    if (code === "ENOENT" && above && dirname(path) !== path) {
      await makeFolder(dirname(path));
      return makeFolder(path, false);
    }
    const there = await stat(path).catch(() => null);
    if (!there?.isDirectory()) throw cause;
  }
}

/** Makes renames in a folder survive a power cut. Not every system lets a folder be flushed; there it is best effort. */
export async function flushFolder(path: string): Promise<void> {
  try {
    const handle = await open(path, "r");
    await handle.sync().finally(() => handle.close());
  } catch {}
}

/** Signal 0 is sent to nobody: it only asks whether the process is there. */
export function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (cause) {
    return codeOf(cause) !== "ESRCH";
  }
}

const REASONS = new Map([
  ["ENOSPC", "the disk is full"],
  ["EDQUOT", "the disk quota is used up"],
  ["ENOENT", "no folder can be made there"],
  ["EROFS", "the file system is read-only"],
  ["EACCES", "permission denied"],
  ["EPERM", "permission denied"],
  ["EISDIR", "a folder of that name is in the way"],
  ["ENOTDIR", "a file is where a folder should be"],
  ["EEXIST", "a file is where a folder should be"],
  ["ENAMETOOLONG", "the name is too long"],
  ["EMFILE", "too many files are open"],
]);

/** A StateError for what the operating system refused; any other error as it is. */
export function explained(what: string, cause: unknown): unknown {
  const code = codeOf(cause);
  if (code === null) return cause;
  return new StateError(`${what}: ${REASONS.get(code) ?? (cause as Error).message} (${code})`, { cause });
}

/** The operating system's name for an error, such as ENOSPC, or null when it did not come from there. */
export function codeOf(cause: unknown): string | null {
  if (!(cause instanceof Error) || !("syscall" in cause) || !("code" in cause)) return null;
  return String(cause.code);
}
