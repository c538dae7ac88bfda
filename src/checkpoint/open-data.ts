/** Where data files are. A path is never taken for a name on the hub: a data set there is written hf://datasets/org/name. */
import { openFolder, openHub } from "#host";
import { FormatError } from "../core/errors.ts";
import type { HubOptions, Source } from "../core/host.ts";
import { urlSource } from "./source.ts";

/** A place, and what in it is meant: a file's name, a pattern, or "" for whatever a data set has. */
export interface DataPlace {
  readonly source: Source;
  readonly file: string;
  /** What messages put before the name of a file. */
  readonly prefix: string;
}

const DATASET = /^hf:\/\/datasets\/([^/@]+\/[^/@]+)(?:@([^/]+))?(?:\/(.*))?$/;

/**
 * The place that a path, URL or data set on the hub means. Nothing is read yet. Throws FormatError for another hf:// address.
 *
 * @example
 * openData("hf://datasets/org/name@main/data/train.jsonl").file; // "data/train.jsonl"
 */
export function openData(path: string, hub: HubOptions = {}): DataPlace {
  if (!path.startsWith("hf://")) {
    const end = path.lastIndexOf("/") + 1;
    const folder = end === 0 ? "." : path.slice(0, end - 1) || "/";
    const source = /^https?:\/\//.test(path) ? urlSource(folder) : openFolder(folder);
    return { source, file: path.slice(end), prefix: path.slice(0, end) };
  }
  const [, name, revision, file = ""] = DATASET.exec(path) ?? [];
  if (name === undefined)
    throw new FormatError(
      `"${path}" is not a data set: expected hf://datasets/org/name, and /file.jsonl after it or not`,
    );
  const at = revision === undefined ? {} : { revision: decodeURIComponent(revision) };
  const source = openHub(name, { ...hub, ...at, repoType: "dataset" });
  return { source, file, prefix: path.slice(0, path.length - file.length).replace(/\/?$/, "/") };
}
