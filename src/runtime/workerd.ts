/** Cloudflare's workerd: no folders, and modules only from static imports, because it refuses to compile from bytes. */
import { UnsupportedError } from "../core/errors.ts";
import type { Host, StartThread } from "../core/host.ts";
import { openHub } from "../hub/open-hub.ts";
import baseline from "../kernels/baseline.wasm";
import relaxed from "../kernels/relaxed.wasm";
import { noFolders } from "./no-folders.ts";
import { sha256 } from "./web-sha256.ts";

export const { openFolder, exists, folderTarget, openRun } = noFolders("workerd");
export { openHub, sha256 };

/** A build of the kernels. workerd has compiled it already. */
export async function compileBuild(build: "baseline" | "relaxed"): Promise<WebAssembly.Module> {
  return build === "relaxed" ? relaxed : baseline;
}

/** Nobody can set V8's flags, and there is no environment. */
export const compileWide = null;
export const preferredBuild = (): undefined => undefined;

/** workerd has no threads. */
export const parallelism = (): number => 0;
export const checksAddresses = true;
export const startThread: StartThread = () => {
  throw new UnsupportedError("workerd has no threads; create the engine with threads: 1");
};

const noThreads = (): never => {
  throw new UnsupportedError("workerd has no threads: import the library itself");
};
export const startModule: () => never = noThreads;
export const ownPort: () => never = noThreads;

/** This platform. */
export const host: Host = {
  ...{ name: "workerd", openFolder, exists, openHub, folderTarget, openRun, compileBuild, parallelism },
  ...{ sha256, compileWide, preferredBuild, startThread, checksAddresses },
};
