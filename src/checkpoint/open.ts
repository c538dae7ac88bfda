/**
 * Converts what users pass as a source or target (a folder, a URL, files in memory) to one that can be read or written.
 */
import { exists, folderTarget, openFolder, openHub, openRun } from "#host";
import { FormatError } from "../core/errors.ts";
import type { RunFolder, Source, Target } from "../core/host.ts";
import { shownUrl } from "../core/io/shown-url.ts";
import { type HubName, parseHubName } from "./hub-name.ts";
import { type FileBytes, mapSource, memoryTarget, urlSource } from "./source.ts";

/** A folder path, a model on the hub (`org/name`), a URL base, files by name, or anything that implements Source. */
export type SourceLike = string | URL | ReadonlyMap<string, FileBytes> | Readonly<Record<string, FileBytes>> | Source;

/** A folder path, a map to fill, or anything that implements Target. */
export type TargetLike = string | Map<string, Uint8Array> | Target;

/**
 * Opens the files that a user refers to. Nothing is read yet. A name such as "gpt2", "org/name" or "org/name@revision"
 * is a model on the hub unless a folder or file with that name exists, or a folder "org" that it may be meant to be in;
 * "hf://org/name" is always on the hub, "./name" always a folder. Throws UnsupportedError for a folder on a host without
 * folders.
 */
export function openSource(from: SourceLike): Source {
  if (from instanceof URL)
    return from.protocol === "file:" ? openFolder(decodeURIComponent(from.pathname)) : urlSource(from);
  if (typeof from !== "string") return isSource(from) ? from : mapSource(from as ReadonlyMap<string, FileBytes>);
  if (/^https?:\/\//.test(from)) return urlSource(from);
  const name = hubName(from);
  return name === null ? openFolder(from) : openHub(asText(name));
}

/**
 * The name of the source in an adapter's config: a path or model as given, a URL without what may be secret in it, empty for
 * files in memory.
 */
export function nameOf(from: SourceLike): string {
  if (from instanceof URL || (typeof from === "string" && isUrl(from))) return shownUrl(from);
  return typeof from === "string" ? (hubName(from)?.repo ?? from) : "";
}

function isUrl(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text);
}

const HUB = "hf://";

/**
 * The model on the hub that the text names, or null if it names something else. A path into a folder that exists is a path, however
 * it is misspelled: its name is nobody else's business.
 */
function hubName(from: string): HubName | null {
  if (from.startsWith(HUB)) return expectHubAddress(from);
  const [folder] = from.split("/");
  const isPath = exists(from) || (folder !== from && exists(folder!));
  return isPath ? null : parseHubName(from);
}

function expectHubAddress(from: string): HubName {
  const name = parseHubName(from.slice(HUB.length));
  if (name !== null) return name;
  throw new FormatError(`"${from}" is not a model: expected hf://org/name, and @revision after it or not`);
}

function asText({ repo, revision }: HubName): string {
  return revision === null ? repo : `${repo}@${revision}`;
}

/**
 * Opens the target that a user refers to. Nothing is written yet. Throws UnsupportedError for a folder on a host
 * without folders.
 */
export function openTarget(to: TargetLike): Target {
  if (typeof to === "string") return folderTarget(to);
  return to instanceof Map ? memoryTarget("the given map", to) : to;
}

/**
 * Opens the run folder that a user refers to, or null. Throws UnsupportedError for a path on a host without folders.
 */
export function openOutput(to: string | RunFolder | null): RunFolder | null {
  return typeof to === "string" ? openRun(to) : to;
}

function isSource(from: object): from is Source {
  return "read" in from && typeof from.read === "function";
}
