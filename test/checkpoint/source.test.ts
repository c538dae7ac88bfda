import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { nameOf } from "../../src/checkpoint/open.ts";
import { mapSource, memoryTarget, urlSource } from "../../src/checkpoint/source.ts";
import { FormatError, StateError } from "../../src/core/errors.ts";

const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);

describe("files in memory", () => {
  const forms = {
    array: bytes,
    offset: new Uint8Array([9, ...bytes, 9]).subarray(1, 101),
    buffer: bytes.slice().buffer,
    blob: new Blob([bytes]),
    node: Buffer.from(bytes),
  };

  test.each(Object.entries(forms))("an %s is read in whole and in part", async (_, file) => {
    for (const source of [mapSource({ f: file }), mapSource(new Map([["f", file]]))]) {
      expect([await source.has("f"), await source.size("f"), await source.list()]).toEqual([true, 100, ["f"]]);
      expect([...(await source.read("f"))]).toEqual([...bytes]);
      expect([...(await source.read("f", 98))]).toEqual([98, 99]);
      expect([...(await source.read("f", 5, 8))]).toEqual([5, 6, 7]);
      expect([...(await source.read("f", 100, 100))]).toEqual([]);
    }
  });

  test("what is not there is named", async () => {
    const source = mapSource({ f: bytes }, "memory");
    expect(await source.has("toString")).toBe(false);
    await expect(source.read("g")).rejects.toThrow(new FormatError('memory has no file "g"'));
    await expect(source.size("g")).rejects.toThrow(FormatError);
    await expect(source.read("f", 90, 101)).rejects.toThrow(
      '"f" in memory has 100 bytes, but bytes 90 to 101 were requested',
    );
    await expect(source.read("f", -1, 5)).rejects.toThrow(FormatError);
    await expect(source.read("f", 6, 5)).rejects.toThrow(FormatError);
  });
});

describe("memory target", () => {
  test("joins pieces, even when each is a view of the same memory", async () => {
    const target = memoryTarget();
    const pieces = function* () {
      const scratch = new Uint8Array(2);
      for (const n of [1, 3, 5]) {
        scratch.set([n, n + 1]);
        yield scratch;
      }
    };
    await target.write("f", pieces());
    expect(target.files.get("f")).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6));
  });

  test("a write that fails leaves the file as it was", async () => {
    const target = memoryTarget();
    await target.write("f", [bytes]);
    const failing = (function* () {
      yield bytes;
      throw new Error("broken");
    })();
    await expect(target.write("f", failing)).rejects.toThrow("broken");
    expect(target.files.get("f")).toEqual(bytes);
  });
});

let server: Server | null = null;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = null;
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Starts a server and returns its address. */
async function serve(handler: Handler): Promise<string> {
  const started = createServer(handler);
  server = started;
  await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}`;
}

/** Sends `bytes` in parts as RFC 9110 says. */
const ranged: Handler = (request, response) => {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "")!.map(Number) as [
    number,
    number,
    number,
  ];
  if (first >= bytes.length) return void response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
  const part = bytes.subarray(first, last + 1);
  response.writeHead(206, { "content-range": `bytes ${first}-${first + part.length - 1}/${bytes.length}` }).end(part);
};

describe("files at a URL", () => {
  test("are read by ranges, below the base with or without a slash, keeping its query, with the given headers", async () => {
    const seen: string[] = [];
    const base = await serve((request, response) => {
      seen.push(`${request.url} ${request.headers.range} ${request.headers.authorization}`);
      ranged(request, response);
    });
    for (const path of ["/m", "/m/"]) {
      const source = urlSource(`${base}${path}?key=1`, { headers: { authorization: "Bearer x" } });
      expect([await source.has("a b.bin"), await source.size("a b.bin")]).toEqual([true, 100]);
      expect([...(await source.read("a b.bin", 5, 8))]).toEqual([5, 6, 7]);
      expect([...(await source.read("a b.bin"))]).toEqual([...bytes]);
      expect(await source.list()).toBeNull();
    }
    const each = ["bytes=0-0", "bytes=5-7", "bytes=0-99"].map((range) => `/m/a%20b.bin?key=1 ${range} Bearer x`);
    expect(seen).toEqual([...each, ...each]);
  });

  test("are read from a server that always sends the whole file, which is asked for once", async () => {
    let requests = 0;
    const base = await serve((_, response) => {
      requests++;
      response.writeHead(200).end(bytes);
    });
    const source = urlSource(base);
    expect(await source.size("f")).toBe(100);
    expect([...(await source.read("f", 5, 8))]).toEqual([5, 6, 7]);
    expect([...(await source.read("f", 98))]).toEqual([98, 99]);
    expect(requests).toBe(1);
  });

  test("may be empty", async () => {
    const base = await serve((_, response) => void response.writeHead(416, { "content-range": "bytes */0" }).end());
    const source = urlSource(base);
    expect([await source.has("f"), await source.size("f"), (await source.read("f")).length]).toEqual([true, 0, 0]);
  });

  test("that are missing are told apart from those that cannot be had", async () => {
    const base = await serve((request, response) => void response.writeHead(Number(request.url!.slice(1))).end("no"));
    const source = urlSource(base);
    expect([await source.has("404"), await source.has("410")]).toEqual([false, false]);
    await expect(source.read("404")).rejects.toThrow(new FormatError(`URL "${base}/" has no file "404"`));
    await expect(source.has("403")).rejects.toThrow(
      new StateError(`${base}/403: status 403 Forbidden; does it need an authorization header?`),
    );
    await expect(source.has("500")).rejects.toThrow(new StateError(`${base}/500: status 500 Internal Server Error`));
  });

  test("can be asked for again after a failure", async () => {
    let requests = 0;
    const base = await serve((request, response) =>
      requests++ === 0 ? void response.writeHead(503).end() : ranged(request, response),
    );
    const source = urlSource(base);
    await expect(source.size("f")).rejects.toThrow("status 503");
    expect(await source.size("f")).toBe(100);
  });

  test("that shrink or break off meanwhile are an error, not fewer bytes", async () => {
    const base = await serve((request, response) => {
      if (request.headers.range === "bytes=0-0") return ranged(request, response);
      if (request.headers.range === "bytes=1-9")
        return void response
          .writeHead(206, { "content-length": 9 })
          .write(bytes.subarray(0, 2), () => response.destroy());
      response.writeHead(206, { "content-range": "bytes 0-4/5" }).end(bytes.subarray(0, 5));
    });
    const source = urlSource(base);
    await expect(source.read("f", 0, 10)).rejects.toThrow(`${base}/f: got 5 bytes for the range 0 to 10`);
    await expect(source.read("f", 1, 10)).rejects.toThrow(StateError);
    await expect(source.read("f", 1, 10)).rejects.toThrow(`cannot read ${base}/f`);
  });

  test("without a size are an error naming the header", async () => {
    const base = await serve((_, response) => void response.writeHead(206).end("x"));
    await expect(urlSource(base).size("f")).rejects.toThrow(`${base}/f: status 206 came with content-range null`);
  });

  test("a password goes into a header, and neither it nor a signature into messages and adapters", async () => {
    const base = await serve((_, response) => void response.writeHead(403).end("no"));
    const secret = new URL(`${base}/m?sig=secret`);
    secret.username = "me";
    secret.password = "p%40ss";
    const seen: (string | null)[] = [];
    const get: typeof fetch = async (url, init) => {
      seen.push(new Headers(init?.headers).get("authorization"));
      return fetch(url, init);
    };
    const error = await urlSource("http://me:secret@127.0.0.1:1/")
      .size("f")
      .catch((cause) => cause);
    const refused = await urlSource(secret, { fetch: get })
      .size("f")
      .catch((cause) => cause);
    expect(`${error} ${refused} ${urlSource(secret).name} ${nameOf(secret)} ${nameOf(secret.href)}`).not.toMatch(
      /secret|p@ss|p%40ss|me:/,
    );
    expect(seen[0]).toBe(`Basic ${btoa("me:p@ss")}`);
  });

  test("on a server that falls silent are an error", async () => {
    const base = await serve((request, response) => {
      if (request.url === "/begun") response.writeHead(200, { "content-length": 10 }).write("x");
    });
    for (const file of ["never", "begun"]) {
      await expect(urlSource(base, { silence: 60 }).size(file)).rejects.toThrow(
        new StateError(`cannot read ${base}/${file}: nothing arrived for 0.06 s`),
      );
    }
  });

  test("at an address nobody answers are an error naming the URL", async () => {
    const base = await serve(ranged);
    server!.close();
    await expect(urlSource(base).has("f")).rejects.toThrow(`cannot read ${base}/f`);
  });

  test("stop coming when the signal says so", async () => {
    const stop = new AbortController();
    const base = await serve((request, response) => {
      if (request.headers.range === "bytes=0-0") return ranged(request, response);
      stop.abort(new Error("enough"));
    });
    const source = urlSource(base, { signal: stop.signal });
    await expect(source.read("f")).rejects.toThrow("enough");
    await expect(source.read("f")).rejects.toThrow("enough");
  });

  test("stay below the base", async () => {
    const source = urlSource("http://127.0.0.1:1/m");
    for (const name of ["../x", "/x", "a/../../x", "", "a//b", "C:\\x", "a\\..\\b"]) {
      await expect(source.has(name)).rejects.toThrow(
        `file name ${JSON.stringify(name)} must be relative and stay inside it`,
      );
    }
  });
});
