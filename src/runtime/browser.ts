/** Browsers, and any other host without folders that compiles WebAssembly from bytes. */
import { StateError } from "../core/errors.ts";
import type { Host, StartThread } from "../core/host.ts";
import { openHub } from "../hub/open-hub.ts";
import { compileBundled } from "../kernels/bundled.ts";
import { noFolders } from "./no-folders.ts";
import { sha256 } from "./web-sha256.ts";

export const { openFolder, exists, folderTarget, openRun } = noFolders("a browser");
export { openHub, sha256 };

/** A build of the kernels, compiled. */
export function compileBuild(build: "baseline" | "relaxed", shared = false): Promise<WebAssembly.Module> {
  return compileBundled(build, shared);
}

/** No page can set V8's flags, and no page has an environment. */
export const compileWide = null;
export const preferredBuild = (): undefined => undefined;

/** The number of logical processors, as browsers report it; 0 where there are no workers. */
export function parallelism(): number {
  if (typeof Worker !== "function") return 0;
  return Math.max(1, globalThis.navigator?.hardwareConcurrency ?? 1);
}

/** Browsers have guard pages. */
export const checksAddresses = false;

/** Uses a blob because a `data:` worker has a different origin. */
export const startThread: StartThread = (source, data, lost) => {
  const text = `onmessage = ({ data }) => (${source})(data);`;
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const worker = new Worker(url, { name: "lorikeet" });
  worker.onerror = (event) => lost(event.message || "the page's worker-src policy may not allow blob: workers");
  worker.postMessage(data);
  return { end: () => worker.terminate() };
};

/** Starts a thread that runs the text of a module. */
export function startModule(text: string): Worker {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  return new Worker(url, { type: "module", name: "lorikeet" });
}

/** The way from this thread to the one that started it. Throws StateError on a page. */
export function ownPort(): Pick<Worker, "postMessage" | "addEventListener"> {
  if (!("document" in globalThis)) return globalThis as unknown as Worker;
  throw new StateError("this is a page, which no other thread started: call it in a worker's file");
}

/** This platform. */
export const host: Host = {
  ...{ name: "browser", openFolder, exists, openHub, folderTarget, openRun },
  ...{ sha256, compileBuild, compileWide, preferredBuild, parallelism, startThread, checksAddresses },
};
