/**
 * Downloads one file of the hub into the cache. Until it is complete and verified, its name is
 *
 *   <etag>.incomplete.<host>-<pid>-<random>    being written by that process
 *
 * A process that finds such a file of a dead process takes it over by renaming it, which only one process can do, and
 * requests the missing bytes. A process that finds it in use waits, and reports what the other one has. Whoever writes a file
 * changes its time at least every 15 seconds. After a minute without a change (with the default `silence`), as seen by the
 * process that waits, it is taken over whoever it belongs to: a process number may be in use again, a clock may be wrong, and the
 * `<etag>.incomplete` of Python's huggingface_hub names no owner.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { FormatError, StateError } from "../core/errors.ts";
import { pieces } from "../core/io/http-body.ts";
import { type HubClient, type RemoteFile, unreachable } from "../hub/hub-client.ts";
import { pause } from "../hub/patience.ts";
import { alive, flushFolder, makeFolder, orAbsent } from "./disk.ts";

/** A partial file that has not changed for so many times the longest silence of a server is considered abandoned. */
const LEFT_BEHIND = 2;
/** Whoever writes one shows that it is alive after this part of the longest silence, if no bytes arrive. */
const HEARTBEAT = 0.5;
/** Milliseconds between checks of a file that another process writes. */
const POLL = 200;

/** One file of a commit, and where to put it. */
export interface Download {
  readonly client: HubClient;
  readonly commit: string;
  readonly file: string;
  readonly remote: RemoteFile;
  readonly path: string;
  readonly onProgress?: (file: string, loaded: number, total: number) => unknown;
  readonly signal?: AbortSignal;
}

/** Partial files that this process is writing to. */
const inUse = new Set<string>();

/** Makes `path` hold the complete, verified file. Throws FormatError if the received bytes have another hash. */
export async function fetchBlob(download: Download): Promise<void> {
  const { client, path, file, remote, signal, onProgress } = download;
  await makeFolder(dirname(path));
  const watch = new Watch(LEFT_BEHIND * client.silence);
  for (;;) {
    if (await isThere(path, remote)) return;
    const partial = `${path}.incomplete.${hostname()}-${process.pid}-${crypto.randomUUID().slice(0, 8)}`;
    inUse.add(partial);
    const beat = setInterval(() => void touch(partial), HEARTBEAT * client.silence);
    try {
      if (await claimed(path, partial, watch)) {
        if (!(await isThere(path, remote))) return await complete(download, partial);
        await rm(partial); // it was completed after the first check
        return;
      }
    } finally {
      clearInterval(beat);
      inUse.delete(partial);
    }
    await onProgress?.(file, watch.bytes, remote.size);
    await pause(POLL, signal);
  }
}

/** Shows other processes that the file's owner is alive. */
async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => {}); // it does not exist yet, or no more
}

/** How long partial files have not changed while this process has been watching. */
class Watch {
  /** The size of the largest file in use. */
  bytes = 0;
  readonly #patience: number;
  readonly #seen = new Map<string, { size: number; mtimeMs: number; since: number }>();

  /** `patience` is the milliseconds after which a file that has not changed is abandoned. */
  constructor(patience: number) {
    this.#patience = patience;
  }

  /** Whether a file has not changed for too long. Its own time counts only if it is in the past. */
  isAbandoned(name: string, { size, mtimeMs }: { size: number; mtimeMs: number }): boolean {
    const now = Date.now();
    const before = this.#seen.get(name);
    const isSame = before?.size === size && before.mtimeMs === mtimeMs;
    const since = isSame ? before.since : now;
    this.#seen.set(name, { size, mtimeMs, since });
    return Math.max(now - since, now - mtimeMs) >= this.#patience;
  }
}

async function isThere(path: string, remote: RemoteFile): Promise<boolean> {
  return (await orAbsent(stat(path), path))?.size === remote.size;
}

/** The previous claim: two concurrent claims would not see each other. */
let lastClaim: Promise<unknown> = Promise.resolve();

function claimed(path: string, partial: string, watch: Watch): Promise<boolean> {
  const own = lastClaim.then(() => claim(path, partial, watch));
  lastClaim = own.catch(() => {});
  return own;
}

/**
 * Claims the partial file, either one that a dead process started or an empty one. False while another process writes
 * it.
 */
async function claim(path: string, partial: string, watch: Watch): Promise<boolean> {
  const prefix = `${basename(path)}.incomplete`;
  const free: { name: string; size: number }[] = [];
  for (const entry of await readdir(dirname(path))) {
    const name = join(dirname(path), entry);
    const found = entry.startsWith(prefix) ? await orAbsent(stat(name), name) : null;
    if (found === null) continue;
    const owned = isOwned(name, entry.slice(prefix.length), watch.isAbandoned(name, found));
    if (owned) watch.bytes = found.size;
    if (owned && entry !== prefix) return false;
    if (!owned) free.push({ name, size: found.size });
  }
  free.sort((a, b) => b.size - a.size);
  for (const { name } of free)
    if (
      (await orAbsent(
        rename(name, partial).then(() => true),
        name,
      )) === true
    )
      return true;
  await (await open(partial, "wx")).close();
  return true;
}

/** Whether a process still writes to a partial file: `owner` is the end of its name. */
function isOwned(name: string, owner: string, isAbandoned: boolean): boolean {
  const [, host, pid] = /^\.(.+)-(\d+)-[0-9a-f]{8}$/.exec(owner) ?? [];
  const isHere = host === hostname();
  if (isHere && Number(pid) === process.pid) return inUse.has(name);
  return !isAbandoned && (!isHere || alive(Number(pid)));
}

async function complete(download: Download, partial: string): Promise<void> {
  const { path, file, client, remote } = download;
  const begun = (await stat(partial)).size > 0;
  await fill(download, partial);
  let found = await wrongHash(partial, remote);
  if (found !== null && begun) {
    await rm(partial); // the fault may be in the bytes that were already there
    await (await open(partial, "wx")).close();
    await fill(download, partial);
    found = await wrongHash(partial, remote);
  }
  if (found !== null) {
    await rm(partial, { force: true });
    throw new FormatError(
      `"${file}" of ${client.name} arrived with hash ${found}, expected its ETag ${remote.etag}: it was corrupted in transit and is not kept; try again`,
    );
  }
  await rename(partial, path);
  await flushFolder(dirname(path));
}

/** Appends the missing bytes, over as many connections as needed. */
async function fill(download: Download, partial: string): Promise<void> {
  const { client, commit, file, remote, signal } = download;
  const patience = client.patience();
  let furthest = 0; // a server that always restarts and disconnects makes no progress
  const reached = (at: number) => {
    if (at > furthest) patience.progressed();
    furthest = Math.max(furthest, at);
  };
  const handle = await open(partial, "r+");
  try {
    for (;;) {
      const { size } = await handle.stat();
      if (size === remote.size) break;
      if (size > remote.size) await handle.truncate(0);
      const start = size > remote.size ? 0 : size;
      const response = await client.fetchFrom(commit, file, start, patience);
      const fault = await append(download, handle, response, start, reached);
      signal?.throwIfAborted();
      if (fault !== null) await patience.after(unreachable(client.urlOf(commit, file), fault));
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Writes the body of a response. Returns the error that interrupted it, or null if it is complete. Disk errors are
 * thrown.
 */
async function append(
  { client, file, remote, onProgress }: Download,
  handle: FileHandle,
  response: Response,
  start: number,
  reached: (at: number) => void,
): Promise<Error | null> {
  const from = `bytes ${start}-`;
  const fits = response.status === 206 && response.headers.get("content-range")?.startsWith(from);
  let at = fits ? start : 0;
  if (!fits) await handle.truncate(0);
  if (response.body === null || (!fits && response.status !== 200)) {
    await response.body?.cancel();
    return new StateError(`requested ${from}, got status ${response.status}, ${response.headers.get("content-range")}`);
  }
  const body = pieces(response, client.silence);
  while (at < remote.size) {
    const piece = await body.next().catch((cause: Error) => cause);
    if (piece instanceof Error) return piece;
    if (piece.done) return new StateError(`the connection ended after ${at} of ${remote.size} bytes`);
    const chunk = piece.value.subarray(0, remote.size - at);
    for (let done = 0; done < chunk.length; )
      done += (await handle.write(chunk, done, chunk.length - done, at + done)).bytesWritten;
    at += chunk.length;
    reached(at);
    await onProgress?.(file, at, remote.size);
  }
  await body.return();
  return null;
}

/** The actual hash of a file if it differs from its ETag (where the ETag is a hash); otherwise null. */
async function wrongHash(path: string, { etag, size }: RemoteFile): Promise<string | null> {
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(etag)) return null;
  const git = etag.length === 40;
  const hash = createHash(git ? "sha1" : "sha256");
  if (git) hash.update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  const found = hash.digest("hex");
  return found === etag ? null : found;
}
