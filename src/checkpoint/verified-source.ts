/** Reads files that have a record of their hashes: what is read is what was written. */
import { FormatError } from "../core/errors.ts";
import { expectRange, type Source } from "../core/host.ts";
import { HASHES_FILE, hashOf, piecesOf, readHashes } from "./file-hashes.ts";

/** Larger files are read twice instead of being kept, in bytes. */
const KEPT = 2 ** 28;
const WEIGHTS = /\.(safetensors|bin)$/;

/**
 * The source itself if it has no record. Otherwise reading throws FormatError if a file of tensors is not what was written;
 * another file, such as a config that was edited by hand, is used as it is, and `warn` says so.
 */
export async function verifiedSource(source: Source, warn: (text: string) => void): Promise<Source> {
  const hashes = await recordOf(source, warn);
  if (hashes === null) return source;
  const checked = new Map<string, Promise<Uint8Array | null>>();

  /** The whole file, or null if it is not kept. */
  async function check(file: string, expected: string): Promise<Uint8Array | null> {
    const size = await source.size(file);
    const bytes = size > KEPT ? null : await source.read(file);
    const found = await hashOf(bytes === null ? piecesOf(source, file) : [bytes]);
    if (found === null || found === expected) return bytes;
    const what = `"${file}" in ${source.name} is not what was written with it: its SHA-256 differs from that in ${HASHES_FILE}`;
    if (WEIGHTS.test(file)) {
      throw new FormatError(
        `${what}. The file is damaged, or another program wrote it: restore it, or delete ${HASHES_FILE} to use it as it is`,
      );
    }
    warn(`${what}. It is used as it is; save again, or delete ${HASHES_FILE}, if the change is meant`);
    return bytes;
  }

  return {
    ...source,
    async read(file, from = 0, to = undefined) {
      const expected = hashes.get(file);
      if (expected === undefined) return source.read(file, from, to);
      const checking = checked.get(file) ?? check(file, expected);
      checked.set(file, checking);
      const bytes = await checking;
      if (bytes === null) return source.read(file, from, to);
      const [start, end] = expectRange(source.name, file, from, to ?? bytes.length, bytes.length);
      return bytes.subarray(start, end);
    },
    async close() {
      checked.clear();
      await source.close();
    },
  };
}

async function recordOf(source: Source, warn: (text: string) => void): Promise<ReadonlyMap<string, string> | null> {
  try {
    return await readHashes(source);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    warn(`${error.message}. Its files are used as they are`);
    return null;
  }
}
