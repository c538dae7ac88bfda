/**
 * The chunks of a PNG file (PNG specification, third edition, section 5): after eight bytes of signature
 *
 *   length (4)  type (4)  data (length)  CRC-32 of type and data (4)        big-endian
 */
import { FormatError } from "../core/errors.ts";

/** The first bytes of every PNG file. */
export const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

export interface PngChunk {
  readonly type: string;
  readonly data: Uint8Array;
}

/**
 * The chunks up to the last one, IEND. Throws FormatError for a wrong signature, for a chunk whose checksum differs, and for
 * a file that ends before IEND.
 */
export function* pngChunks(bytes: Uint8Array): Generator<PngChunk> {
  if (PNG_SIGNATURE.some((byte, i) => bytes[i] !== byte)) throw new FormatError("its signature is damaged");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = PNG_SIGNATURE.length; ; ) {
    const length = at + 12 <= bytes.length ? view.getUint32(at) : Number.POSITIVE_INFINITY;
    const end = at + 12 + length;
    if (end > bytes.length) throw new FormatError(`it is truncated: it ends before its IEND chunk`);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4)) {
      throw new FormatError(`chunk ${JSON.stringify(type)} at byte ${at} does not match its checksum`);
    }
    if (type === "IEND") return;
    yield { type, data: bytes.subarray(at + 8, end - 4) };
    at = end;
  }
}

let table: Uint32Array | null = null;

/** CRC-32 with the polynomial 0xedb88320 (section 5.5). */
export function crc32(bytes: Uint8Array): number {
  table ??= makeTable();
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
    return crc;
  });
}
