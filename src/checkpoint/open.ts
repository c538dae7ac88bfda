/** Turns what users give as a source or target (a folder, a URL, files in memory) into one that can be read or written. */
import { folderTarget, openFolder } from "#host";
import type { Source, Target } from "../core/host.ts";
import { type FileBytes, mapSource, memoryTarget, urlSource } from "./source.ts";

/** A folder path, a URL base, files by name, or anything that implements Source. */
export type SourceLike = string | URL | ReadonlyMap<string, FileBytes> | Readonly<Record<string, FileBytes>> | Source;

/** A folder path, a map to be filled, or anything that implements Target. */
export type TargetLike = string | Map<string, Uint8Array> | Target;

/** The files that a user means. Nothing is read yet. Throws UnsupportedError for a folder where the host has none. */
export function openSource(from: SourceLike): Source {
  if (from instanceof URL)
    return from.protocol === "file:" ? openFolder(decodeURIComponent(from.pathname)) : urlSource(from);
  if (typeof from === "string") return /^https?:\/\//.test(from) ? urlSource(from) : openFolder(from);
  if (isSource(from)) return from;
  return mapSource(from as ReadonlyMap<string, FileBytes>);
}

/** What to call the source in an adapter's config: a path or URL as given, nothing for files in memory. */
export function nameOf(from: SourceLike): string {
  return typeof from === "string" ? from : from instanceof URL ? from.href : "";
}

/** The place that a user means. Nothing is written yet. Throws UnsupportedError for a folder where the host has none. */
export function openTarget(to: TargetLike): Target {
  if (typeof to === "string") return folderTarget(to);
  return to instanceof Map ? memoryTarget("the given map", to) : to;
}

function isSource(from: object): from is Source {
  return "read" in from && typeof from.read === "function";
}
