import { FormatError } from "../../core/errors.ts";
import { unpack } from "../../core/io/decompress.ts";

/** The contents of a gzip file. Throws FormatError for other bytes, and for more than `most` bytes. */
export async function gunzip(file: string, bytes: Uint8Array, most: number): Promise<Uint8Array> {
  const what = `data file "${file}"`;
  try {
    return await unpack([bytes], "gzip", { most, what, option: "maxUnpackedBytes" });
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(`${what} is not a whole gzip file: ${reason}`, { cause });
  }
}
