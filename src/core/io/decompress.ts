/** Reads zlib and gzip streams piece by piece, so that who reads decides how much is unpacked. */
import { FormatError } from "../errors.ts";

/**
 * The unpacked bytes of `parts`, which together are one stream. Who stops early unpacks no more. Throws what the host
 * throws for a corrupted or truncated stream.
 */
export async function* decompress(
  parts: readonly Uint8Array[],
  format: "deflate" | "gzip",
): AsyncGenerator<Uint8Array, void, undefined> {
  const packed = new Blob(parts as Uint8Array<ArrayBuffer>[]).stream();
  const reader = packed.pipeThrough(new DecompressionStream(format)).getReader();
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) yield piece.value;
  } finally {
    await reader.cancel().catch(() => {}); // a stream that failed has already been reported
  }
}

/** How much may be unpacked. */
export interface UnpackLimit {
  /** Bytes. */
  readonly most: number;
  /** The file, for messages. */
  readonly what: string;
  /** The option that sets the limit. */
  readonly option: string;
}

/** All of it. Throws FormatError if it is more than allowed, after unpacking that much. */
export async function unpack(
  parts: readonly Uint8Array[],
  format: "deflate" | "gzip",
  { most, what, option }: UnpackLimit,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let total = 0;
  for await (const piece of decompress(parts, format)) {
    total += piece.length;
    if (total > most) {
      throw new FormatError(
        `${what} unpacks to more than the ${most} bytes that are allowed: raise ${option}, or divide the file`,
      );
    }
    pieces.push(piece);
  }
  return joined(pieces, total);
}

function joined(pieces: readonly Uint8Array[], total: number): Uint8Array {
  const whole = new Uint8Array(total);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
