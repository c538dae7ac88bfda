/** What the library asks of the machine it runs on. Files in runtime/ implement it; nothing else reaches a platform. */
import { FormatError } from "./errors.ts";

/** A set of named files that can be read in part. Names are relative, with "/" between folders. */
export interface Source {
  /** What messages call it, such as `folder "out/adapter"`. */
  readonly name: string;
  has(file: string): Promise<boolean>;
  /** Size in bytes. Throws FormatError when the file is missing. */
  size(file: string): Promise<number>;
  /**
   * Bytes [start, end) of a file, all of it by default. Throws FormatError when the file is missing or shorter than
   * `end`. The bytes may be a view of what the source holds: do not write to them, and do not rely on alignment.
   */
  read(file: string, start?: number, end?: number): Promise<Uint8Array>;
  /** Names of all files at the top, and with `nested` of those in folders below; sorted, or null where that cannot be known (a URL). */
  list(nested?: boolean): Promise<string[] | null>;
  /** Frees what the source keeps of what was read. Reading again afterwards is allowed. */
  close(): Promise<void>;
}

/** A place to write named files to, each of them whole or not at all. */
export interface Target {
  /** What messages call it, such as `folder "out/adapter"`. */
  readonly name: string;
  /**
   * Writes one file, piece by piece. A piece is used up before the next one is asked for, so it may be a view of memory
   * that is written again. When it fails, a file that was there before is as it was.
   */
  write(file: string, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void>;
}

/** Where a training run keeps its files: a folder on disk, or a map in memory. */
export interface RunFolder {
  /** What messages call it, such as `folder "out"`. */
  readonly name: string;
  /** Names of the files and sub-folders at the top, sorted; none when it does not exist yet. */
  list(): Promise<string[]>;
  /** The files of a sub-folder, or those at the top. */
  source(sub?: string): Source;
  /** Writes files at the top, each of them whole or not at all. */
  target(): Target;
  /** Writes a sub-folder and puts it in place of the one of that name: the old one or the new one, never half. */
  replace(sub: string, write: (target: Target) => Promise<void>): Promise<void>;
  /** Adds text to the end of a file at the top, which is made when it is not there. */
  append(file: string, text: string): Promise<void>;
  /** Removes a file or sub-folder, if it is there. */
  remove(name: string): Promise<void>;
  /** Cleans up what a killed process left, and puts back a sub-folder it had just moved aside. */
  recover(): Promise<void>;
}

/** What the hub keeps. */
export type RepoType = "model" | "dataset";

/** How to reach a model or a data set on the Hugging Face hub. */
export interface HubOptions {
  /** What the name is of; "model" by default. */
  readonly repoType?: RepoType;
  /** Branch, tag or commit; "main" by default. */
  readonly revision?: string;
  /** Access token, sent to the endpoint alone; null sends none. In Node HF_TOKEN or the token file by default. */
  readonly token?: string | null;
  /** "https://huggingface.co" by default, in Node HF_ENDPOINT if set. */
  readonly endpoint?: string;
  /** Where files are kept, in the layout of Python's huggingface_hub; HF_HUB_CACHE by default. Node only. */
  readonly cacheDir?: string;
  /** Use the cache alone; true by default if HF_HUB_OFFLINE=1. Node only. */
  readonly offline?: boolean;
  /** Failures in a row that are tried again, each after twice the time; 5 by default. */
  readonly retries?: number;
  /** Called as bytes of a file arrive. */
  readonly onProgress?: (file: string, loaded: number, total: number) => void;
  /** Ends running and later requests; reads then reject with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** One platform. Each file in runtime/ exports these functions by name and, together, as `host`. */
export interface Host {
  readonly name: string;
  /** The files of a folder, to read. Nothing is opened before the first read. */
  openFolder(path: string): Source;
  /** Whether a folder or file of that path is there; false where there are none. */
  exists(path: string): boolean;
  /** The files of a model on the hub, `org/name` with optional `@revision`. Each is fetched when first asked for. */
  openHub(name: string, options?: HubOptions): Source;
  /** A folder to write to, made when first written to. Files already there and not written stay. */
  folderTarget(path: string): Target;
  /** A folder for the files of a training run. */
  openRun(path: string): RunFolder;
  /** A build of the kernels, compiled; `shared` for the memory of several threads. */
  compileBuild(build: "baseline" | "relaxed", shared?: boolean): Promise<WebAssembly.Module>;
  /** Threads that can compute at once: physical cores where that can be told; 1 where there are no threads. */
  parallelism(): number;
  /** Starts a worker thread. */
  startThread: StartThread;
  /**
   * Whether the engine checks the address of every load from WebAssembly memory, instead of having guard pages around it:
   * products then use fewer, wider loads.
   */
  readonly checksAddresses: boolean;
}

/** A worker thread. Does not keep the process alive. */
export interface Thread {
  end(): void;
}

/**
 * Starts a worker thread that evaluates `source`, the text of a function, and calls it with `data`, which must be shareable
 * or cloneable. `lost` is called should the thread ever end by itself.
 */
export type StartThread = (source: string, data: object, lost: (why: string) => void) => Thread;

/**
 * Returns `file` if it is a relative name that stays inside its folder. A shard index comes from elsewhere, so names in
 * it may not reach out. Throws FormatError.
 */
export function expectInside(source: string, file: string): string {
  const parts = file.split("/");
  const inside = !/[\\\0]|^[a-zA-Z]:/.test(file) && parts.every((part) => part !== "" && part !== "." && part !== "..");
  if (inside) return file;
  throw new FormatError(`${source}: file name ${JSON.stringify(file)} should be relative and stay inside it`);
}

/** The error for a file that is not there. */
export function missingFile(source: string, file: string): FormatError {
  return new FormatError(`${source} has no file "${file}"`);
}

/** Returns [start, end) once it lies inside a file of `size` bytes. Throws FormatError. */
export function expectRange(source: string, file: string, start: number, end: number, size: number): [number, number] {
  if (start >= 0 && start <= end && end <= size) return [start, end];
  throw new FormatError(
    `"${file}" in ${source} has ${size} bytes, but bytes ${start} to ${end} were asked for: it is cut short or has changed`,
  );
}
