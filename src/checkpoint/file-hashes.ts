/**
 * SHA256SUMS, the record of a folder: the SHA-256 of each of its files, as `sha256sum` writes and checks it, after a line
 * with their number. It is written last, so a folder that has one is complete.
 */
import { sha256 } from "#host";
import { FormatError } from "../core/errors.ts";
import type { Source, Target } from "../core/host.ts";
import { readText } from "./checkpoint.ts";

export const HASHES_FILE = "SHA256SUMS";
/** Bytes read at a time. */
const PIECE = 2 ** 22;

/**
 * Runs `write` on a target, and then writes the record of what was written. A record that `write` itself writes to the
 * top is omitted, for this one covers it. Hosts without SHA-256 write none.
 */
export async function writeHashed(target: Target, write: (target: Target) => Promise<void>): Promise<void> {
  const hashes = new Map<string, string>();
  await write({
    name: target.name,
    async write(file, chunks) {
      if (file === HASHES_FILE) return;
      const hash = await sha256();
      let complete = false;
      async function* hashed(): AsyncGenerator<Uint8Array> {
        for await (const chunk of chunks) {
          hash?.update(chunk);
          yield chunk;
        }
        complete = true;
      }
      await target.write(file, hashed());
      if (hash !== null && complete && !/\p{Cc}/u.test(file)) hashes.set(file, await hash.hex());
    },
  });
  if (hashes.size === 0) return;
  const lines = Array.from(hashes, ([file, hash]) => `${hash}  ${file}\n`).sort(byFile);
  await target.write(HASHES_FILE, [new TextEncoder().encode(`# files: ${hashes.size}\n${lines.join("")}`)]);
}

/** Lines start with a hash and two spaces. */
const NAME = 66;
const byFile = (a: string, b: string) => (a.slice(NAME) < b.slice(NAME) ? -1 : 1);

/** The hashes in the record of a folder by file, or null if it has no record. Throws FormatError if it is damaged. */
export async function readHashes(source: Source): Promise<ReadonlyMap<string, string> | null> {
  if (!(await source.has(HASHES_FILE))) return null;
  const [first, ...lines] = (await readText(source, HASHES_FILE)).split("\n");
  const hashes = new Map<string, string>();
  for (const line of lines.slice(0, -1)) {
    const [, hash, file] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
    if (hash !== undefined && file !== undefined) hashes.set(file, hash);
  }
  if (lines.at(-1) === "" && hashes.size === lines.length - 1 && first === `# files: ${hashes.size}`) return hashes;
  throw new FormatError(
    `"${HASHES_FILE}" in ${source.name} is damaged: expected one hash and name per line, all complete`,
  );
}

/** The SHA-256 of bytes that follow one another, or null where the host has none. */
export async function hashOf(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<string | null> {
  const hash = await sha256();
  if (hash === null) return null;
  for await (const chunk of chunks) hash.update(chunk);
  return hash.hex();
}

/** A file piece by piece. */
export async function* piecesOf(source: Source, file: string): AsyncGenerator<Uint8Array> {
  const size = await source.size(file);
  for (let start = 0; start < size; start += PIECE) yield source.read(file, start, Math.min(start + PIECE, size));
}

/** What a folder's record says about its files. */
export interface HashReport {
  /** Files that are as they were written. */
  readonly intact: readonly string[];
  /** A line for each file that is missing or has changed. */
  readonly problems: readonly string[];
}

/**
 * Compares files of a folder, by default all, with its record; null if it has none. A damaged record is a problem like
 * any other.
 */
export async function compareHashes(source: Source, only?: readonly string[]): Promise<HashReport | null> {
  const intact: string[] = [];
  const problems: string[] = [];
  try {
    const hashes = await readHashes(source);
    if (hashes === null) return null;
    for (const file of only ?? hashes.keys()) {
      const problem = await problemWith(source, file, hashes.get(file));
      if (problem === null) intact.push(file);
      else problems.push(problem);
    }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    problems.push(error.message);
  }
  return { intact, problems };
}

async function problemWith(source: Source, file: string, expected: string | undefined): Promise<string | null> {
  if (expected === undefined) return `"${file}" is not listed in ${HASHES_FILE}`;
  if (!(await source.has(file))) return `"${file}" is missing`;
  const found = await hashOf(piecesOf(source, file));
  if (found === null || found === expected) return null;
  return `"${file}" has changed since it was written: SHA-256 ${found.slice(0, 12)}..., expected ${expected.slice(0, 12)}...`;
}
