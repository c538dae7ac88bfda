import { expectHubName, labelOf } from "../checkpoint/hub-name.ts";
import type { HubOptions, Source } from "../core/host.ts";

/**
 * The files of a model on the hub; the code that reads them is loaded on first use. Throws FormatError for an invalid
 * model name.
 */
export function deferredHub(text: string, options: HubOptions, load: () => Promise<Source>): Source {
  const { repo, revision } = expectHubName(text, options.revision);
  let loading: Promise<Source> | null = null;
  const source = () => {
    loading ??= load();
    return loading;
  };
  return {
    name: labelOf(repo, revision, options.repoType),
    has: async (file) => (await source()).has(file),
    size: async (file) => (await source()).size(file),
    read: async (file, start, end) => (await source()).read(file, start, end),
    list: async (nested) => (await source()).list(nested),
    close: async () => (await loading)?.close(),
  };
}
