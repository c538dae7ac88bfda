/** What goes to the terminal. Results go to standard output; progress and notices to standard error, so that pipes stay clean. */

export type LogFormat = "auto" | "plain" | "json";

/** One line about something that the user should know. */
export function notice(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A line of result. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** "1.2 s", "3 min 20 s", "2 h 5 min". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A number with thousands separators. */
export function grouped(n: number): string {
  return Math.round(n).toLocaleString("en-US");
}

/** A line that is drawn again in place on a terminal, and written once in a while as a plain line otherwise. */
export class LiveLine {
  readonly #live: boolean;
  #drawn = false;
  #lastPlain = 0;

  constructor(format: LogFormat = "auto") {
    this.#live = format === "auto" && process.stderr.isTTY === true;
  }

  /** Shows `text` now. Off a terminal it appears only when `report` is true, or if nothing was for ten seconds. */
  show(text: string, report = false): void {
    if (this.#live) {
      process.stderr.write(`\r\x1b[2K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
      this.#drawn = true;
    } else if (report || Date.now() - this.#lastPlain > 10_000) {
      process.stderr.write(`${text}\n`);
      this.#lastPlain = Date.now();
    }
  }

  /** A line above the live one, which stays. */
  above(text: string): void {
    this.end();
    process.stderr.write(`${text}\n`);
    this.#lastPlain = Date.now();
  }

  /** Removes the live line. */
  end(): void {
    if (this.#drawn) process.stderr.write("\r\x1b[2K");
    this.#drawn = false;
  }
}
