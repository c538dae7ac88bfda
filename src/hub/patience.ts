/**
 * Retries after a temporary failure: retrying immediately is too soon for a busy server, so each wait is twice the
 * last.
 */

/** The first wait, in milliseconds. */
const FIRST_WAIT = 300;
/** The longest wait that a server may request, in milliseconds. */
const LONGEST_WAIT = 120_000;
const RETRIES = 5;

/** Counts the consecutive failures of one task. */
export class Patience {
  readonly #retries: number;
  readonly #signal: AbortSignal | undefined;
  #failures = 0;

  constructor({ retries = RETRIES, signal }: { readonly retries?: number; readonly signal?: AbortSignal }) {
    this.#retries = retries;
    this.#signal = signal;
  }

  /** Data arrived: the count of failures starts again. */
  progressed(): void {
    this.#failures = 0;
  }

  /**
   * Waits after a failure, for as long as the server requested (milliseconds), if it did. Throws `error` after too many
   * failures.
   */
  async after(error: unknown, asked: number | null = null): Promise<void> {
    this.#signal?.throwIfAborted();
    const wait = asked ?? FIRST_WAIT * 2 ** this.#failures;
    this.#failures++;
    if (this.#failures > this.#retries || wait > LONGEST_WAIT) throw error;
    await pause(wait, this.#signal);
  }
}

/** Resolves after some milliseconds. Rejects with the signal's reason if it is aborted. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** The milliseconds that a Retry-After header requests (seconds, or a date), or null without one. */
export function retryAfter(headers: Headers, now: number): number | null {
  const text = headers.get("retry-after");
  if (text === null) return null;
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(wait) ? null : Math.max(0, wait);
}
