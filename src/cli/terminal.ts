/**
 * Terminal output. Results and the reports of a training run, go to standard output; warnings, errors and the
 * progress of shorter commands to standard error, so that pipes stay clean.
 */

export type LogFormat = "auto" | "plain" | "json";

/** When not on a terminal, the milliseconds between two progress lines that are not reports. */
const QUIET = 10_000;

/** Prints one line that the user should see. */
export function notice(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Prints one line of results. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** "1.2 s", "3 min 20 s", "2 h 5 min". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A number with thousands separators. */
export function grouped(n: number): string {
  return Math.round(n).toLocaleString("en-US");
}

/** "1 row", "2,000 rows". */
export function counted(n: number, one: string, several = `${one}s`): string {
  return `${grouped(n)} ${n === 1 ? one : several}`;
}

let endsWithReader = true;

/**
 * Ends the command quietly when nothing reads its output any longer, as after `| head`. It continues if only its
 * warnings are not read.
 */
export function watchPipes(): void {
  const broken = (error: NodeJS.ErrnoException, ends: boolean) => {
    if (error.code !== "EPIPE") throw error;
    if (ends) process.exit(0);
  };
  process.stdout.on("error", (error) => broken(error, endsWithReader));
  process.stderr.on("error", (error) => broken(error, false));
}

/** For a command whose result is in files: it continues even if nothing reads its reports. */
export function outliveReader(): void {
  endsWithReader = false;
}

/** A line that is redrawn in place on a terminal, and otherwise written occasionally as a plain line. */
export class LiveLine {
  readonly #stream: NodeJS.WriteStream;
  readonly #live: boolean;
  #drawn = false;
  #lastPlain = Date.now();

  constructor(stream: NodeJS.WriteStream = process.stderr, format: LogFormat = "auto") {
    this.#stream = stream;
    this.#live = format === "auto" && stream.isTTY === true;
  }

  /**
   * Shows `text` now. When not on a terminal, it appears only if `report` is true or nothing was printed for ten
   * seconds.
   */
  show(text: string, report = false): void {
    if (this.#live) {
      this.#stream.write(`\r\x1b[2K${text.slice(0, (this.#stream.columns || 80) - 1)}`);
      this.#drawn = true;
    } else if (report || Date.now() - this.#lastPlain > QUIET) {
      this.#stream.write(`${text}\n`);
      this.#lastPlain = Date.now();
    }
  }

  /** Prints a permanent line above the live one. */
  above(text: string): void {
    this.end();
    this.#stream.write(`${text}\n`);
    this.#lastPlain = Date.now();
  }

  /** Removes the live line. */
  end(): void {
    if (this.#drawn) this.#stream.write("\r\x1b[2K");
    this.#drawn = false;
  }
}
