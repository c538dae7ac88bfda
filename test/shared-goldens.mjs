/**
 * The goldens are committed without copies: test/golden/same.json names by content the files that are the same, of which the
 * first is there. Tests and generators see all of them.
 *
 *   node test/shared-goldens.mjs share      removes the copies in test/golden, and writes same.json
 *   node test/shared-goldens.mjs unshare    puts them back: before a generator writes into test/golden
 */
import { createHash } from "node:crypto";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";

const committed = fileURLToPath(new URL("golden", import.meta.url));
const LIST = "same.json";

/** The files of a folder by the SHA-256 of their bytes, in the order of their names. */
function byContent(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== LIST)
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1))
    .map((file) => file.split(sep).join("/"))
    .sort();
  const found = {};
  for (const file of files) {
    const hash = hashOf(join(folder, file));
    found[hash] = [...(found[hash] ?? []), file];
  }
  return found;
}

function hashOf(path) {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** Puts copies in their places and removes same.json. A file that is there stays as it is. */
function unshare(folder) {
  const list = join(folder, LIST);
  if (!existsSync(list)) return;
  for (const [hash, [original, ...copies]] of Object.entries(JSON.parse(readFileSync(list, "utf8")))) {
    const from = join(folder, original);
    const missing = copies.filter((copy) => !existsSync(join(folder, copy)));
    if (missing.length === 0) continue;
    if (!existsSync(from) || hashOf(from) !== hash) {
      throw new Error(
        `${original} has changed since ${missing.join(", ")} was left out as its copy: take it back, run ` +
          "node test/shared-goldens.mjs unshare, and write the new goldens over the whole folder",
      );
    }
    for (const copy of missing) {
      mkdirSync(dirname(join(folder, copy)), { recursive: true });
      copyFileSync(from, join(folder, copy));
    }
  }
  rmSync(list);
}

/** Leaves one file of each content, and writes same.json. */
function share(folder) {
  unshare(folder);
  const same = Object.fromEntries(Object.entries(byContent(folder)).filter(([, files]) => files.length > 1));
  for (const [, ...copies] of Object.values(same)) for (const copy of copies) rmSync(join(folder, copy));
  writeFileSync(join(folder, LIST), `${JSON.stringify(same, null, 1)}\n`);
}

/** The committed goldens with every file in its place: a folder of their own, which is the caller's to remove. */
export function layOut() {
  const folder = mkdtempSync(join(tmpdir(), "lorikeet-goldens-"));
  cpSync(committed, folder, { recursive: true });
  unshare(folder);
  return folder;
}

/** Before all tests, unless LORIKEET_GOLDEN names other goldens. */
export function setup() {
  if (process.env.LORIKEET_GOLDEN) return undefined;
  const folder = layOut();
  process.env.LORIKEET_GOLDEN = folder;
  return () => rmSync(folder, { recursive: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const verbs = { share, unshare };
  const verb = verbs[process.argv[2]];
  if (verb === undefined) throw new Error(`expected one of ${Object.keys(verbs).join(", ")}`);
  verb(committed);
}
