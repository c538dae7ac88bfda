/**
 * Shared by the files of this folder that use node:fs: creating folders, and errors that explain what the system
 * refused.
 */
import { mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { StateError } from "../core/errors.ts";

/** The result, or null if the file or folder does not exist. Throws StateError for any other failure. */
export async function orAbsent<T>(reading: Promise<T>, what: string): Promise<T | null> {
  try {
    return await reading;
  } catch (cause) {
    const code = codeOf(cause);
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw explained(`cannot read ${what}`, cause);
  }
}

/**
 * Creates a folder and its parents. Node's recursive mkdir never returns where a file system refuses new folders with
 * ENOENT, as /proc does.
 */
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

/** Makes renames in a folder survive a power failure. On systems that cannot flush a folder this is best effort. */
export async function flushFolder(path: string): Promise<void> {
  try {
    const handle = await open(path, "r");
    await handle.sync().finally(() => handle.close());
  } catch {}
}

/** Signal 0 is not delivered: it only checks whether the process exists. */
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
  ["ENOENT", "no folder can be created there"],
  ["EROFS", "the file system is read-only"],
  ["EACCES", "permission denied"],
  ["EPERM", "permission denied"],
  ["EISDIR", "a folder with that name already exists"],
  ["ENOTDIR", "a file exists where a folder is expected"],
  ["EEXIST", "a file exists where a folder is expected"],
  ["ENAMETOOLONG", "the name is too long"],
  ["EMFILE", "too many files are open"],
]);

/** A StateError for a refusal of the operating system; any other error unchanged. */
export function explained(what: string, cause: unknown): unknown {
  const code = codeOf(cause);
  if (code === null) return cause;
  return new StateError(`${what}: ${REASONS.get(code) ?? (cause as Error).message} (${code})`, { cause });
}

/** The operating system's name for an error, such as ENOSPC, or null if the operating system did not raise it. */
export function codeOf(cause: unknown): string | null {
  if (!(cause instanceof Error) || !("syscall" in cause) || !("code" in cause)) return null;
  return String(cause.code);
}
