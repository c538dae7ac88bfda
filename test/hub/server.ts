/** A hub of one model on this machine, as far as reading needs it, that can be told to misbehave. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const commit = "0123456789abcdef0123456789abcdef01234567";

/** The hash that the hub gives a file in large-file storage. */
export const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
/** The hash that git gives a file. */
export const gitSha1 = (bytes: Uint8Array) =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/** May answer a request in place of the hub: true when it did. */
type Interference = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface FakeHub {
  readonly endpoint: string;
  /** Every request to the hub, then those to the other host that holds large files. */
  readonly seen: Seen[];
  readonly seenElsewhere: Seen[];
  /** Bytes of bodies that were sent whole or in part. */
  interfere: Interference;
  interfereElsewhere: Interference;
  close(): void;
}

/** Serves files of model "org/name", or of a data set "datasets/org/name"; names in `large` are redirected to another host (another port). */
export async function fakeHub(
  files: Readonly<Record<string, Uint8Array>>,
  { large = [], repo = "org/name" }: { large?: readonly string[]; repo?: string } = {},
): Promise<FakeHub> {
  const elsewhere = await listen((request, response) => {
    hub.seenElsewhere.push(seenOf(request));
    if (!hub.interfereElsewhere(request, response)) send(request, response, files[request.url!.slice(1)]!);
  });
  const api = repo.startsWith("datasets/") ? `/api/${repo}` : `/api/models/${repo}`;
  const near = await listen((request, response) => {
    hub.seen.push(seenOf(request));
    if (hub.interfere(request, response)) return;
    if (request.url === `${api}/revision/main` || request.url === `${api}/revision/${commit}`) {
      const siblings = Object.keys(files).map((rfilename) => ({ rfilename }));
      return void response.end(JSON.stringify({ sha: commit, siblings }));
    }
    const file = request.url!.startsWith(`/${repo}/resolve/${commit}/`) ? request.url!.split(`${commit}/`)[1]! : "";
    const bytes = files[file];
    if (bytes === undefined) return void response.writeHead(404).end();
    response.setHeader("x-repo-commit", commit);
    if (!large.includes(file)) {
      response.setHeader("etag", `"${gitSha1(bytes)}"`);
      return send(request, response, bytes);
    }
    const linked = { "x-linked-etag": `"${sha256(bytes)}"`, "x-linked-size": bytes.length, etag: '"of the redirect"' };
    response.writeHead(302, { ...linked, location: `${elsewhere.address}/${file}` }).end();
  });
  const hub: FakeHub = {
    endpoint: near.address,
    seen: [],
    seenElsewhere: [],
    interfere: () => false,
    interfereElsewhere: () => false,
    close() {
      for (const { server } of [near, elsewhere]) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
  return hub;
}

/** Sends a file, or the range of it that was asked for. */
export function send(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array): void {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  const start = Number(first ?? 0);
  if (first === undefined || start >= bytes.length) {
    response.writeHead(first === undefined ? 200 : 416, { "content-length": bytes.length });
    return void response.end(request.method === "HEAD" ? undefined : bytes);
  }
  const part = bytes.subarray(start, last ? Number(last) + 1 : bytes.length);
  const range = `bytes ${start}-${start + part.length - 1}/${bytes.length}`;
  response.writeHead(206, { "content-range": range, "content-length": part.length }).end(part);
}

/** Sends the first `count` bytes of a file as if all were to come, and cuts the connection. */
export function cutAfter(response: ServerResponse, bytes: Uint8Array, count: number): void {
  response.writeHead(200, { "content-length": bytes.length });
  response.write(bytes.subarray(0, count), () => setTimeout(() => response.destroy(), 20));
}

function seenOf({ method, url, headers }: IncomingMessage): Seen {
  return { method: method!, url: url!, range: headers.range, authorization: headers.authorization };
}

async function listen(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ server: Server; address: string }> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
