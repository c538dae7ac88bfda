/** Reading from the hub where there is no disk, as browsers and workerd do. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { fetchedHub } from "../../src/hub/fetched-hub.ts";
import { commit, cutAfter, type FakeHub, fakeHub } from "./server.ts";

const weights = Uint8Array.from({ length: 1000 }, (_, i) => i);
let hub: FakeHub;
beforeEach(async () => {
  hub = await fakeHub(
    { "config.json": new TextEncoder().encode("{}"), "model.safetensors": weights },
    { large: ["model.safetensors"] },
  );
});
afterEach(() => hub.close());

test("files are read by ranges of one commit, and what is missing costs no request", async () => {
  const calls: unknown[] = [];
  const source = fetchedHub("org/name", {
    endpoint: hub.endpoint,
    token: "t",
    onProgress: (...call) => calls.push(call),
  });
  expect(await source.list()).toEqual(["config.json", "model.safetensors"]);
  expect(await source.has("tokenizer.json")).toBe(false);
  await expect(source.read("tokenizer.json")).rejects.toThrow('model "org/name" has no file "tokenizer.json"');
  expect(hub.seen).toHaveLength(1);
  expect(await source.size("model.safetensors")).toBe(1000);
  expect([...(await source.read("model.safetensors", 5, 8))]).toEqual([5, 6, 7]);
  expect([...(await source.read("model.safetensors", 254, 257))]).toEqual([254, 255, 0]);
  expect(hub.seenElsewhere.map(({ range }) => range)).toEqual(["bytes=0-0", "bytes=5-7", "bytes=254-256"]);
  expect(hub.seenElsewhere.every(({ authorization }) => authorization === undefined)).toBe(true);
  expect(hub.seen.every(({ authorization }) => authorization === "Bearer t")).toBe(true);
  expect(hub.seen.slice(1).every(({ url }) => url === `/org/name/resolve/${commit}/model.safetensors`)).toBe(true);
  expect(calls).toEqual([
    ["model.safetensors", 3, 1000],
    ["model.safetensors", 6, 1000],
  ]);
});

test("a cut connection and a busy server are tried again", async () => {
  let requests = 0;
  hub.interfereElsewhere = (_, response) => {
    requests++;
    if (requests === 2) cutAfter(response, weights, 1);
    else if (requests === 3) response.writeHead(503, { "retry-after": "0" }).end();
    return requests === 2 || requests === 3;
  };
  const source = fetchedHub("org/name", { endpoint: hub.endpoint });
  expect([...(await source.read("model.safetensors", 5, 8))]).toEqual([5, 6, 7]);
  expect(requests).toBe(4);
});
