/** Paths as people type them. */
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { CONFIG_FILE } from "../../adapt/files/config-file.ts";

/** Folder and file name of a path. */
export function splitPath(path: string): [folder: string, file: string] {
  return [dirname(path), basename(path)];
}

/** The folder of an adapter: the given one, or `adapter` in the folder of a run. */
export function adapterFolder(path: string): string {
  const made = join(path, "adapter");
  return !existsSync(join(path, CONFIG_FILE)) && existsSync(join(made, CONFIG_FILE)) ? made : path;
}

/** A path as a shell takes it. */
export function quoted(path: string): string {
  return /^[\w./:@%+=,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
