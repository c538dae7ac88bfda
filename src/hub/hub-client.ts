/**
 * The part of the Hugging Face hub's HTTP interface that reading a model takes (for a data set, "datasets" replaces
 * "models", and before the name):
 *
 *   GET  {endpoint}/api/models/{repo}/revision/{revision}   JSON: commit and names of files
 *   HEAD {endpoint}/{repo}/resolve/{commit}/{file}          ETag and size, X-Linked-… for files in large-file storage
 *   GET  the same                                           the bytes, usually after a redirect to another host
 *
 * The token is sent only to the endpoint, wherever a redirect leads.
 */

import { expectHubName, labelOf } from "../checkpoint/hub-name.ts";
import { FormatError, StateError } from "../core/errors.ts";
import type { HubOptions, RepoType } from "../core/host.ts";
import { SILENCE, silent, wholeBody, within } from "../core/io/http-body.ts";
import { shownUrl, withoutSecrets } from "../core/io/shown-url.ts";
import { Patience, retryAfter } from "./patience.ts";

const ENDPOINT = "https://huggingface.co";
const MAX_REDIRECTS = 10;
/** A list of a hundred thousand files takes about 10 MB. */
const MAX_LIST_BYTES = 64e6;

/** The commit that a branch, tag or commit refers to. */
export interface Snapshot {
  /** 40 hex digits. */
  readonly commit: string;
  /** Every file, with "/" between folders. */
  readonly files: readonly string[];
}

/** What is known about a file before it is downloaded. */
export interface RemoteFile {
  /** SHA-256 of a file in large-file storage (64 hex digits), otherwise its SHA-1 as git computes it (40). */
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
}

/** The files that a source lists: of a model those at the top, of a data set all. */
export function topFiles(files: readonly string[], { repoType }: HubOptions, nested = false): string[] {
  return files.filter((file) => nested || repoType === "dataset" || !file.includes("/")).sort();
}

interface Request {
  readonly method?: "GET" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
  /** False stops at the redirect to another host, to read the redirect's own headers. */
  readonly leave?: boolean;
  /** Reads the body, of at most so many bytes, before returning, so that an interrupted connection is also retried. */
  readonly whole?: number;
  readonly patience?: Patience;
}

/** One model or data set at one revision. */
export class HubClient {
  readonly repo: string;
  readonly type: RepoType;
  readonly revision: string;
  readonly endpoint: string;
  /** The name of the model in messages. */
  readonly name: string;
  readonly #options: HubOptions;

  /** Throws FormatError for an invalid model name. */
  constructor(name: string, options: HubOptions) {
    const { repo, revision } = expectHubName(name, options.revision);
    this.repo = repo;
    this.revision = revision;
    this.type = options.repoType ?? "model";
    this.name = labelOf(repo, revision, this.type);
    this.endpoint = (options.endpoint ?? ENDPOINT).replace(/\/+$/, "");
    this.#options = options;
  }

  /** Milliseconds without a byte after which a request has failed. */
  get silence(): number {
    return this.#options.silence ?? SILENCE;
  }

  /** A new count of failures for one task. */
  patience(): Patience {
    return new Patience(this.#options);
  }

  /** Requests the commit of the revision and its list of files. */
  async snapshot(): Promise<Snapshot> {
    const url = `${this.endpoint}/api/${this.type}s/${this.repo}/revision/${encodeURIComponent(this.revision)}`;
    const response = await this.#request(url, { whole: MAX_LIST_BYTES });
    if (!response.ok) throw await this.#refused(response, null);
    const json = (await response.json().catch(() => null)) as { sha?: unknown; siblings?: unknown } | null;
    const { sha, siblings } = json ?? {};
    if (typeof sha === "string" && /^[0-9a-f]{40}$/.test(sha) && Array.isArray(siblings)) {
      const files = siblings.map((file: { rfilename?: unknown } | null) => file?.rfilename);
      return { commit: sha, files: files.filter((file) => typeof file === "string") };
    }
    throw new StateError(
      `${shownUrl(url)}: expected JSON with "sha" and "siblings"; is the endpoint a Hugging Face hub?`,
    );
  }

  /** Requests the size and hash of a file. Throws FormatError if it is missing. */
  async describe(commit: string, file: string): Promise<RemoteFile> {
    const url = this.urlOf(commit, file);
    const response = await this.#request(url, { method: "HEAD", leave: false });
    if (response.status >= 400) throw await this.#refused(response, file);
    const header = (name: string) => response.headers.get(`x-linked-${name}`);
    const etag = (header("etag") ?? response.headers.get("etag") ?? "").replace(/^W\/|"/g, "");
    const size = header("size") ?? response.headers.get("content-length") ?? "";
    if (/^[\w-]+$/.test(etag) && /^\d+$/.test(size)) return { etag, size: Number(size) };
    throw new StateError(
      `${shownUrl(url)}: expected headers ETag and Content-Length; is the endpoint a Hugging Face hub?`,
    );
  }

  /** Requests a file from byte `start` on. The response has status 200 (the whole file), 206 or 416. */
  async fetchFrom(commit: string, file: string, start: number, patience: Patience): Promise<Response> {
    const headers: Record<string, string> = start > 0 ? { range: `bytes=${start}-` } : {};
    const response = await this.#request(this.urlOf(commit, file), { headers, patience });
    if (response.ok || response.status === 416) return response;
    throw await this.#refused(response, file);
  }

  /** A custom request below the endpoint, with its body read. */
  fetchWhole(url: string, headers: Readonly<Record<string, string>>): Promise<Response> {
    return this.#request(url, { headers, whole: Number.POSITIVE_INFINITY });
  }

  /** What a person can look at. Models are at the top. */
  get page(): string {
    return `${this.endpoint}/${this.type === "model" ? "" : `${this.type}s/`}${this.repo}`;
  }

  /** The URL of a file. */
  urlOf(commit: string, file: string): string {
    return `${this.page}/resolve/${commit}/${file.split("/").map(encodeURIComponent).join("/")}`;
  }

  /** Sends a request until the response is final. */
  async #request(url: string, request: Request = {}): Promise<Response> {
    const { patience = this.patience() } = request;
    for (;;) {
      let response: Response;
      try {
        response = await this.#follow(url, request);
        if (request.whole !== undefined && response.ok) {
          response = new Response(await wholeBody(response, this.silence, request.whole), response);
        }
      } catch (cause) {
        if (cause instanceof FormatError) throw new FormatError(`${shownUrl(url)}: ${cause.message}`);
        const error = unreachable(url, cause);
        if (nameUnknown(cause)) throw error;
        await patience.after(error);
        continue;
      }
      if (!isPassing(response.status)) return response;
      await response.body?.cancel();
      await patience.after(new StateError(statusOf(response, url)), retryAfter(response.headers, Date.now()));
    }
  }

  /** Redirects are followed manually: how fetch handles the token differs between hosts. */
  async #follow(url: string, { method = "GET", headers = {}, leave = true }: Request): Promise<Response> {
    const { token } = this.#options;
    const own = new URL(this.endpoint).origin;
    let at = new URL(url);
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const secret: Record<string, string> = token && at.origin === own ? { authorization: `Bearer ${token}` } : {};
      const sent = { "accept-encoding": "identity", ...headers, ...secret };
      const init = { method, headers: sent };
      const response = await this.#fetch(at, { ...init, redirect: "manual" });
      if (response.type === "opaqueredirect") return this.#fetch(at, init); // browsers hide redirects and drop the token
      const to = response.status >= 300 && response.status < 400 ? response.headers.get("location") : null;
      if (to === null) return response;
      const next = new URL(to, at);
      if (!leave && next.origin !== own) return response;
      await response.body?.cancel();
      at = next;
    }
    throw new StateError(`${shownUrl(url)}: more than ${MAX_REDIRECTS} redirects`);
  }

  /** Waits for the headers of a response, but not forever. */
  #fetch(url: URL, init: RequestInit): Promise<Response> {
    const stop = new AbortController();
    const { signal: own } = this.#options;
    const signal = own === undefined ? stop.signal : AbortSignal.any([own, stop.signal]);
    return within(this.silence, fetch(url, { ...init, signal }), () => stop.abort(silent(this.silence)));
  }

  /**
   * The error for a response that is not a file. The hub gives the reason in a header, and 401 for a model that does
   * not exist.
   */
  async #refused(response: Response, file: string | null): Promise<Error> {
    await response.body?.cancel();
    return refusal(this, response, file, Boolean(this.#options.token));
  }
}

function refusal(
  { name, page, revision, endpoint }: HubClient,
  { status, headers, url, statusText }: Response,
  file: string | null,
  hasToken: boolean,
): Error {
  const code = headers.get("x-error-code");
  const token = hasToken
    ? "the given token (HF_TOKEN) has no access to it"
    : "set HF_TOKEN to a token with access to it";
  if (code === "GatedRepo" || status === 403) {
    return new StateError(
      `${name} is gated (status ${status}): accept its terms at ${page} with your account; ${token}`,
    );
  }
  if (status === 401) {
    return new StateError(`${endpoint} has no ${name}, or it is private or gated (status 401): ${token}`);
  }
  if (status !== 404) return new StateError(statusOf({ status, statusText }, url));
  if (code === "RevisionNotFound") return new FormatError(`${page} has no revision "${revision}"`);
  return new FormatError(file === null ? `${endpoint} has no ${name}` : `${name} has no file "${file}" on ${endpoint}`);
}

function statusOf({ status, statusText }: { status: number; statusText: string }, url: string): string {
  return `${shownUrl(url)}: status ${status} ${statusText}`.trimEnd();
}

function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** The error for a request without a status: no route, dropped connection. */
export function unreachable(url: string, cause: unknown): StateError {
  if (cause instanceof StateError) return cause;
  const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const why = withoutSecrets(String(reason instanceof Error ? reason.message : reason));
  return new StateError(`cannot reach ${shownUrl(url)}: ${why}`, { cause });
}

/** The host does not exist or cannot be resolved: usually there is no network, and waiting would not help. */
function nameUnknown(cause: unknown): boolean {
  const reason = cause instanceof Error ? cause.cause : null;
  return reason instanceof Error && "code" in reason && ["ENOTFOUND", "EAI_AGAIN"].includes(String(reason.code));
}
