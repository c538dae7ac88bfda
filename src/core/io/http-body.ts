/** Reading from servers that may fall silent, or never end. */
import { FormatError } from "../errors.ts";

/** Milliseconds without a byte after which a request has failed, by default. */
export const SILENCE = 30_000;

/** Calls `late` unless `work` settles within some milliseconds. */
export async function within<T>(milliseconds: number, work: Promise<T>, late: () => void): Promise<T> {
  const timer = setTimeout(late, milliseconds);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/** The pieces of a body. Throws an Error if the next piece does not arrive within `silence` milliseconds. */
export async function* pieces(response: Response, silence: number): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  let isSilent = false;
  try {
    for (;;) {
      const next = await within(silence, reader.read(), () => {
        isSilent = true;
        void reader.cancel().catch(() => {}); // the pending read then ends
      });
      if (isSilent) throw silent(silence);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await reader.cancel().catch(() => {}); // a connection that failed has already been reported
  }
}

/** The whole body. Throws FormatError if it has more than `most` bytes, an Error if it falls silent. */
export async function wholeBody(
  response: Response,
  silence: number,
  most = Number.POSITIVE_INFINITY,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const piece of pieces(response, silence)) {
    size += piece.length;
    if (size > most) throw new FormatError(`the answer has more than ${most} bytes: it cannot be what was requested`);
    parts.push(piece as Uint8Array<ArrayBuffer>);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** The error for a server that sends nothing. */
export function silent(milliseconds: number): Error {
  return new Error(`nothing arrived for ${milliseconds / 1000} s`);
}
