/** Everything that ever failed: a folder of files for each input, below corpus/CAMPAIGN. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("corpus", import.meta.url));
/** An input that stays larger is not kept. */
const MOST = 100_000;

/** The inputs of a campaign that once failed, by name. */
export function readCorpus(campaign) {
  const home = join(folder, campaign);
  const names = existsSync(home) ? readdirSync(home).sort() : [];
  return names.map((name) => {
    const files = readdirSync(join(home, name), { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
    const read = (entry) => {
      const path = join(entry.parentPath ?? entry.path, entry.name);
      return [path.slice(join(home, name).length + 1), new Uint8Array(readFileSync(path))];
    };
    return { name, files: Object.fromEntries(files.map(read)) };
  });
}

/** Keeps an input and returns where, or null if it is too large. */
export function keep(campaign, column, files) {
  const hash = createHash("sha256");
  for (const [name, bytes] of Object.entries(files)) hash.update(name).update(bytes);
  if (Object.values(files).reduce((sum, { length }) => sum + length, 0) > MOST) return null;
  const home = join(folder, campaign, `${column.toLowerCase()}-${hash.digest("hex").slice(0, 8)}`);
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(home, name)), { recursive: true });
    writeFileSync(join(home, name), bytes);
  }
  return home;
}

/** A smaller input that still fails: pieces are taken out, larger ones first, in at most `tries` runs. */
export async function minimized(files, fails, tries) {
  let best = files;
  for (const name of Object.keys(files)) {
    for (let piece = 2 ** Math.floor(Math.log2(Math.max(1, files[name].length))); piece >= 1; piece /= 2) {
      for (let at = 0; at < best[name].length && tries > 0; ) {
        const bytes = best[name];
        const tried = {
          ...best,
          [name]: new Uint8Array(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + piece)])),
        };
        tries--;
        if (await fails(tried)) best = tried;
        else at += piece;
      }
    }
  }
  return best;
}
