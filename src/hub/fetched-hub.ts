/** A model on the hub for hosts without folders: reads are requests, which the browser's own cache keeps. */
import { urlSource } from "../checkpoint/source.ts";
import { expectInside, type HubOptions, missingFile, type Source } from "../core/host.ts";
import { HubClient, topFiles } from "./hub-client.ts";

interface Opened {
  readonly files: ReadonlySet<string>;
  /** Files of the commit that the revision first resolved to: it does not change for the reader. */
  readonly source: Source;
}

/** The files of a model, read by Range requests. Throws FormatError for an invalid model name. */
export function fetchedHub(name: string, options: HubOptions = {}): Source {
  const client = new HubClient(name, options);
  const loaded = new Map<string, number>();
  let opening: Promise<Opened> | null = null;

  async function open(): Promise<Opened> {
    const { commit, files } = await client.snapshot();
    const get: typeof fetch = (url, init) => client.fetchWhole(String(url), init?.headers as Record<string, string>);
    return { files: new Set(files), source: urlSource(client.urlOf(commit, ""), { fetch: get }) };
  }

  function opened(): Promise<Opened> {
    opening ??= open().catch((error) => {
      opening = null; // a failed request may be retried
      throw error;
    });
    return opening;
  }

  async function sourceOf(file: string): Promise<Source> {
    const { files, source } = await opened();
    if (files.has(expectInside(client.name, file))) return source;
    throw missingFile(client.name, file);
  }

  return {
    name: client.name,
    has: async (file) => (await opened()).files.has(expectInside(client.name, file)),
    size: async (file) => (await sourceOf(file)).size(file),
    async read(file, start, end) {
      const source = await sourceOf(file);
      const bytes = await source.read(file, start, end);
      const total = (loaded.get(file) ?? 0) + bytes.length;
      loaded.set(file, total);
      await options.onProgress?.(file, total, await source.size(file));
      return bytes;
    },
    list: async (nested = false) => topFiles([...(await opened()).files], options, nested),
    close: async () => (await opening)?.source.close(),
  };
}
