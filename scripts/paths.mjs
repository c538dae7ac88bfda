/**
 * Paths of the project. Names of files are relative to its root with "/" between their parts, on every platform; `at` makes of
 * them what the file system takes. The functions that only compute take the platform's `path`, so that a test can pass another.
 */
import { readdirSync } from "node:fs";
import nodePath from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the project. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** Where a file of the project is on this platform. */
export function at(file, path = nodePath, folder = root) {
  return path.join(folder, ...file.split("/"));
}

/** The name of the file at an absolute path. */
export function nameOf(absolute, path = nodePath, folder = root) {
  return path.relative(folder, absolute).split(path.sep).join("/");
}

/** Names of the files below a folder of the project, sorted, so that the order is the same on every platform. */
export function filesBelow(folder) {
  return readdirSync(at(folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => nameOf(nodePath.join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}
