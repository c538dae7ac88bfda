/** How the command line reports an error and exits. */
const OURS = ["ShapeError", "FormatError", "UnsupportedError", "StateError"];

/** Shows the library's errors as they are; any other error is a bug in lorikeet and keeps its stack. */
export function fail(error: unknown): void {
  const clear = process.stderr.isTTY ? "\r\x1b[2K" : "";
  process.stderr.write(`${clear}error: ${messageOf(error)}\n`);
  process.exitCode = 1;
}

/** An error as users see it. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (OURS.includes(error.name) || "syscall" in error) return error.message;
  return `this is a bug in lorikeet, please report it: ${error.stack}`;
}
