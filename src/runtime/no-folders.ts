import { UnsupportedError } from "../core/errors.ts";
import type { Host } from "../core/host.ts";

/** The folder functions of a host without folders: each throws an error that says what to pass instead. */
export function noFolders(host: string): Pick<Host, "openFolder" | "exists" | "folderTarget" | "openRun"> {
  const refuse = (path: string, instead: string): never => {
    throw new UnsupportedError(`folder "${path}": ${host} cannot open folders by path; pass ${instead} instead`);
  };
  return {
    exists: () => false,
    openFolder: (path) => refuse(path, "a URL, or a map of file names to bytes or Blobs,"),
    folderTarget: (path) => refuse(path, "a map to fill"),
    openRun: (path) => refuse(path, "memoryRun()"),
  };
}
