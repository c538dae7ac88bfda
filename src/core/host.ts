/**
 * What the library needs from the machine it runs on. Files in runtime/ implement it; nothing else accesses a platform.
 */
import { FormatError } from "./errors.ts";

/** A set of named files that can be read in part. Names are relative, with "/" between folders. */
export interface Source {
  /** The name that messages use, such as `folder "out/adapter"`. */
  readonly name: string;
  has(file: string): Promise<boolean>;
  /** Size in bytes. Throws FormatError when the file is missing. */
  size(file: string): Promise<number>;
  /**
   * Bytes [start, end) of a file, by default the whole file. Throws FormatError when the file is missing or shorter
   * than `end`. The bytes may be a view of the source's data: do not write to them, and do not rely on alignment.
   */
  read(file: string, start?: number, end?: number): Promise<Uint8Array>;
  /** Names of all files at the top, and with `nested` of those in folders below; sorted, or null where that cannot be known (a URL). */
  list(nested?: boolean): Promise<string[] | null>;
  /** Frees data that the source has cached. Reading again afterwards is allowed. */
  close(): Promise<void>;
}

/** A place to write named files to. Each file is written completely or not at all. */
export interface Target {
  /** The name that messages use, such as `folder "out/adapter"`. */
  readonly name: string;
  /**
   * Writes one file, piece by piece. A piece is consumed before the next one is requested, so it may be a view of
   * memory that is reused. If writing fails, an existing file is unchanged.
   */
  write(file: string, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void>;
}

/** Where a training run keeps its files: a folder on disk, or a map in memory. */
export interface RunFolder {
  /** The name that messages use, such as `folder "out"`. */
  readonly name: string;
  /** The names of the top-level files and subfolders, sorted; none if the folder does not exist yet. */
  list(): Promise<string[]>;
  /** The files of a subfolder, or the top-level files. */
  source(sub?: string): Source;
  /** Writes top-level files, each completely or not at all. */
  target(): Target;
  /** Writes a subfolder and replaces the one with that name atomically: a reader finds the old one or the new one. */
  replace(sub: string, write: (target: Target) => Promise<void>): Promise<void>;
  /** Appends text to a top-level file, which is created if it does not exist. */
  append(file: string, text: string): Promise<void>;
  /** Removes a file or subfolder, if it exists. */
  remove(name: string): Promise<void>;
  /**
   * Cleans up what a killed process left behind, and restores a subfolder that it had moved aside. What a living process
   * is writing is left alone.
   */
  recover(): Promise<void>;
  /**
   * Reserves the folder for one run until the returned function is called. Throws StateError that names the owner if
   * another run has it. The lock of a run that no longer lives is taken over, which `notice` says. From then on, writing
   * throws StateError once another run has taken this lock over.
   */
  lock(notice: (text: string) => void): Promise<() => Promise<void>>;
}

/** A SHA-256 being computed. */
export interface Sha256 {
  /** The bytes may be a view of memory that is reused. */
  update(bytes: Uint8Array): void;
  /** 64 lowercase hexadecimal digits. */
  hex(): Promise<string>;
}

/** What the hub keeps. */
export type RepoType = "model" | "dataset";

/** How to reach a model or a data set on the Hugging Face hub. */
export interface HubOptions {
  /** What the name is of; "model" by default. */
  readonly repoType?: RepoType;
  /** Branch, tag or commit; "main" by default. */
  readonly revision?: string;
  /** Access token, sent only to the endpoint; null sends none. In Node HF_TOKEN or the token file by default. */
  readonly token?: string | null;
  /** "https://huggingface.co" by default, in Node HF_ENDPOINT if set. */
  readonly endpoint?: string;
  /** Where files are kept, in the layout of Python's huggingface_hub; HF_HUB_CACHE by default. Node only. */
  readonly cacheDir?: string;
  /** Use only the cache; true by default if HF_HUB_OFFLINE=1. Node only. */
  readonly offline?: boolean;
  /** The number of consecutive failures to retry, doubling the wait each time; 5 by default. */
  readonly retries?: number;
  /** Milliseconds without a byte after which a request has failed, and is retried; 30,000 by default. */
  readonly silence?: number;
  /** Called as bytes of a file arrive, also while another process downloads it. */
  readonly onProgress?: (file: string, loaded: number, total: number) => unknown;
  /** Aborts current and later requests; reads then reject with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** One platform. Each file in runtime/ exports these functions by name and, together, as `host`. */
export interface Host {
  readonly name: string;
  /** The files of a folder, to read. Nothing is opened before the first read. */
  openFolder(path: string): Source;
  /** Whether a folder or file with that path exists; false on hosts without folders. */
  exists(path: string): boolean;
  /** The files of a model on the hub, `org/name` with optional `@revision`. Each is fetched on first use. */
  openHub(name: string, options?: HubOptions): Source;
  /** A folder to write to, created on the first write. Existing files that are not written are kept. */
  folderTarget(path: string): Target;
  /** A folder for the files of a training run. */
  openRun(path: string): RunFolder;
  /** A new SHA-256; null where the host has none, as browsers on pages without https. */
  sha256(): Promise<Sha256 | null>;
  /** A compiled build of the kernels; `shared` is for memory shared by several threads. */
  compileBuild(build: "baseline" | "relaxed", shared?: boolean): Promise<WebAssembly.Module>;
  /**
   * The wide build, compiled and tried; null where the JavaScript engine has none. Throws UnsupportedError if it computes something
   * else than the relaxed build or is not faster.
   */
  readonly compileWide: ((shared: boolean) => Promise<WebAssembly.Module>) | null;
  /** LORIKEET_BUILD: the build to use where a program asks for none. */
  preferredBuild(): string | undefined;
  /**
   * The number of threads that can compute at once: physical cores where the host reports them; 1 where there are no
   * threads.
   */
  parallelism(): number;
  /** Starts a worker thread. */
  startThread: StartThread;
  /**
   * Whether the engine checks the address of every load from WebAssembly memory instead of using guard pages around it:
   * matrix products then use fewer, wider loads.
   */
  readonly checksAddresses: boolean;
}

/** A worker thread. Does not keep the process alive. */
export interface Thread {
  end(): void;
}

/**
 * Starts a worker thread that evaluates `source`, the text of a function, and calls it with `data`, which must be
 * shareable or cloneable. `lost` is called if the thread ends unexpectedly.
 */
export type StartThread = (source: string, data: object, lost: (why: string) => void) => Thread;

/**
 * Returns `file` if it is a relative name that stays inside its folder. A shard index is untrusted, so its names must
 * not point outside the folder. Throws FormatError.
 */
export function expectInside(source: string, file: string): string {
  const parts = file.split("/");
  const inside = !/[\\\0]|^[a-zA-Z]:/.test(file) && parts.every((part) => part !== "" && part !== "." && part !== "..");
  if (inside) return file;
  throw new FormatError(`${source}: file name ${JSON.stringify(file)} must be relative and stay inside it`);
}

/** The error for a missing file. */
export function missingFile(source: string, file: string): FormatError {
  return new FormatError(`${source} has no file "${file}"`);
}

/** Returns [start, end) after checking that it is inside a file of `size` bytes. Throws FormatError. */
export function expectRange(source: string, file: string, start: number, end: number, size: number): [number, number] {
  if (start >= 0 && start <= end && end <= size) return [start, end];
  throw new FormatError(
    `"${file}" in ${source} has ${size} bytes, but bytes ${start} to ${end} were requested: the file is truncated or has changed`,
  );
}
