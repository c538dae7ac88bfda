/** Cloudflare's workerd: no folders, and modules only from static imports, since it refuses to compile from bytes. */
import type { Host } from "../core/host.ts";
import { fetchedHub as openHub } from "../hub/fetched-hub.ts";
import baseline from "../wasm/baseline.wasm";
import relaxed from "../wasm/relaxed.wasm";
import { noFolders } from "./no-folders.ts";

export const { openFolder, exists, folderTarget, openRun } = noFolders("workerd");
export { openHub };

/** A build of the kernels. workerd has compiled it already. */
export async function compileBuild(build: "baseline" | "relaxed"): Promise<WebAssembly.Module> {
  return build === "relaxed" ? relaxed : baseline;
}

/** This platform. */
export const host: Host = { name: "workerd", openFolder, exists, openHub, folderTarget, openRun, compileBuild };
