import type { HubOptions, Source } from "../core/host.ts";
import { deferredHub } from "./deferred-hub.ts";

/** The files of a model on the hub, read by Range requests: for hosts without a disk. */
export function openHub(name: string, options: HubOptions = {}): Source {
  return deferredHub(name, options, async () => {
    const { fetchedHub } = await import("./fetched-hub.ts");
    return fetchedHub(name, options);
  });
}
