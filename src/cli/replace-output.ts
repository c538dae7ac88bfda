/** Folders that a command writes as a whole, so that whoever reads them meanwhile finds the old one or the new one. */
import { accessSync, constants, existsSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { folderTarget, openFolder, openRun } from "#host";
import type { Target } from "../core/host.ts";
import { WEIGHTS } from "./copy-processing-files.ts";

/**
 * Writes a folder under a temporary name and replaces `path` with it. A symbolic link stays and points to the new folder. Files of
 * the old folder that are neither written nor weights are kept. A folder that cannot change its place is written file by
 * file: a mount point, the working folder, one in a folder that may not be changed.
 */
export async function replaceOutput(path: string, write: (target: Target) => Promise<void>): Promise<void> {
  const place = placeOf(path);
  if (existsSync(place) && !isMovable(place)) return write(folderTarget(path));
  await openRun(dirname(place)).replace(basename(place), async (target) => {
    const written = new Set<string>();
    await write({
      name: `folder "${path}"`,
      async write(file, chunks) {
        await target.write(file, chunks);
        written.add(file);
      },
    });
    if (!existsSync(place)) return;
    const before = openFolder(place);
    const kept = ((await before.list(true)) ?? []).filter((file) => !written.has(file) && !WEIGHTS.test(file));
    for (const file of kept) await target.write(file, [await before.read(file)]);
  });
}

function isMovable(place: string): boolean {
  if (join(process.cwd(), sep).startsWith(join(place, sep))) return false;
  if (statSync(place).dev !== statSync(dirname(place)).dev) return false;
  try {
    accessSync(dirname(place), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether two paths refer to the same folder, through any spelling or link. */
export function samePlace(a: string, b: string): boolean {
  return placeOf(a) === placeOf(b);
}

/** The path without links. What does not exist yet has the place that its parent gives it. */
function placeOf(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch {
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(placeOf(parent), basename(absolute));
  }
}
