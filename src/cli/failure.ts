/** How the command line ends with an error. */
const OURS = ["ShapeError", "FormatError", "UnsupportedError", "StateError"];

/** Shows errors that say what to do as they are; anything else is a fault of ours and keeps its stack. */
export function fail(error: unknown): void {
  const clear = process.stderr.isTTY ? "\r\x1b[2K" : "";
  process.stderr.write(`${clear}error: ${textOf(error)}\n`);
  process.exitCode = 1;
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (OURS.includes(error.name) || "syscall" in error) return error.message;
  return `a fault in lorikeet itself, please report it: ${error.stack}`;
}
