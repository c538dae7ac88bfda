/**
 * What is on a disk when the power is cut after some recorded calls: names of files last if their folder was flushed
 * afterwards, contents if the file was. Anything else may be there, in part, or not.
 */
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/**
 * Which unflushed calls last:
 *   killed   all: the process died and the system went on
 *   lazy     names, but no contents
 *   strict   none
 *   random   some names of each folder, in order, and a part of the contents, with garbage after it
 */
export const variants = ["killed", "lazy", "strict", "random"];

/** Writes the files and folders below `root` to `to`, which has other dates: the machine was started again. */
export function writeImage(ops, variant, random, root, to) {
  const { files, folders } = imageOf(ops, variant, random);
  const place = (path) => join(to, relative(root, path));
  for (const folder of folders) if (isBelow(folder, root)) mkdirSync(place(folder), { recursive: true });
  const before = new Date(Date.now() - 60_000);
  for (const [path, data] of files) {
    if (!isBelow(path, root)) continue;
    mkdirSync(dirname(place(path)), { recursive: true });
    writeFileSync(place(path), data);
    utimesSync(place(path), before, before);
  }
}

const isBelow = (path, root) => path === root || path.startsWith(`${root}/`);

function imageOf(ops, variant, random) {
  const lasting = lastingNames(ops, variant, random);
  const inodes = new Map();
  const folders = new Set();
  const nodeOf = (path) => inodes.get(path);
  ops.forEach((op, i) => {
    const { kind, path } = op;
    if (kind === "create" && lasting.has(i)) inodes.set(path, { data: Buffer.alloc(0), flushed: 0 });
    if (kind === "append" && lasting.has(i) && !nodeOf(path)) inodes.set(path, { data: Buffer.alloc(0), flushed: 0 });
    if (kind === "write" || kind === "append") {
      const node = nodeOf(path);
      if (node) node.data = Buffer.concat([node.data, op.data]);
    }
    if (kind === "sync" && nodeOf(path)) nodeOf(path).flushed = nodeOf(path).data.length;
    if (kind === "mkdir" && lasting.has(i)) folders.add(path);
    if (kind === "rm" && lasting.has(i)) remove(inodes, folders, path);
    if (kind === "rename" && lasting.has(i)) move(inodes, folders, op.from, op.to);
  });
  const files = new Map();
  for (const [path, node] of inodes) files.set(path, contentOf(node, variant, random));
  return { files, folders };
}

function contentOf({ data, flushed }, variant, random) {
  if (variant === "killed") return data;
  if (variant !== "random") return data.subarray(0, flushed);
  const kept = flushed + Math.floor(random() * (data.length - flushed + 1));
  const rest = Buffer.alloc(random() < 0.5 ? data.length - kept : 0, Math.floor(random() * 256));
  return Buffer.concat([data.subarray(0, kept), rest]);
}

/** The numbers of the calls that change names and last. */
function lastingNames(ops, variant, random) {
  const lasting = new Set();
  const pending = new Map();
  ops.forEach((op, i) => {
    if (op.kind === "syncdir") {
      for (const each of pending.get(op.path) ?? []) lasting.add(each);
      pending.delete(op.path);
    }
    const path = { create: op.path, append: op.path, mkdir: op.path, rm: op.path, rename: op.to }[op.kind];
    if (path === undefined) return;
    const folder = dirname(path);
    if (!pending.has(folder)) pending.set(folder, []);
    pending.get(folder).push(i);
  });
  for (const all of pending.values()) {
    const kept = { killed: all.length, lazy: all.length, strict: 0, random: Math.floor(random() * (all.length + 1)) }[
      variant
    ];
    for (const each of all.slice(0, kept)) lasting.add(each);
  }
  return lasting;
}

function remove(inodes, folders, path) {
  for (const each of [...inodes.keys()]) if (isBelow(each, path)) inodes.delete(each);
  for (const each of [...folders]) if (isBelow(each, path)) folders.delete(each);
}

function move(inodes, folders, from, to) {
  const moved = (path) => to + path.slice(from.length);
  const [files, below] = [
    [...inodes].filter(([path]) => isBelow(path, from)),
    [...folders].filter((path) => isBelow(path, from)),
  ];
  if (files.length === 0 && below.length === 0) return;
  remove(inodes, folders, from);
  if (below.length === 0) inodes.delete(to);
  for (const path of below) folders.add(moved(path));
  for (const [path, node] of files) inodes.set(moved(path), node);
}
