import type { Sha256 } from "../core/host.ts";

/** A SHA-256 by the Web's cryptography, which takes all bytes at once: they are copied and kept until the end. */
export async function sha256(): Promise<Sha256 | null> {
  const subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle;
  if (subtle === undefined) return null;
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  return {
    update: (bytes) => void pieces.push(new Uint8Array(bytes)),
    async hex() {
      const whole = new Uint8Array(await new Blob(pieces).arrayBuffer());
      const digest = new Uint8Array(await subtle.digest("SHA-256", whole));
      return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    },
  };
}
