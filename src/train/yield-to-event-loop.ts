/** How long work may block the event loop, in milliseconds. */
const LONGEST = 50;

/**
 * A function that yields to timers, signals and user interfaces at most every 50 ms. Long work awaits it between its
 * pieces.
 */
export function eventLoopYield(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < LONGEST) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = performance.now();
  };
}
