/**
 * The lock of a run folder: a file `run-N.lock` that names its owner, whose date the owner renews while it lives. Who
 * finds the lock of a dead owner makes the file of the next number, which only one process can, and removes the old one.
 */
import { readlinkSync, rmSync } from "node:fs";
import { open, readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { StateError } from "../core/errors.ts";
import { alive, codeOf, explained, makeFolder, orAbsent } from "./disk.ts";

/** The owner renews its lock this often, in milliseconds. */
const RENEWAL = 5_000;
/** A lock that was not renewed for this long has no living owner. A step that takes long does not renew. */
const STALE = 600_000;
/** A lock is written in moments; one that has no owner after this long was left by a process that died. */
const WRITING = 10_000;

interface Owner {
  readonly pid: number;
  readonly host: string;
  readonly started: string;
  readonly id: string;
}

/** A lock file that was found. */
interface Found {
  readonly file: string;
  readonly number: number;
  /** Null if the file does not say, because it is being written or was damaged. */
  readonly owner: Owner | null;
  /** Milliseconds since the last renewal. */
  readonly age: number;
}

/** A lock that is held. */
export interface RunLock {
  /** Throws StateError if another process has taken the lock over. */
  expectHeld(): Promise<void>;
  release(): Promise<void>;
}

/** Names of lock files. */
export const isLock = (entry: string): boolean => /^run-\d+\.lock$/.test(entry);

/** The ids of the locks that this process holds: its number alone may be that of an earlier process. */
const held = new Set<string>();

/**
 * Locks a folder, which is created. Throws StateError if a living process has it; `notice` receives what to say of a lock that
 * is taken over.
 */
export async function lockRun(path: string, notice: (text: string) => void): Promise<RunLock> {
  await makeFolder(path).catch((cause) => {
    throw explained(`cannot write folder "${path}"`, cause);
  });
  for (;;) {
    const found = await locksIn(path);
    const owned = found.find(isAlive);
    if (owned) throw new StateError(inUse(path, owned));
    const number = Math.max(0, ...found.map(({ number }) => number)) + 1;
    const mine = await create(join(path, `run-${number}.lock`));
    if (mine === null) continue; // another process was faster
    const rival = (await locksIn(path)).find((each) => each.number !== number && isAlive(each));
    if (rival) {
      await mine.release();
      throw new StateError(inUse(path, rival));
    }
    for (const { file, owner } of found) {
      await rm(file, { force: true }).catch((cause) => {
        throw explained(`cannot remove "${file}"`, cause);
      });
      notice(`folder "${path}": took over the lock of ${nameOf(owner)}, which ended without releasing it`);
    }
    return mine;
  }
}

async function locksIn(path: string): Promise<Found[]> {
  const entries = (await orAbsent(readdir(path), `folder "${path}"`)) ?? [];
  const found = await Promise.all(entries.filter(isLock).map((entry) => read(join(path, entry), entry)));
  return found.filter((each) => each !== null);
}

/** Reads a lock, or null if it is gone. Waits for one that is being written. */
async function read(file: string, entry: string): Promise<Found | null> {
  const [, number] = /(\d+)/.exec(entry)!;
  for (;;) {
    const about = await orAbsent(stat(file), `"${file}"`);
    const text = about && (await orAbsent(readFile(file, "utf8"), `"${file}"`));
    if (about === null || text === null) return null;
    const age = Date.now() - about.mtimeMs;
    const owner = parse(text);
    if (owner !== null || age > WRITING) return { file, number: Number(number), owner, age };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function parse(text: string): Owner | null {
  try {
    const { pid, host, started, id } = JSON.parse(text) as Record<keyof Owner, unknown>;
    const isText = [host, started, id].every((each) => typeof each === "string");
    return Number.isSafeInteger(pid) && isText ? ({ pid, host, started, id } as Owner) : null;
  } catch {
    return null;
  }
}

/** Whether the owner of a lock lives: on this machine its process tells, elsewhere only the renewals do. */
function isAlive({ owner, age }: Found): boolean {
  if (owner === null || age > STALE) return false;
  if (owner.host !== thisHost()) return true;
  return owner.pid === process.pid ? held.has(owner.id) : alive(owner.pid);
}

/** Creates a lock file of this process; null if the file exists. */
async function create(file: string): Promise<RunLock | null> {
  const owner: Owner = {
    pid: process.pid,
    host: thisHost(),
    started: new Date().toISOString(),
    id: crypto.randomUUID(),
  };
  try {
    const handle = await open(file, "wx");
    held.add(owner.id);
    await handle.writeFile(`${JSON.stringify(owner)}\n`).finally(() => handle.close());
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") return null;
    if (held.delete(owner.id)) await rm(file, { force: true });
    throw explained(`cannot write "${file}"`, cause);
  }
  const renewal = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => {}); // gone: the next write tells
  }, RENEWAL);
  renewal.unref();
  const atExit = () => rmSync(file, { force: true });
  process.on("exit", atExit);
  return {
    async expectHeld() {
      const text = await orAbsent(readFile(file, "utf8"), `"${file}"`);
      if (text !== null && parse(text)?.id === owner.id) return;
      throw new StateError(
        `"${file}" no longer belongs to this process: another run has taken the folder over, or the file was deleted. ` +
          "This run stops before it writes anything more",
      );
    },
    async release() {
      clearInterval(renewal);
      process.off("exit", atExit);
      held.delete(owner.id);
      await rm(file, { force: true }).catch(() => {}); // the next run takes it over
    },
  };
}

/** The name of this machine, with that of its space of process numbers where there are several. */
function thisHost(): string {
  try {
    return `${hostname()} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}

function nameOf(owner: Owner | null): string {
  if (owner === null) return "a process";
  return `process ${owner.pid} on ${owner.host.split(" ")[0]}, started ${owner.started}`;
}

function inUse(path: string, { owner, file, age }: Found): string {
  return (
    `folder "${path}" is in use by another run: ${nameOf(owner)}, which gave a sign of life ${Math.max(0, Math.round(age / 1000))} s ago. ` +
    `Wait for its end, or choose another folder. If that process no longer exists, delete "${file}"`
  );
}
