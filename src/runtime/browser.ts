/** Browsers, and any other host without folders that compiles WebAssembly from bytes. */
import type { Host } from "../core/host.ts";
import { compileBundled } from "../wasm/bundled.ts";
import { noFolders } from "./no-folders.ts";

export const { openFolder, folderTarget, openRun } = noFolders("a browser");
export { compileBundled as compileBuild };

/** This platform. */
export const host: Host = { name: "browser", openFolder, folderTarget, openRun, compileBuild: compileBundled };
