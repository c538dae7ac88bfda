/** How long tokens may keep the event loop where a turn of it costs milliseconds. */
const LONGEST = 16;

/**
 * A function to await between two tokens, so that timers, signals and other work of the program have their turn: after every token
 * where that is cheap, and after 16 ms in browsers, where a timer takes 4 ms.
 */
export function eachToken(): () => Promise<void> {
  const { setImmediate: immediate } = globalThis as { setImmediate?: (then: () => void) => void };
  let last = performance.now();
  return async () => {
    if (immediate) return new Promise((resolve) => immediate(resolve));
    if (performance.now() - last < LONGEST) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = performance.now();
  };
}
