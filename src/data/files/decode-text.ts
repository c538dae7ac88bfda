/** Files of text as UTF-8: byte order marks say what they are in, and UTF-16 without one shows in its zero bytes. */
import { FormatError } from "../../core/errors.ts";

const BYTES_LOOKED_AT = 512;

/** The bytes of a text file in UTF-8, without a byte order mark. Bytes that are UTF-8 already are not copied. */
export function asUtf8(bytes: Uint8Array): Uint8Array {
  const encoding = utf16Of(bytes);
  if (encoding !== null) return new TextEncoder().encode(new TextDecoder(encoding).decode(bytes));
  const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return marked ? bytes.subarray(3) : bytes;
}

/** "utf-16le" or "utf-16be", or null for another encoding. */
function utf16Of(bytes: Uint8Array): string | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  const seen = bytes.subarray(0, BYTES_LOOKED_AT);
  const zeros = [0, 0];
  for (const [i, byte] of seen.entries()) if (byte === 0) zeros[i % 2]!++;
  const many = seen.length / 4; // half of the characters
  if (zeros[0] === 0 && zeros[1]! > many) return "utf-16le";
  return zeros[1] === 0 && zeros[0]! > many ? "utf-16be" : null;
}

/** UTF-8 as text, or null for other bytes. */
export function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** UTF-8 as text. Throws FormatError for other bytes. */
export function expectUtf8(file: string, bytes: Uint8Array): string {
  const text = decodeUtf8(bytes);
  if (text !== null) return text;
  throw new FormatError(`data file "${file}" is not text in UTF-8 or UTF-16: convert it, for example with iconv`);
}
