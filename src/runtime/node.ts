/** Node, and also Bun and Deno through node:fs. */
import { existsSync as exists } from "node:fs";
import type { Host, HubOptions, Sha256, Source } from "../core/host.ts";
import { deferredHub } from "../hub/deferred-hub.ts";
import { compileBundled } from "../kernels/bundled.ts";
import { folderTarget } from "./folder-target.ts";
import { checksAddresses, ownPort, parallelism, startModule, startThread } from "./node-threads.ts";
import { openFolder } from "./open-folder.ts";
import { openRun } from "./run-folder.ts";

export { checksAddresses, exists, folderTarget, openFolder, openRun, ownPort, parallelism, startModule, startThread };

/** A build of the kernels, compiled. */
export async function compileBuild(build: "baseline" | "relaxed", shared = false): Promise<WebAssembly.Module> {
  const { inflateSync } = await import("node:zlib"); // a stream takes five times as long to start
  return compileBundled(build, shared, (packed) => new Uint8Array(inflateSync(packed)));
}

/** Bun has no V8. Deno has, but its checks of addresses stand between the vectors to be merged. */
const isNode = process.versions.bun === undefined && !checksAddresses;
/** V8 can merge vectors from Node 23.5 on, on x86. */
const merges =
  isNode && process.arch === "x64" && process.versions.node.localeCompare("23.5", "en", { numeric: true }) >= 0;

/** The wide build, compiled and tried: merged vectors on x86, dot products of bytes on Arm. */
export const compileWide: Host["compileWide"] = merges
  ? async (shared) => (await import("./wide-build.ts")).compileWide(shared)
  : isNode && process.arch === "arm64"
    ? async (shared) => (await import("./dot-build.ts")).compileDot(shared)
    : null;

export const preferredBuild = (): string | undefined => process.env.LORIKEET_BUILD;

/** A new SHA-256. */
export async function sha256(): Promise<Sha256> {
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  return { update: (bytes) => void hash.update(bytes), hex: async () => hash.digest("hex") };
}

/** The files of a model on the hub, each downloaded into the cache on first use. */
export function openHub(name: string, options: HubOptions = {}): Source {
  return deferredHub(name, options, async () => {
    const { cachedHub } = await import("./hub-cache.ts");
    return cachedHub(name, options, openFolder);
  });
}

/** This platform. */
export const host: Host = {
  ...{ name: "node", openFolder, exists, openHub, folderTarget, openRun },
  ...{ sha256, compileBuild, compileWide, preferredBuild, parallelism, startThread, checksAddresses },
};
