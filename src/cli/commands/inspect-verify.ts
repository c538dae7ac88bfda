/** lorikeet inspect --verify: compares files with the hashes that were written with them. */
import { subFolder } from "../../adapt/files/adapterhub-setup.ts";
import { compareHashes, HASHES_FILE } from "../../checkpoint/file-hashes.ts";
import { FormatError } from "../../core/errors.ts";
import type { Source } from "../../core/host.ts";
import { listProblems } from "../../core/problems.ts";
import { grouped, print } from "../terminal.ts";

/**
 * Compares the files of a folder, and of those below it, with every record of hashes in them. Throws FormatError that lists
 * each file that is not as it was written.
 */
export async function verify(source: Source, json: boolean): Promise<void> {
  const files = (await source.list(true)) ?? [HASHES_FILE];
  const folders = files
    .filter((file) => file.split("/").at(-1) === HASHES_FILE)
    .map((file) => file.slice(0, -HASHES_FILE.length));
  if (folders.length === 0) {
    throw new FormatError(
      `${source.name} has no ${HASHES_FILE}: only folders that this version of Lorikeet wrote have hashes to compare with`,
    );
  }
  const covered = new Set<string>();
  const problems: string[] = [];
  for (const folder of folders) {
    const report = await compareHashes(subFolder(source, folder.slice(0, -1)));
    for (const file of report!.intact) covered.add(folder + file);
    problems.push(...report!.problems.map((problem) => (folder === "" ? problem : `${folder}: ${problem}`)));
  }
  const others = files.filter((file) => !covered.has(file) && !folders.includes(file.slice(0, -HASHES_FILE.length)));
  if (json) print(JSON.stringify({ kind: "verify", intact: [...covered], problems, others }));
  else {
    print(`${grouped(covered.size)} files are as they were written`);
    if (problems.length === 0 && others.length > 0) print(`without a hash: ${others.join(", ")}`);
  }
  if (problems.length > 0) {
    throw new FormatError(listProblems(`${source.name} has files that are not as they were written`, problems));
  }
}
