/** Paths as people type them. */
import { basename, dirname } from "node:path";

/** Folder and file name of a path. */
export function splitPath(path: string): [folder: string, file: string] {
  return [dirname(path), basename(path)];
}
