/** The bytes of single tokens, which decoders join to texts. */
import { bytesOfLetters } from "../byte-alphabet.ts";
import { byteOf } from "./byte-fallback.ts";
import type { PieceDecoder } from "./decoder.ts";

/** A function that gives the bytes a token adds to a text, at a place other than its beginning. `json` is the decoder's. */
export function tokenBytesOf(json: unknown, decode: PieceDecoder | null): (token: string) => Uint8Array {
  const types = typesIn(json);
  const encoder = new TextEncoder();
  return (token) => {
    const letters = types.includes("ByteLevel") ? bytesOfLetters(token) : null;
    if (letters !== null) return Uint8Array.from(letters);
    const byte = types.includes("ByteFallback") ? byteOf(token) : null;
    if (byte !== null) return Uint8Array.of(byte);
    if (decode === null) return encoder.encode(` ${token}`);
    return encoder.encode(decode(["a", token]).join("").slice(1));
  };
}

/** The decoder's type, and those of its parts. */
function typesIn(json: unknown): string[] {
  const { type, decoders } = (json ?? {}) as { type?: unknown; decoders?: unknown };
  const parts = Array.isArray(decoders) ? decoders.flatMap(typesIn) : [];
  return [...(typeof type === "string" ? [type] : []), ...parts];
}
