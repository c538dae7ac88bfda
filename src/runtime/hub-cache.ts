/**
 * Models of the Hugging Face hub in the cache that Python's huggingface_hub also uses:
 *
 *   models--org--name (datasets--org--name for a data set)
 *   models--org--name/refs/<revision>             the latest known commit of a branch or tag
 *   models--org--name/snapshots/<commit>/<file>   symbolic links to
 *   models--org--name/blobs/<etag>                the contents
 *
 * A file is downloaded on first use and then read as from any folder. If the hub cannot be reached, only the cache is
 * used.
 */
import { readFileSync } from "node:fs";
import { copyFile, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, relative, sep } from "node:path";
import { FormatError, StateError } from "../core/errors.ts";
import { expectInside, type HubOptions, missingFile, type Source } from "../core/host.ts";
import { didYouMean } from "../core/similar.ts";
import { HubClient, type Snapshot, topFiles } from "../hub/hub-client.ts";
import { codeOf, explained, makeFolder, orAbsent } from "./disk.ts";
import { fetchBlob } from "./hub-download.ts";

interface Settings extends HubOptions {
  readonly cacheDir: string;
  readonly offline: boolean;
}

/** The options, with defaults from the environment. */
function settings(options: HubOptions): Settings {
  const env = (name: string) => process.env[name]?.trim().replace(/^~(?=\/|$)/, homedir()) || undefined;
  const home = env("HF_HOME") ?? join(env("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "huggingface");
  const endpoint = options.endpoint ?? env("HF_ENDPOINT");
  const token =
    options.token === undefined
      ? (env("HF_TOKEN") ?? tokenIn(env("HF_TOKEN_PATH") ?? join(home, "token")))
      : options.token;
  const offline =
    options.offline ?? /^(1|on|yes|true)$/i.test(env("HF_HUB_OFFLINE") ?? env("TRANSFORMERS_OFFLINE") ?? "");
  const cacheDir = options.cacheDir ?? env("HF_HUB_CACHE") ?? join(home, "hub");
  return { ...options, ...(endpoint !== undefined && { endpoint }), token, offline, cacheDir };
}

/** The token that a login stored in a file. */
function tokenIn(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim() || null;
  } catch {
    return null;
  }
}

/** The files of a model, cached or still to be downloaded. Throws FormatError for an invalid model name. */
export function cachedHub(name: string, options: HubOptions, openFolder: (path: string) => Source): Source {
  return new CachedHub(name, settings(options), openFolder);
}

class CachedHub implements Source {
  readonly name: string;
  readonly #client: HubClient;
  readonly #settings: Settings;
  readonly #openFolder: (path: string) => Source;
  /** The model's folder in the cache. */
  readonly #path: string;
  #asked: Promise<Snapshot | null> | null = null;
  /** Why the hub could not be reached. */
  #trouble: Error | null = null;
  readonly #fetching = new Map<string, Promise<void>>();

  constructor(name: string, options: Settings, openFolder: (path: string) => Source) {
    this.#client = new HubClient(name, options);
    this.#settings = options;
    this.#openFolder = openFolder;
    this.#path = join(options.cacheDir, `${this.#client.type}s--${this.#client.repo.replace("/", "--")}`);
    this.name = this.#client.name;
  }

  async has(file: string): Promise<boolean> {
    if (await (await this.#snapshot(file)).has(expectInside(this.name, file))) return true;
    return (await this.#ask(file))?.files.includes(file) ?? false;
  }

  async size(file: string): Promise<number> {
    return (await this.#fetched(file)).size(file);
  }

  async read(file: string, start?: number, end?: number): Promise<Uint8Array> {
    return (await this.#fetched(file)).read(file, start, end);
  }

  async list(nested = false): Promise<string[] | null> {
    const asked = await this.#ask("a list of files");
    if (asked !== null) return topFiles(asked.files, this.#settings, nested);
    if (this.#client.type === "model") return (await this.#snapshot("a list of files")).list(nested);
    const folder = this.#pathOf((await this.#cachedCommit())!);
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => !entry.isDirectory());
    return files.map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, "/")).sort();
  }

  async close(): Promise<void> {}

  /** The folder of the resolved commit. It may not exist yet. `wanted` is the name of the request in messages. */
  async #snapshot(wanted: string): Promise<Source> {
    const known = await this.#cachedCommit();
    const commit = known === this.#client.revision ? known : ((await this.#ask(wanted))?.commit ?? known!);
    return this.#openFolder(this.#pathOf(commit));
  }

  #pathOf(commit: string): string {
    return join(this.#path, "snapshots", commit);
  }

  /** The commit of the revision according to the cache, if any of its files is cached. */
  async #cachedCommit(): Promise<string | null> {
    const { revision } = this.#client;
    const ref = join(this.#path, "refs", expectInside(this.name, revision));
    const commit = /^[0-9a-f]{40}$/.test(revision) ? revision : (await orAbsent(readFile(ref, "utf8"), ref))?.trim();
    if (!commit || !/^[0-9a-f]{40}$/.test(commit)) return null;
    const folder = this.#pathOf(commit);
    return (await orAbsent(stat(folder), folder)) === null ? null : commit;
  }

  /** The hub's description of the model. Null if the hub cannot be reached but the cache has files. */
  #ask(wanted: string): Promise<Snapshot | null> {
    this.#asked ??= this.#askHub(wanted).catch((error) => {
      this.#asked = null; // a failed request may be retried
      throw error;
    });
    return this.#asked;
  }

  async #askHub(wanted: string): Promise<Snapshot | null> {
    const cached = await this.#cachedCommit();
    try {
      if (!this.#settings.offline) return await this.#client.snapshot();
      this.#trouble = this.#notFetched(wanted, "HF_HUB_OFFLINE=1 (or the option `offline`) forbids downloading it");
    } catch (error) {
      this.#settings.signal?.throwIfAborted();
      this.#trouble = error as Error;
    }
    if (cached === null) throw await this.#orFolder(this.#trouble);
    return null;
  }

  #notFetched(wanted: string, why: string): StateError {
    const what = /\s/.test(wanted) ? wanted : `"${wanted}"`;
    return new StateError(
      `${this.name}: ${what} is not in the cache "${this.#settings.cacheDir}", and ${why}; download it once while the hub is reachable`,
    );
  }

  /** An unknown model may be a mistyped folder name. */
  async #orFolder(error: Error): Promise<Error> {
    const { repo } = this.#client;
    const around = await readdir(dirname(repo)).catch(() => []);
    const folders = around.map((entry) => (repo.includes("/") ? join(dirname(repo), entry) : entry));
    if (folders.includes(repo)) return error;
    const message = `${error.message}; there is no folder "${repo}" either.${didYouMean(repo, folders)}`;
    return new (error instanceof FormatError ? FormatError : StateError)(message, { cause: error.cause });
  }

  /** The folder of the commit, after the file is in it. */
  async #fetched(file: string): Promise<Source> {
    const folder = await this.#snapshot(file);
    if (await folder.has(expectInside(this.name, file))) return folder;
    const asked = await this.#ask(file);
    if (asked === null) {
      throw this.#settings.offline
        ? this.#notFetched(file, "HF_HUB_OFFLINE=1 (or the option `offline`) forbids downloading it")
        : this.#notFetched(file, `the hub cannot be reached (${this.#trouble?.message})`);
    }
    if (!asked.files.includes(file)) throw missingFile(this.name, file);
    const fetching = this.#fetching.get(file) ?? this.#fetch(asked.commit, file);
    this.#fetching.set(file, fetching);
    await fetching.finally(() => this.#fetching.delete(file));
    return folder;
  }

  async #fetch(commit: string, file: string): Promise<void> {
    try {
      const remote = await this.#client.describe(commit, file);
      const blob = join(this.#path, "blobs", remote.etag);
      await fetchBlob({ client: this.#client, commit, file, remote, path: blob, ...this.#settings });
      await putLink(blob, join(this.#pathOf(commit), file));
      const { revision } = this.#client;
      if (revision !== commit) await putFile(join(this.#path, "refs", revision), commit);
    } catch (cause) {
      throw explained(`cannot store "${file}" of ${this.name} in the cache "${this.#settings.cacheDir}"`, cause);
    }
  }
}

/** Creates a symbolic link to a blob, or a copy of it where links are not allowed (Windows). */
function putLink(blob: string, path: string): Promise<void> {
  return put(path, async (made) => {
    try {
      await symlink(relative(dirname(path), blob), made);
    } catch (cause) {
      if (!["EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(codeOf(cause) ?? "")) throw cause;
      await copyFile(blob, made);
    }
  });
}

function putFile(path: string, text: string): Promise<void> {
  return put(path, (made) => writeFile(made, text));
}

/** Creates a file under a temporary name first, so that a concurrent reader finds the old one or the new one. */
async function put(path: string, make: (made: string) => Promise<void>): Promise<void> {
  await makeFolder(dirname(path));
  const made = `${path}.tmp-${process.pid}-${crypto.randomUUID().slice(0, 8)}`;
  try {
    await make(made);
    await rename(made, path);
  } finally {
    await rm(made, { force: true });
  }
}
