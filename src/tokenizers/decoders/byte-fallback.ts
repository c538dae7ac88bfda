/** Bytes such as <0xE2> become characters. Rust counterpart: `decoders/byte_fallback.rs`. */
import type { PieceDecoder } from "./decoder.ts";

const BYTE = /^<0x([0-9A-Fa-f]{2}|\+[0-9A-Fa-f])>$/;

/** The byte that a token such as <0xE2> stands for, null for another token. */
export function byteOf(token: string): number | null {
  const byte = BYTE.exec(token)?.[1];
  return byte === undefined ? null : Number.parseInt(byte, 16);
}

/** Bytes that are no UTF-8 become U+FFFD each. */
export const byteFallback: PieceDecoder = (tokens) => {
  const pieces: string[] = [];
  let bytes: number[] = [];
  const flush = () => {
    if (bytes.length > 0) pieces.push(...textOf(bytes));
    bytes = [];
  };
  for (const token of tokens) {
    const byte = byteOf(token);
    if (byte !== null) bytes.push(byte);
    else {
      flush();
      pieces.push(token);
    }
  }
  flush();
  return pieces;
};

function textOf(bytes: readonly number[]): string[] {
  try {
    return [new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes))];
  } catch {
    return bytes.map(() => "\ufffd");
  }
}
