import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { nameOf, openSource } from "../../src/checkpoint/open.ts";
import { FormatError, StateError } from "../../src/core/errors.ts";
import type { HubOptions } from "../../src/core/host.ts";
import { openHub } from "../../src/runtime/node.ts";
import { commit, cutAfter, type FakeHub, fakeHub, gitSha1, send, sha256 } from "../hub/server.ts";

const config = new TextEncoder().encode('{"model_type": "llama"}');
const weights = Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) >> 3);
const files = { "config.json": config, "model.safetensors": weights, "sub/empty.txt": new Uint8Array() };

let cacheDir: string;
let hub: FakeHub;
const path = (...parts: string[]) => join(cacheDir, "models--org--name", ...parts);
const blob = path.bind(null, "blobs");
const open = (options: HubOptions = {}, name = "org/name") =>
  openHub(name, { endpoint: hub.endpoint, cacheDir, token: null, ...options });

beforeEach(async () => {
  for (const name of ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]) vi.stubEnv(name, "");
  cacheDir = mkdtempSync(join(tmpdir(), "hub-"));
  hub = await fakeHub(files, { large: ["model.safetensors"] });
});
afterEach(() => {
  hub.close();
  vi.unstubAllEnvs();
  rmSync(cacheDir, { recursive: true });
});

describe("a model on the hub", () => {
  test("is downloaded file by file, into the layout of huggingface_hub", async () => {
    const source = open();
    expect(source.name).toBe('model "org/name"');
    expect(await source.list()).toEqual(["config.json", "model.safetensors"]);
    expect([await source.has("config.json"), await source.has("sub/empty.txt"), await source.has("a")]).toEqual([
      true,
      true,
      false,
    ]);
    expect(readdirSync(cacheDir)).toEqual([]);
    expect(await source.read("config.json")).toEqual(config);
    expect([...(await source.read("model.safetensors", 7, 9))]).toEqual([...weights.subarray(7, 9)]);
    expect(await source.size("sub/empty.txt")).toBe(0);
    expect(readdirSync(blob()).sort()).toEqual([gitSha1(config), sha256(weights), gitSha1(new Uint8Array())].sort());
    const link = path("snapshots", commit, "sub/empty.txt");
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(path("refs/main"), "utf8")).toBe(commit);
    await expect(source.read("absent")).rejects.toThrow(new FormatError('model "org/name" has no file "absent"'));
  });

  test("is fetched once: later only the commit is asked for, and for a known commit nothing", async () => {
    await open().read("model.safetensors");
    hub.seen.length = 0;
    expect(Buffer.compare(await open().read("model.safetensors"), weights)).toBe(0);
    expect(hub.seen.map(({ url }) => url)).toEqual(["/api/models/org/name/revision/main"]);
    expect(await open({}, `org/name@${commit}`).size("model.safetensors")).toBe(weights.length);
    expect(hub.seen).toHaveLength(1);
    expect(hub.seenElsewhere).toHaveLength(1);
  });

  test("tells how much of a file has come", async () => {
    const calls: [string, number, number][] = [];
    await open({ onProgress: (...call) => calls.push(call) }).read("model.safetensors");
    expect(calls.at(-1)).toEqual(["model.safetensors", weights.length, weights.length]);
    const loaded = calls.map(([, n]) => n);
    expect(loaded).toEqual([...loaded].sort((a, b) => a - b));
  });

  test("is read once where many ask at the same time, in one process or more", async () => {
    const sources = [open(), open()];
    await Promise.all(
      sources.flatMap((source) => [source.read("model.safetensors"), source.size("model.safetensors")]),
    );
    expect(hub.seenElsewhere).toHaveLength(1);
    expect(readdirSync(blob())).toEqual([sha256(weights)]);
  });

  test("keeps its token from the host that a redirect leads to", async () => {
    const source = open({ token: "hf_secret" });
    await source.read("model.safetensors");
    await source.read("config.json");
    expect(new Set(hub.seen.map((seen) => seen.authorization))).toEqual(new Set(["Bearer hf_secret"]));
    expect(hub.seenElsewhere.map((seen) => seen.authorization)).toEqual([undefined]);
  });

  test("is found under the name it was given before, by a redirect on the same host", async () => {
    hub.interfere = (request, response) => {
      if (!request.url!.includes("/old")) return false;
      response.writeHead(307, { location: request.url!.replace("/old", "/org/name") }).end();
      return true;
    };
    expect(Buffer.compare(await open({ token: "t" }, "old").read("model.safetensors"), weights)).toBe(0);
    expect(readdirSync(cacheDir)).toEqual(["models--old"]);
  });
});

describe("a connection that fails", () => {
  test("in the middle is resumed where it was cut", async () => {
    let cuts = 0;
    hub.interfereElsewhere = (_, response) => {
      if (cuts++ > 0) return false;
      cutAfter(response, weights, 100_000);
      return true;
    };
    expect(Buffer.compare(await open().read("model.safetensors"), weights)).toBe(0);
    expect(hub.seenElsewhere.map((seen) => seen.range)).toEqual([undefined, "bytes=100000-"]);
  });

  test("starts over at a server that ignores the range", async () => {
    let requests = 0;
    hub.interfereElsewhere = (request, response) => {
      if (requests++ === 0) cutAfter(response, weights, 100_000);
      else send(Object.assign(request, { headers: {} }), response, weights);
      return true;
    };
    expect(Buffer.compare(await open().read("model.safetensors"), weights)).toBe(0);
    expect(requests).toBe(2);
  });

  test("is tried again only so often when nothing new comes", async () => {
    hub.interfereElsewhere = (request, response) => {
      cutAfter(response, weights, request.headers.range === undefined ? 1000 : 0);
      return true;
    };
    await expect(open({ retries: 2 }).read("model.safetensors")).rejects.toThrow(StateError);
    expect(hub.seenElsewhere.length).toBeLessThanOrEqual(6);
    expect(hub.seenElsewhere.length).toBeGreaterThan(2);
  });

  test("because the server is busy waits as long as it asks", async () => {
    let refusals = 0;
    hub.interfere = (_, response) => {
      if (refusals++ > 0) return false;
      response.writeHead(429, { "retry-after": "1" }).end();
      return true;
    };
    const before = performance.now();
    expect(await open().has("config.json")).toBe(true);
    expect(performance.now() - before).toBeGreaterThan(990);
    hub.interfere = (_, response) => Boolean(response.writeHead(503).end());
    await expect(open({ retries: 1 }).has("config.json")).rejects.toThrow("status 503 Service Unavailable");
  });

  test("leaves what came, and the next attempt asks for the rest alone", async () => {
    const stop = new AbortController();
    hub.interfereElsewhere = (_, response) => {
      response.writeHead(200, { "content-length": weights.length });
      return response.write(weights.subarray(0, 200_000)) || true;
    };
    const onProgress = (_: string, loaded: number) => loaded === 200_000 && stop.abort(new Error("enough"));
    await expect(open({ signal: stop.signal, onProgress }).read("model.safetensors")).rejects.toThrow("enough");
    expect(readdirSync(blob())).toHaveLength(1);
    hub.interfereElsewhere = () => false;
    expect(Buffer.compare(await open().read("model.safetensors"), weights)).toBe(0);
    expect(hub.seenElsewhere.at(-1)!.range).toBe("bytes=200000-");
    expect(readdirSync(blob())).toEqual([sha256(weights)]);
  });

  const { pid: dead } = spawnSync(process.execPath, ["--version"]);
  test.each([
    ["a killed process", `${sha256(weights)}.incomplete.${hostname()}-${dead}-01234567`],
    ["Python", `${sha256(weights)}.incomplete`],
  ])("resumes what %s left", async (_, name) => {
    mkdirSync(blob(), { recursive: true });
    writeFileSync(blob(name), weights.subarray(0, 299_990));
    utimesSync(blob(name), new Date(0), new Date(0));
    expect(Buffer.compare(await open().read("model.safetensors"), weights)).toBe(0);
    expect(hub.seenElsewhere.map((seen) => seen.range)).toEqual(["bytes=299990-"]);
    expect(readdirSync(blob())).toEqual([sha256(weights)]);
  });

  test("waits for a process that is at it, and takes what it made", async () => {
    mkdirSync(blob(), { recursive: true });
    const partial = blob(`${sha256(weights)}.incomplete.${hostname()}-${process.ppid}-01234567`);
    writeFileSync(partial, "");
    const reading = open().read("model.safetensors");
    await new Promise((resolve) => setTimeout(resolve, 300));
    writeFileSync(blob(sha256(weights)), weights);
    expect(Buffer.compare(await reading, weights)).toBe(0);
    expect(hub.seenElsewhere).toEqual([]);
  });
});

describe("a partial file whose owner cannot be told", () => {
  const partial = () => blob(`${sha256(weights)}.incomplete.${hostname()}-${process.ppid}-01234567`);
  beforeEach(() => {
    mkdirSync(blob(), { recursive: true });
    writeFileSync(partial(), weights.subarray(0, 299_990));
  });

  test.each([
    ["a process number that is in use again", 0],
    ["a time in the future", 1e9],
  ])("is taken over after it has not changed for a while: %s", async (_, ahead) => {
    const time = new Date(Date.now() + ahead);
    utimesSync(partial(), time, time);
    const calls: unknown[] = [];
    const source = open({ silence: 1000, onProgress: (...call) => calls.push(call) });
    expect(Buffer.compare(await source.read("model.safetensors"), weights)).toBe(0);
    expect(hub.seenElsewhere.map((seen) => seen.range)).toEqual(["bytes=299990-"]);
    expect(calls[0]).toEqual(["model.safetensors", 299_990, 300_000]);
  });

  test("is left alone while it grows", async () => {
    const growing = setInterval(() => appendFileSync(partial(), "x"), 50);
    const reading = open({ silence: 150 }).read("model.safetensors");
    await new Promise((resolve) => setTimeout(resolve, 900));
    expect(hub.seenElsewhere).toEqual([]);
    clearInterval(growing);
    writeFileSync(blob(sha256(weights)), weights);
    await reading;
  });
});

describe("a server that falls silent", () => {
  test.each(["before its answer", "in the middle of it"])("%s has failed, and is asked again", async (when) => {
    let requests = 0;
    hub.interfereElsewhere = (_, response) => {
      requests++;
      if (requests > 1) return false;
      if (when === "in the middle of it") {
        response.writeHead(200, { "content-length": weights.length });
        response.write(weights.subarray(0, 1000));
      }
      return true;
    };
    expect(Buffer.compare(await open({ silence: 200 }).read("model.safetensors"), weights)).toBe(0);
    expect(requests).toBe(2);
  });

  test("for good is an error that says so", async () => {
    hub.interfere = () => true;
    await expect(open({ silence: 50, retries: 1 }).read("config.json")).rejects.toThrow(
      /cannot reach .*: nothing arrived for 0\.05 s/,
    );
  });
});

test("an answer without end is not read to its end", async () => {
  hub.interfere = (_, response) => {
    response.writeHead(200);
    const piece = Buffer.alloc(1 << 20, " ");
    const more = () => void (response.writable && response.write(piece, more));
    more();
    return true;
  };
  await expect(open().read("config.json")).rejects.toThrow(/revision\/main: the answer has more than 64000000 bytes/);
});

describe("bytes that are not those announced", () => {
  const wrong = weights.map((byte, i) => (i === 5 ? byte + 1 : byte));

  test.each(["model.safetensors", "config.json"] as const)("of %s are an error, and not kept", async (file) => {
    const bad = file === "config.json" ? config.map((byte) => byte ^ 1) : wrong;
    const interfere: FakeHub["interfere"] = (request, response) => {
      if (!request.url!.endsWith(file) || (file === "config.json" && request.method === "HEAD")) return false;
      send(request, response, bad);
      return true;
    };
    if (file === "config.json") hub.interfere = interfere;
    else hub.interfereElsewhere = interfere;
    const hashOf = file === "config.json" ? gitSha1 : sha256;
    const reading = open().read(file);
    await expect(reading).rejects.toThrow(FormatError);
    await expect(reading).rejects.toThrow(
      `"${file}" of model "org/name" arrived with hash ${hashOf(bad)}, expected its ETag ${hashOf(files[file])}`,
    );
    expect(readdirSync(blob())).toEqual([]);
    hub.interfere = hub.interfereElsewhere = () => false;
    expect(Buffer.compare(await open().read(file), files[file])).toBe(0);
  });

  test("in what was left before cost one more download", async () => {
    mkdirSync(blob(), { recursive: true });
    const left = blob(`${sha256(weights)}.incomplete`);
    writeFileSync(left, wrong.subarray(0, 1000));
    utimesSync(left, new Date(0), new Date(0));
    expect(Buffer.compare(await open().read("model.safetensors"), weights)).toBe(0);
    expect(hub.seenElsewhere.map((seen) => seen.range)).toEqual(["bytes=1000-", undefined]);
  });
});

describe("a refusal says what to do", () => {
  const refuse = (status: number, code?: string) => {
    hub.interfere = (_, response) => Boolean(response.writeHead(status, code ? { "x-error-code": code } : {}).end());
  };

  test.each([
    [403, "GatedRepo", /model "org\/name" is gated \(status 403\): accept its terms at .*\/org\/name .*set HF_TOKEN/],
    [401, "GatedRepo", /is gated \(status 401\).*HF_TOKEN/],
    [401, undefined, /has no model "org\/name", or it is private or gated \(status 401\): set HF_TOKEN/],
  ])("status %i %s", async (status, code, message) => {
    refuse(status, code);
    await expect(open().read("config.json")).rejects.toThrow(message);
    await expect(open().read("config.json")).rejects.toThrow(StateError);
    await expect(open({ token: "x" }).read("config.json")).rejects.toThrow(
      "the given token (HF_TOKEN) has no access to it",
    );
  });

  test("for a model, a revision or a file that is not there", async () => {
    refuse(404);
    await expect(open().list()).rejects.toThrow(
      new FormatError(`${hub.endpoint} has no model "org/name"; there is no folder "org/name" either.`),
    );
    refuse(404, "RevisionNotFound");
    await expect(open({}, "org/name@v2").has("a")).rejects.toThrow(`${hub.endpoint}/org/name has no revision "v2"`);
    hub.interfere = (request, response) =>
      request.method === "HEAD" && Boolean(response.writeHead(404, { "x-error-code": "EntryNotFound" }).end());
    await expect(open().read("config.json")).rejects.toThrow('model "org/name" has no file "config.json" on');
  });

  test("for a folder's name, mistyped", async () => {
    refuse(404);
    await expect(open({}, "tset/hub").list()).rejects.toThrow('there is no folder "tset/hub" either.');
    await expect(open({}, "test/hbu").list()).rejects.toThrow('Did you mean "test/hub"');
    await expect(open({}, "tset").list()).rejects.toThrow('Did you mean "test"');
  });

  test("when nobody answers", async () => {
    hub.close();
    await expect(open({ retries: 0 }).list()).rejects.toThrow(`cannot reach ${hub.endpoint}/api/models/org/name`);
  });

  test("when the endpoint is something else", async () => {
    hub.interfere = (_, response) => Boolean(response.end("<html>"));
    await expect(open().list()).rejects.toThrow(
      'expected JSON with "sha" and "siblings"; is the endpoint a Hugging Face hub?',
    );
  });
});

describe("without the hub", () => {
  /** A cache as Python's huggingface_hub leaves it. */
  function pythonCache(): void {
    for (const folder of ["blobs", "refs", `snapshots/${commit}`, `.no_exist/${commit}`])
      mkdirSync(path(folder), { recursive: true });
    writeFileSync(blob(sha256(weights)), weights);
    writeFileSync(path("refs/main"), commit);
    writeFileSync(path(".no_exist", commit, "adapter_config.json"), "");
    symlinkSync(`../../blobs/${sha256(weights)}`, path("snapshots", commit, "model.safetensors"));
  }

  test("a cache that Python made is read", async () => {
    pythonCache();
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    for (const name of ["org/name", `org/name@${commit}`]) {
      const source = open({}, name);
      expect(await source.list()).toEqual(["model.safetensors"]);
      expect([await source.has("model.safetensors"), await source.has("config.json")]).toEqual([true, false]);
      expect(Buffer.compare(await source.read("model.safetensors"), weights)).toBe(0);
    }
    expect(hub.seen).toEqual([]);
  });

  test("a missing file is an error that names it and the setting", async () => {
    pythonCache();
    await expect(open({ offline: true }).read("config.json")).rejects.toThrow(
      `model "org/name": "config.json" is not in the cache "${cacheDir}", and HF_HUB_OFFLINE=1`,
    );
    await expect(open({ offline: true }, "other").has("config.json")).rejects.toThrow(
      /"config.json" is not in the cache .*there is no folder "other" either/,
    );
    expect(hub.seen).toEqual([]);
  });

  test("the cache does when the hub cannot be asked, and a missing file says why", async () => {
    pythonCache();
    hub.close();
    const source = open({ retries: 0 });
    expect(Buffer.compare(await source.read("model.safetensors"), weights)).toBe(0);
    await expect(source.read("config.json")).rejects.toThrow(
      /"config.json" is not in the cache .*cannot be reached \(cannot reach/,
    );
  });

  test("cache, endpoint and token come from the environment", async () => {
    const home = join(cacheDir, "home");
    mkdirSync(home);
    writeFileSync(join(home, "token"), "hf_from_file\n");
    vi.stubEnv("HF_HOME", home);
    vi.stubEnv("HF_ENDPOINT", `${hub.endpoint}/`);
    for (const name of ["HF_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE"]) vi.stubEnv(name, "");
    expect(await openSource("org/name").read("config.json")).toEqual(config);
    expect(readdirSync(join(home, "hub"))).toEqual(["models--org--name"]);
    vi.stubEnv("HF_TOKEN", "hf_from_env");
    vi.stubEnv("HF_HUB_CACHE", join(home, "elsewhere"));
    expect(await openSource("org/name@main").size("config.json")).toBe(config.length);
    expect(readdirSync(join(home, "elsewhere"))).toEqual(["models--org--name"]);
    expect([hub.seen[0], hub.seen.at(-1)].map((seen) => seen!.authorization)).toEqual([
      "Bearer hf_from_file",
      "Bearer hf_from_env",
    ]);
  });
});

describe("what a text names", () => {
  test("is a model only if it could be one and no folder is there", () => {
    const nameIn = (text: string) => openSource(text).name;
    expect(["gpt2", "org/na.me-1_x", "org/name@v1"].map(nameIn)).toEqual([
      'model "gpt2"',
      'model "org/na.me-1_x"',
      'model "org/name@v1"',
    ]);
    const folders = [
      "test",
      "test/hub",
      "./gpt2",
      "../gpt2",
      "/gpt2",
      "a/b/c",
      "a b",
      "org/.hidden",
      "org/na--me",
      "C:\\x",
      ".",
    ];
    expect(folders.map(nameIn)).toEqual(folders.map((folder) => `folder "${folder}"`));
  });

  test("goes into an adapter's config without its revision", () => {
    expect(["org/name@v1", "org/name", "./x@1", "test/hub"].map(nameOf)).toEqual([
      "org/name",
      "org/name",
      "./x@1",
      "test/hub",
    ]);
    expect(() => openHub("a/b/c")).toThrow(
      new FormatError(
        '"a/b/c" is not a valid model name: expected "name" or "org/name", optionally followed by "@revision"',
      ),
    );
  });
});
