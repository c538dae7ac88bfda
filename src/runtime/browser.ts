/** Browsers, and any other host without folders that compiles WebAssembly from bytes. */
import type { Host } from "../core/host.ts";
import { fetchedHub as openHub } from "../hub/fetched-hub.ts";
import { compileBundled } from "../wasm/bundled.ts";
import { noFolders } from "./no-folders.ts";

export const { openFolder, exists, folderTarget, openRun } = noFolders("a browser");
export { compileBundled as compileBuild, openHub };

/** This platform. */
export const host: Host = {
  ...{ name: "browser", openFolder, exists, openHub, folderTarget, openRun },
  compileBuild: compileBundled,
};
