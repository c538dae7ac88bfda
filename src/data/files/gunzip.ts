import { FormatError } from "../../core/errors.ts";

/** The contents of a gzip file. Throws FormatError for other bytes. */
export async function gunzip(file: string, bytes: Uint8Array): Promise<Uint8Array> {
  try {
    const unpacked = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(unpacked).arrayBuffer());
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(
      `data file "${file}" is not a whole gzip file: ${reason}. If it is not compressed, rename it`,
      { cause },
    );
  }
}
