/** Git LFS leaves a small text instead of a large file that has not been fetched. */
import { FormatError } from "../core/errors.ts";

const BEGINNING = "version https://git-lfs.github.com/spec/";

/** Whether a file that begins with these bytes can be such a text. */
export function mayBePointer(bytes: Uint8Array): boolean {
  return bytes[0] === BEGINNING.charCodeAt(0) && bytes[1] === BEGINNING.charCodeAt(1);
}

/** Throws FormatError, with the way to the file itself, if these are the first bytes of such a text. `what` names the file. */
export function expectNoPointer(what: string, bytes: Uint8Array): void {
  if (!mayBePointer(bytes) || !new TextDecoder().decode(bytes.subarray(0, BEGINNING.length)).startsWith(BEGINNING))
    return;
  throw new FormatError(
    `${what} is a pointer of Git LFS, not the file itself: run "git lfs install" and "git lfs pull" in the folder, or download the file`,
  );
}
