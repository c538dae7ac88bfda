/** Worker threads of Node, Deno and Bun. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parentPort, Worker } from "node:worker_threads";
import { StateError } from "../core/errors.ts";
import type { StartThread } from "../core/host.ts";

/**
 * LORIKEET_THREADS if set; otherwise the physical cores that this process may use: at most what the scheduler allows
 * and, on Linux, at most the number of cores of the logical processors and the control group's share of CPU time.
 */
export function parallelism(): number {
  const asked = Number(process.env.LORIKEET_THREADS);
  if (Number.isInteger(asked) && asked > 0) return asked;
  const processors = availableParallelism();
  return Math.max(1, Math.min(physicalCores(processors), timeShare()));
}

/** Logical processors that share a core list the same siblings. */
function physicalCores(processors: number): number {
  const of = (i: number) => contents(`/sys/devices/system/cpu/cpu${i}/topology/thread_siblings_list`) ?? `${i}`;
  return new Set(Array.from({ length: processors }, (_, i) => of(i))).size;
}

/**
 * The number of processors in a container's quota: "max 100000" means no limit, "150000 100000" means one and a half.
 */
function timeShare(): number {
  const [quota, period] = (contents("/sys/fs/cgroup/cpu.max") ?? "max").split(" ").map(Number);
  return quota! > 0 && period! > 0 ? Math.floor(quota! / period!) : Number.POSITIVE_INFINITY;
}

/** Null if the file does not exist or may not be read (Deno). */
function contents(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

/** Deno reserves no guard pages around a memory. */
export const checksAddresses: boolean = "Deno" in globalThis;

/** Starts a thread that runs the text of a module. */
export function startModule(text: string): Worker {
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(text)}`));
}

/** The way from this thread to the one that started it. Throws StateError in the main thread. */
export function ownPort(): NonNullable<typeof parentPort> {
  if (parentPort !== null) return parentPort;
  throw new StateError("this is the main thread, which no other thread started: call it in a worker's file");
}

/** A `data:` URL is the only form that Node, Deno and Bun all accept. */
export const startThread: StartThread = (source, data, lost) => {
  const text = `import { workerData } from "node:worker_threads"; (${source})(workerData);`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(text)}`), { workerData: data });
  let ending = false;
  worker.on("error", (error) => lost(String(error)));
  worker.on("exit", (code) => {
    if (!ending) lost(`exit code ${code}`);
  });
  worker.unref();
  return {
    end() {
      ending = true;
      void worker.terminate();
    },
  };
};
