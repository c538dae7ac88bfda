/**
 * Shared by the files of this folder that use node:fs: creating folders, and errors that explain what the system
 * refused.
 */
import { mkdir, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { FormatError, StateError } from "../core/errors.ts";
import { expectInside } from "../core/host.ts";
import { windowsFault } from "../core/portable-name.ts";

/** Returns a relative name that stays inside its folder and that this system takes for a file. Throws FormatError. */
export function expectFileName(source: string, file: string, windows = process.platform === "win32"): string {
  const inside = expectInside(source, file);
  const fault = windows
    ? (inside
        .split("/")
        .map(windowsFault)
        .find((each) => each !== null) ?? null)
    : null;
  if (fault === null) return inside;
  throw new FormatError(`${source}: file name ${JSON.stringify(file)} cannot be used here: ${fault}`);
}

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
    return;
  }
  await flushFolder(dirname(path));
}

/**
 * What systems answer that cannot flush a folder: Windows opens none (EISDIR, EPERM, EACCES), and some file systems
 * of networks and in user space know no fsync of folders (EINVAL, ENOTSUP, EOPNOTSUPP, ENOSYS, EBADF). Renames there survive
 * a power failure as well as the system manages. A folder that may be written but not read (EACCES) is one of them.
 */
const CANNOT_FLUSH = ["EISDIR", "EPERM", "EACCES", "EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EBADF"];

/** Makes renames and new names in a folder survive a power failure. Throws what the disk refuses, such as EIO. */
export async function flushFolder(path: string): Promise<void> {
  try {
    const handle = await open(path, "r");
    await handle.sync().finally(() => handle.close());
  } catch (cause) {
    if (!CANNOT_FLUSH.includes(codeOf(cause) ?? "")) throw cause;
  }
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
  ["ELOOP", "its symbolic links lead in a circle"],
  ["EIO", "the disk reports an error"],
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
