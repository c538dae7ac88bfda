import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Patience, pause, retryAfter } from "../../src/hub/patience.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** Milliseconds until the promise settles. */
async function timeOf(promise: Promise<unknown>): Promise<number> {
  const began = Date.now();
  const done = promise.then(
    () => Date.now() - began,
    () => Date.now() - began,
  );
  await vi.runAllTimersAsync();
  return done;
}

test("each wait is twice the last, and what arrives starts them anew", async () => {
  const patience = new Patience({});
  const waits = [];
  for (let failure = 0; failure < 3; failure++) waits.push(await timeOf(patience.after(new Error("cut"))));
  patience.progressed();
  waits.push(await timeOf(patience.after(new Error("cut"))));
  expect(waits).toEqual([300, 600, 1200, 300]);
});

test("one failure too many, and a wait that is asked too long, are the error as it was", async () => {
  const error = new Error("busy");
  const patience = new Patience({ retries: 1 });
  expect(await timeOf(patience.after(error, 50))).toBe(50);
  await expect(patience.after(error)).rejects.toBe(error);
  await expect(new Patience({}).after(error, 120_001)).rejects.toBe(error);
});

test("a signal ends a wait, and one that was given before begins none", async () => {
  const stop = new AbortController();
  const waiting = expect(pause(1000, stop.signal)).rejects.toThrow("enough");
  stop.abort(new Error("enough"));
  await waiting;
  expect(vi.getTimerCount()).toBe(0);
  await expect(new Patience({ signal: stop.signal }).after(new Error("cut"))).rejects.toThrow("enough");
});

test("Retry-After is seconds or a date", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  const asked = (value: string) => retryAfter(new Headers({ "retry-after": value }), now);
  expect(asked("7")).toBe(7000);
  expect(asked("Thu, 01 Jan 2026 00:00:09 GMT")).toBe(9000);
  expect(asked("Wed, 31 Dec 2025 00:00:00 GMT")).toBe(0);
  expect(asked("soon")).toBeNull();
  expect(retryAfter(new Headers(), now)).toBeNull();
});
