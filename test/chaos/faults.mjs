/**
 * Puts itself between a program and node:fs/promises: calls that change files are counted and recorded, and one of them can
 * fail or end the process.
 */
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

/** What to do: `failAt` and `killAt` are numbers of calls, from 1. `flush: false` skips the disk's own fsync. */
export const plan = { calls: 0, failAt: 0, code: "ENOSPC", only: null, killAt: 0, flush: true };
/** What was done, as replayed by disk.mjs; null while nothing is recorded. */
let recorded = null;

/** Records the calls that `work` makes, with the marks that it sets. */
export async function record(work) {
  const ops = [];
  recorded = ops;
  try {
    await work((name) => ops.push({ kind: "mark", name }));
    return ops;
  } finally {
    recorded = null;
  }
}

/** Runs `work` with a plan, and without it afterwards. */
export async function withPlan(changes, work) {
  const before = { ...plan };
  Object.assign(plan, { calls: 0, ...changes });
  try {
    return await work();
  } finally {
    Object.assign(plan, before);
  }
}

/** Runs one call that changes files. `half` does part of it, for a process that dies in the middle. */
async function change(op, call, half = async () => {}) {
  if (plan.only === null || plan.only === op.kind) {
    plan.calls++;
    if (plan.calls === plan.killAt) {
      await half();
      process.kill(process.pid, "SIGKILL");
      await new Promise(() => setInterval(() => {}, 1000));
    }
    if (plan.calls === plan.failAt) {
      throw Object.assign(new Error(`${plan.code}: made to fail, ${op.kind}`), {
        code: plan.code,
        errno: -1,
        syscall: op.kind,
      });
    }
  }
  const result = await call();
  recorded?.push(op);
  return result;
}

export function install() {
  const { open, appendFile, mkdir, rename, rm } = fs;
  const noFlush = async () => {};
  fs.open = async (path, flags = "r", ...rest) => {
    if (flags === "r") {
      const handle = await open(path, flags, ...rest);
      const sync = handle.sync.bind(handle);
      handle.sync = () => change({ kind: "syncdir", path }, plan.flush ? sync : noFlush);
      return handle;
    }
    const handle = await change({ kind: "create", path }, () => open(path, flags, ...rest));
    const [write, writeFile, sync] = [handle.write, handle.writeFile, handle.sync].map((each) => each.bind(handle));
    handle.write = (bytes, from = 0, length = bytes.length, ...more) => {
      const data = Buffer.from(bytes.slice(from, from + length));
      return change(
        { kind: "write", path, data },
        () => write(bytes, from, length, ...more),
        () => write(bytes, from, length >> 1),
      );
    };
    handle.writeFile = (text) => change({ kind: "write", path, data: Buffer.from(text) }, () => writeFile(text));
    handle.sync = () => change({ kind: "sync", path }, plan.flush ? sync : noFlush);
    return handle;
  };
  fs.appendFile = (path, text) =>
    change(
      { kind: "append", path, data: Buffer.from(text) },
      () => appendFile(path, text),
      () => appendFile(path, text.slice(0, text.length >> 1)),
    );
  fs.mkdir = (path, ...rest) => change({ kind: "mkdir", path }, () => mkdir(path, ...rest));
  fs.rename = (from, to) => change({ kind: "rename", from, to }, () => rename(from, to));
  fs.rm = (path, ...rest) => change({ kind: "rm", path }, () => rm(path, ...rest));
  syncBuiltinESMExports();
}
