import { FormatError } from "../errors.ts";
import type { Source } from "../host.ts";

/** The largest tokenizers of today have 35 MB. */
const MAX_BYTES = 100_000_000;

/**
 * The bytes of a file that is read as a whole: a config, a tokenizer, a template. Throws FormatError, before reading, for
 * one of more than 100 MB.
 */
export async function readWhole(source: Source, file: string): Promise<Uint8Array> {
  const size = await source.size(file);
  if (size <= MAX_BYTES) return source.read(file);
  throw new FormatError(
    `"${file}" in ${source.name} has ${size} bytes, expected at most ${MAX_BYTES}: is it the right file?`,
  );
}
