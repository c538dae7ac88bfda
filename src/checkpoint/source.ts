/** Sources and targets other than folders (which belong to the hosts): bytes in memory, and URLs. */
import { StateError } from "../core/errors.ts";
import { expectInside, expectRange, missingFile, type Source, type Target } from "../core/host.ts";
import { SILENCE, silent, wholeBody, within } from "../core/io/http-body.ts";
import { shownUrl, withoutSecrets } from "../core/io/shown-url.ts";

export type { Source, Target } from "../core/host.ts";

/** Contents of one file. */
export type FileBytes = Uint8Array | ArrayBuffer | Blob;

/**
 * Files held in memory, or selected by a user (a `File` is a `Blob`, and only the requested parts are read).
 *
 * @example
 * const source = mapSource({ "config.json": bytes, "model.safetensors": new Blob([]) });
 */
export function mapSource(
  files: ReadonlyMap<string, FileBytes> | Readonly<Record<string, FileBytes>>,
  name = "the given files",
): Source {
  const held = new Map<string, Blob | Uint8Array>();
  for (const [file, bytes] of files instanceof Map ? files : Object.entries(files)) {
    // Node's Buffer is a Uint8Array whose slice() shares its memory.
    if (bytes instanceof Uint8Array) held.set(file, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
    else held.set(file, bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes);
  }
  const open = (file: string) => {
    const bytes = held.get(file);
    if (bytes === undefined) throw missingFile(name, file);
    return { bytes, size: bytes instanceof Uint8Array ? bytes.length : bytes.size };
  };
  return {
    name,
    has: async (file) => held.has(file),
    size: async (file) => open(file).size,
    async read(file, from = 0, to = undefined) {
      const { bytes, size } = open(file);
      const [start, end] = expectRange(name, file, from, to ?? size, size);
      if (bytes instanceof Uint8Array) return bytes.subarray(start, end);
      return new Uint8Array(await bytes.slice(start, end).arrayBuffer());
    },
    list: async () => [...held.keys()].sort(),
    close: async () => {},
  };
}

/** Files written to memory; `files` holds what was written, and `mapSource` can read it. */
export interface MemoryTarget extends Target {
  readonly files: Map<string, Uint8Array>;
}

/** A target that stores files in a map. */
export function memoryTarget(name = "memory", files: Map<string, Uint8Array> = new Map()): MemoryTarget {
  return {
    name,
    files,
    async write(file, chunks) {
      const pieces: Uint8Array[] = [];
      for await (const chunk of chunks) pieces.push(chunk.slice());
      const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
      let at = 0;
      for (const piece of pieces) {
        whole.set(piece, at);
        at += piece.length;
      }
      files.set(file, whole);
    },
  };
}

/** How to request a URL. */
export interface UrlOptions {
  /** Sent with each request, such as `{ authorization: "Bearer ..." }`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Aborts current and later requests; reads then reject with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Milliseconds without a byte after which a request has failed; 30,000 by default. */
  readonly silence?: number;
  /** Replaces the platform's `fetch`. */
  readonly fetch?: typeof fetch;
}

/** What is known about a file after the first request for it: null if it does not exist. */
interface Remote {
  readonly size: number;
  /** The whole file, from a server that does not support ranges. */
  readonly whole: Blob | null;
}

/**
 * Files below an http(s) URL, read by Range requests. If a server answers such a request with the whole file, the file
 * is kept in a Blob and sliced. Redirects are followed. Throws StateError with the URL and status if a request fails,
 * FormatError if a file is missing (status 404 or 410).
 *
 * @example
 * const source = urlSource("https://example.org/models/pocket");
 */
export function urlSource(base: string | URL, options: UrlOptions = {}): Source {
  const { headers = {}, signal, silence = SILENCE, fetch: get = globalThis.fetch } = options;
  const root = new URL(base);
  if (!root.pathname.endsWith("/")) root.pathname += "/";
  const name = `URL "${shownUrl(root)}"`;
  const login = loginOf(root);
  const known = new Map<string, Promise<Remote | null>>();

  /**
   * Runs one network request. The error for a failure without a status (no route, dropped connection) names the URL.
   */
  async function attempt<T>(url: string, exchange: () => Promise<T>): Promise<T> {
    try {
      return await exchange();
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof StateError) throw cause;
      const why = withoutSecrets(cause instanceof Error ? cause.message : String(cause));
      throw new StateError(`cannot read ${shownUrl(url)}: ${why}`, { cause });
    }
  }

  function request(url: string, start: number, end: number): Promise<Response> {
    const range = { range: `bytes=${start}-${end - 1}` };
    const stop = new AbortController();
    const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    const init = { headers: { ...login, ...headers, ...range }, signal: either };
    return within(silence, get(url, init), () => stop.abort(silent(silence)));
  }

  function probe(file: string): Promise<Remote | null> {
    const url = urlOf(root, expectInside(name, file));
    return attempt(url, async () => {
      const response = await request(url, 0, 1);
      if (response.status === 200) {
        const whole = new Blob([await wholeBody(response, silence)]);
        return { size: whole.size, whole };
      }
      await response.body?.cancel();
      if (response.status === 404 || response.status === 410) return null;
      if (response.status !== 206 && response.status !== 416) throw failed(response, url);
      return { size: sizeFrom(response, url), whole: null };
    });
  }

  function look(file: string): Promise<Remote | null> {
    const looked = known.get(file) ?? probe(file);
    known.set(file, looked);
    looked.catch(() => known.delete(file)); // a failed request may be retried
    return looked;
  }

  async function open(file: string): Promise<Remote> {
    const remote = await look(file);
    if (remote === null) throw missingFile(name, file);
    return remote;
  }

  function readPart(file: string, start: number, end: number): Promise<Uint8Array> {
    const url = urlOf(root, file);
    return attempt(url, async () => {
      const response = await request(url, start, end);
      if (response.status !== 206) {
        await response.body?.cancel();
        throw failed(response, url);
      }
      const bytes = await wholeBody(response, silence);
      if (bytes.length === end - start) return bytes;
      throw new StateError(`${shownUrl(url)}: got ${bytes.length} bytes for the range ${start} to ${end}; try again`);
    });
  }

  return {
    name,
    has: async (file) => (await look(file)) !== null,
    size: async (file) => (await open(file)).size,
    async read(file, from = 0, to = undefined) {
      const remote = await open(file);
      const [start, end] = expectRange(name, file, from, to ?? remote.size, remote.size);
      if (start === end) return new Uint8Array();
      if (remote.whole === null) return readPart(file, start, end);
      return new Uint8Array(await remote.whole.slice(start, end).arrayBuffer());
    },
    list: async () => null,
    close: async () => known.clear(),
  };
}

/** The header for a user name and password in a URL, which are removed from it because `fetch` refuses them there. */
function loginOf(root: URL): Readonly<Record<string, string>> {
  const { username, password } = root;
  if (username === "" && password === "") return {};
  root.username = "";
  root.password = "";
  const login = new TextEncoder().encode(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  return { authorization: `Basic ${btoa(String.fromCharCode(...login))}` };
}

/** The base's query (a signed token, say) is kept. */
function urlOf(root: URL, file: string): string {
  const url = new URL(root);
  url.pathname += file.split("/").map(encodeURIComponent).join("/");
  return url.href;
}

/** Content-Range is `bytes 0-0/SIZE`, or `bytes *\/0` for an empty file. */
function sizeFrom(response: Response, url: string): number {
  const range = response.headers.get("content-range");
  const size = /\/(\d+)$/.exec(range ?? "")?.[1];
  if (size !== undefined) return Number(size);
  throw new StateError(
    `${shownUrl(url)}: status ${response.status} came with content-range ${JSON.stringify(range)}, expected "bytes 0-0/SIZE"`,
  );
}

function failed(response: Response, url: string): StateError {
  const hint = response.status === 401 || response.status === 403 ? "; does it need an authorization header?" : "";
  return new StateError(`${shownUrl(url)}: status ${response.status} ${response.statusText}`.trimEnd() + hint);
}
