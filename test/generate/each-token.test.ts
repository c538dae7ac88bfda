import { afterEach, expect, test, vi } from "vitest";
import { eachToken } from "../../src/generate/each-token.ts";

afterEach(() => vi.unstubAllGlobals());

/** Whether a timer that is due has its turn within some tokens. */
async function letsOthersIn(): Promise<boolean> {
  const nextTurn = eachToken();
  let hadTurn = false;
  setTimeout(() => {
    hadTurn = true;
  }, 0);
  for (let token = 0; token < 2000 && !hadTurn; token++) await nextTurn();
  return hadTurn;
}

test.each([
  ["Node", []],
  ["a browser, which has no setImmediate", ["setImmediate"]],
  ["a worker with neither", ["setImmediate", "MessageChannel"]],
])("other work has its turn between tokens in %s", async (_, missing) => {
  for (const name of missing) vi.stubGlobal(name, undefined);
  expect(await letsOthersIn()).toBe(true);
});
